/** Creates what is missing at the destination: the schemas, and in them the state, history and load tables of increp. */
import type pg from 'pg';
import { asIncrepError, type IncrepError } from '../../errors.ts';
import { isAboutOneStatement } from '../../postgres/server-errors.ts';
import { createSchema } from '../../sql/destination.ts';
import { createConflictsTable, hasConflictsTable } from '../../sql/conflicts.ts';
import { createLoadTables, haveLoadTables } from '../../sql/loads.ts';
import { asUsual } from '../../sql/search-path.ts';
import { createRunsTable, createStateTable, stateTable, waitForLock } from '../../sql/state.ts';
import type { DestinationSchema } from '../facts/describe-destination.ts';
import type { Facts, TableFacts } from '../facts/facts.ts';
import { isClaimed, type Claim } from '../facts/unclaimed.ts';
import { elsewhereRefusal, refusalOf, swapRefusal } from '../plan/refusals.ts';
import type { PlanRequest } from '../plan/plan.ts';
import type { RunContext } from '../context/run-context.ts';

/** What is missing in one schema. */
interface Lack {
  readonly schema: string;
  readonly lacksSchema: boolean;
  readonly lacksState: boolean;
  readonly lacksRuns: boolean;
  readonly lacksLoads: boolean;
  readonly lacksConflicts: boolean;
}

/** Returns, by schema, why none of its tables can be synced. @throws IncrepError if another attempt may succeed */
export async function prepareDestination(
  context: RunContext,
  facts: Facts,
  request: Claim & Pick<PlanRequest, 'isFullRefresh'>,
): Promise<ReadonlyMap<string, IncrepError>> {
  const refusals = new Map<string, IncrepError>();
  // If every table is refused, nothing is created. Each table reports its own reason.
  const isRefused = (table: TableFacts) =>
    (swapRefusal(table, request) ?? refusalOf(table) ?? elsewhereRefusal(table, request)) !== undefined ||
    (table.unclaimed !== undefined && !isClaimed(table.unclaimed, request));
  const workable = facts.tables.filter((table) => table.settings.isEnabled && !isRefused(table));
  if (workable.length === 0) return refusals;
  const home = context.settings.destination.schema;
  const lacks = [...facts.schemas].flatMap(([schema, found]): Lack[] => {
    const tables = workable.filter(({ destinationName }) => destinationName.schema === schema);
    const lack = {
      schema,
      lacksSchema: !found.access.exists,
      lacksState: tables.length > 0 && found.stateTable === 'none',
      lacksRuns: schema === home && !found.hasRunsTable && canCreateTables(found),
      lacksLoads:
        !found.hasLoadTables && tables.some(({ settings: { chunk } }) => chunk) && canCreateTables(found),
      lacksConflicts: !found.hasConflictsTable && tables.some(({ settings }) => settings.conflictLog),
    };
    return lack.lacksState || lack.lacksRuns || lack.lacksLoads || lack.lacksConflicts ? [lack] : [];
  });
  for (const lack of lacks) {
    try {
      await context.destination.withWriting([], (client) => create(client, lack));
    } catch (thrown) {
      const error = asIncrepError(thrown);
      if (error.isTransient || !isAboutOneStatement(error)) throw error;
      if (lack.lacksState) refusals.set(lack.schema, error);
      else await context.emit({ type: 'warning', table: undefined, message: error.message });
    }
  }
  return refusals;
}

/** Without the privilege, increp skips the history and the load tables: they are no reason to fail every table. */
const canCreateTables = ({ access }: DestinationSchema): boolean =>
  access.exists ? access.canUse && access.canCreate : access.canCreateSchema;

async function create(client: pg.ClientBase, lack: Lack): Promise<void> {
  const { schema } = lack;
  // If two first runs start together, the second one waits for this lock and then finds the tables.
  await client.query(waitForLock(stateTable(schema)));
  if (lack.lacksSchema) await client.query(createSchema(schema));
  // Event triggers of users fire for these statements, so they run under the usual search_path.
  if (lack.lacksState) await client.query(asUsual(createStateTable(schema)));
  if (lack.lacksRuns) await client.query(asUsual(createRunsTable(schema)));
  if (lack.lacksConflicts) await ensure(client, hasConflictsTable(schema), createConflictsTable(schema));
  if (lack.lacksLoads) await ensure(client, haveLoadTables(schema), createLoadTables(schema));
}

/** Checks again: another run may have created the tables while this run waited, and may be using them for a load. */
async function ensure(client: pg.ClientBase, areThere: string, statements: string): Promise<void> {
  const { rows } = await client.query<{ areThere: boolean }>(areThere);
  if (rows[0]?.areThere !== true) await client.query(asUsual(statements));
}
