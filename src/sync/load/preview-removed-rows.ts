/** Counts, for `plan` and `check`, the rows that a load would remove. Writes nothing. */
import type pg from 'pg';
import * as z from 'zod';
import { IncrepError } from '../../errors.ts';
import { ask } from '../../postgres/user-search-path.ts';
import type { Relation } from '../../schema/relations.ts';
import { countWhere } from '../../sql/unchanged-check.ts';
import { limitStatements } from '../../sql/session.ts';
import { compareSides, type ComparedSource } from '../compare/compare-sides.ts';
import { sidesOf } from '../compare/sides.ts';
import type { TableFacts } from '../facts/facts.ts';
import { countLive, hasComparableKey, inWords, type GoneRows } from './removed-rows.ts';
import { keepsRest } from '../plan/reload-guard.ts';
import type { LoadPlan, Plan } from '../plan/plan.ts';
import type { RunContext } from '../context/run-context.ts';

/**
 * `estimate`: taken from the estimates of the query planners, because counting would take too long. `at least`: the
 * difference of the numbers of rows, because rows cannot be compared by key.
 */
export type RemovedRowsPreview = GoneRows & { readonly precision: 'exact' | 'at least' | 'estimate' };

const WORDS = { exact: '', 'at least': 'at least ', estimate: 'about ' } as const;

/** With the precision: `about 9 of 10 rows`. */
export const previewInWords = (gone: RemovedRowsPreview): string =>
  `${WORDS[gone.precision]}${inWords(gone)}`;

/** Bytes. A larger table in mode full-refresh is not counted, because `plan` would read it at each call. */
const COUNTED_BYTES = 100_000_000;

type Counting = Pick<RunContext, 'source' | 'destination' | 'timing'>;

/** By table. Tables without a load, and tables that cannot lose rows, are left out. */
export async function previewRemovedRows(
  work: Counting,
  plans: Iterable<readonly [TableFacts, Plan]>,
): Promise<ReadonlyMap<TableFacts, RemovedRowsPreview>> {
  const found = new Map<TableFacts, RemovedRowsPreview>();
  for (const [table, plan] of plans) {
    const gone = plan.kind === 'load' ? await previewTable(work, table, plan) : undefined;
    if (gone) found.set(table, gone);
  }
  return found;
}

async function previewTable(
  work: Counting,
  table: TableFacts,
  { source, adoption }: LoadPlan,
): Promise<RemovedRowsPreview | undefined> {
  const { settings, destination, destinationHasRows, unclaimed } = table;
  const isReplaced = unclaimed !== undefined && adoption !== 'compare';
  if (!destination || !destinationHasRows || isReplaced || keepsRest(settings)) return undefined;
  const isLarge = settings.mode === 'full-refresh' && source.bytes > COUNTED_BYTES;
  if (isLarge || table.sourceRows.inGroups) return estimated(source, destination);
  try {
    return await countGone(work, table, source);
  } catch (error) {
    // An estimate is enough here. The sync itself reports why a table cannot be read.
    if (!(error instanceof IncrepError) || error.code === 'INTERRUPTED') throw error;
    return estimated(source, destination);
  }
}

/** Two equal tables may have estimates that differ by this share. */
const ESTIMATE_ERROR = 0.1;

function estimated(source: Relation, destination: Relation): RemovedRowsPreview | undefined {
  const [there, here] = [source.estimatedRows, destination.estimatedRows];
  if (there === undefined || here === undefined || here - there <= ESTIMATE_ERROR * here) return undefined;
  return { gone: Math.max(0, here - there), of: here, left: there, precision: 'estimate' };
}

const countRow = z.object({ rows: z.number() });

function countGone(
  { source, destination, timing }: Counting,
  table: TableFacts,
  relation: Relation,
): Promise<RemovedRowsPreview> {
  const limit = [limitStatements(timing.planCountTimeout)];
  return destination.withSnapshot(limit, (there) =>
    source.withSnapshot(limit, async (here) => {
      if (table.settings.mode !== 'full-refresh' && hasComparableKey(table, relation))
        return compareKeys(table, relation, { database: source, client: here }, there);
      const { rows } = countRow.parse((await ask(here, countWhere(table.sourceRows, 'true'))).rows[0]);
      const of = await countLive(there, table);
      return { gone: Math.max(0, of - rows), of, left: rows, precision: 'at least' };
    }),
  );
}

async function compareKeys(
  table: TableFacts,
  relation: Relation,
  source: Omit<ComparedSource, 'rows'>,
  destination: pg.ClientBase,
): Promise<RemovedRowsPreview> {
  const sides = sidesOf(table, {
    relation,
    what: 'keys',
    where: 'true',
    isPending: 'false',
    destination: table.destinationName,
  });
  const { sourceRows, destinationRows, differences } = await compareSides(
    { ...source, rows: sides.source },
    { client: destination, rows: sides.destination },
  );
  let gone = 0;
  for await (const { kind } of differences) if (kind === 'extra') gone += 1;
  return { gone, of: destinationRows, left: sourceRows, precision: 'exact' };
}
