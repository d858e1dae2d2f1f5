/** The schemas and our own tables in them, made once. */
import type pg from 'pg';
import { asIncrepError, type IncrepError } from '../../errors.ts';
import { isAboutOneStatement } from '../../postgres/server-errors.ts';
import { createSchema } from '../../sql/destination.ts';
import { createLoadTables, haveLoadTables } from '../../sql/loads.ts';
import { asUsual } from '../../sql/search-path.ts';
import { createRunsTable, createStateTable, stateTable, waitForLock } from '../../sql/state.ts';
import type { DestinationSchema } from '../facts/describe-destination.ts';
import type { Facts, TableFacts } from '../facts/facts.ts';
import type { PlanRequest } from '../plan/plan.ts';
import { refusalOf } from '../plan/refusals.ts';
import type { RunContext } from '../context/run-context.ts';

/** What one schema lacks of what the tables need. */
interface Lack {
  readonly schema: string;
  readonly lacksSchema: boolean;
  readonly lacksState: boolean;
  readonly lacksRuns: boolean;
  readonly lacksLoads: boolean;
}

/** By schema, why no table of it can be synced. @throws IncrepError for what may be gone at the next attempt */
export async function prepareDestination(
  context: RunContext,
  facts: Facts,
  { claim }: Pick<PlanRequest, 'claim'>,
): Promise<ReadonlyMap<string, IncrepError>> {
  const refusals = new Map<string, IncrepError>();
  // When every table is refused, each says why, and nothing is made.
  const isRefused = (table: TableFacts) =>
    refusalOf(table) !== undefined || (table.unclaimed !== undefined && claim === undefined);
  const workable = facts.tables.filter((table) => table.settings.isEnabled && !isRefused(table));
  if (workable.length === 0) return refusals;
  const home = context.settings.destination.schema;
  const lacks = [...facts.schemas].flatMap(([schema, found]): Lack[] => {
    const copies = workable.filter(({ destinationName }) => destinationName.schema === schema);
    const lack = {
      schema,
      lacksSchema: !found.access.exists,
      lacksState: copies.length > 0 && found.stateTable === 'none',
      lacksRuns: schema === home && !found.hasRunsTable && canMake(found),
      lacksLoads: !found.hasLoadTables && copies.some(({ settings: { chunk } }) => chunk) && canMake(found),
    };
    return lack.lacksState || lack.lacksRuns || lack.lacksLoads ? [lack] : [];
  });
  for (const lack of lacks) {
    try {
      await context.destination.withWriting([], (client) => make(client, lack));
    } catch (thrown) {
      const error = asIncrepError(thrown);
      if (error.isTransient || !isAboutOneStatement(error)) throw error;
      if (lack.lacksState) refusals.set(lack.schema, error);
      else await context.emit({ type: 'warning', table: undefined, message: error.message });
    }
  }
  return refusals;
}

/** Neither the history nor one table in chunks is a reason for all of them to fail. */
const canMake = ({ access }: DestinationSchema): boolean =>
  access.exists ? access.canUse && access.canCreate : access.canCreateSchema;

async function make(client: pg.ClientBase, lack: Lack): Promise<void> {
  const { schema } = lack;
  // Event triggers of people see what is made here. Two first runs at once: the second waits, and then finds everything there.
  await client.query(waitForLock(stateTable(schema)));
  if (lack.lacksSchema) await client.query(createSchema(schema));
  if (lack.lacksState) await client.query(asUsual(createStateTable(schema)));
  if (lack.lacksRuns) await client.query(asUsual(createRunsTable(schema)));
  if (lack.lacksLoads) await ensureLoadTables(client, schema);
}

/** Looked at once more: another run may have made them while this one waited, and be in the middle of a load. */
async function ensureLoadTables(client: pg.ClientBase, schema: string): Promise<void> {
  const { rows } = await client.query<{ areThere: boolean }>(haveLoadTables(schema));
  if (rows[0]?.areThere !== true) await client.query(asUsual(createLoadTables(schema)));
}
