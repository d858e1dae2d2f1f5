/** If a window cannot show all changes, compares the rows of both sides and fetches the rows that differ. */
import type pg from 'pg';
import * as z from 'zod';
import { ask } from '../../postgres/user-search-path.ts';
import { showsWriters } from '../../schema/relations.ts';
import type { Rewritten } from '../../reasons.ts';
import { isWrittenSince } from '../../sql/compare.ts';
import { deleteAll } from '../../sql/destination.ts';
import { bareItem, onRows } from '../../sql/row-source.ts';
import { compareSides } from './compare-sides.ts';
import { sidesOf } from './sides.ts';
import type { TableFacts } from '../facts/facts.ts';
import { mergeInto } from '../write/merge-into.ts';
import { dropOlderVersions, mergeOf, NO_COUNTS, type MergeCounts } from '../write/merge-staging.ts';
import type { IncrementalPlan } from '../plan/plan.ts';
import { isSameInstance } from '../../schema/state-record.ts';
import { instanceOf } from '../facts/server-instance.ts';
import type { RunContext } from '../context/run-context.ts';
import { applyDifferences } from './apply-differences.ts';
import { enterPhase } from '../context/phases.ts';

interface Comparing {
  readonly context: RunContext;
  /** With the destination table as it is now. */
  readonly facts: TableFacts;
  readonly plan: IncrementalPlan;
  /** A rewrite of the table that may have kept all values; undefined if values changed for certain. */
  readonly rewritten: Rewritten | undefined;
  /** Condition on the replication key, on both sides; undefined for all rows. */
  readonly recent: string | undefined;
  readonly source: pg.ClientBase;
  readonly destination: pg.ClientBase;
}

interface ComparedCounts extends MergeCounts {
  /** Rows of the source. Undefined if no comparison was needed. */
  readonly compared?: number;
}

/** Runs in the snapshot of the window that was just merged. It does not remove rows that are gone from the source. */
export async function compareMore(comparing: Comparing): Promise<ComparedCounts> {
  const { context, facts, plan, rewritten, recent, source, destination } = comparing;
  const hasOldRows = rewritten && (await holdsOldRows(comparing, rewritten));
  if (recent === undefined && hasOldRows) return NO_COUNTS;
  const isWhole = recent === undefined || (rewritten && !hasOldRows);
  const detail = isWhole ? 'every row compared' : 'the latest rows compared';
  await enterPhase(context, facts, 'copy', { detail });
  const relation = plan.source;
  await destination.query(deleteAll(facts.stagingName));
  const sides = sidesOf(facts, {
    relation,
    what: 'rows',
    where: isWhole ? 'true' : recent,
    isPending: 'false',
    destination: facts.destinationName,
  });
  const { sourceRows, differences } = await compareSides(
    { database: context.source, client: source, rows: sides.source },
    { client: destination, rows: sides.destination },
  );
  await applyDifferences({ context, facts, relation, source, destination }, differences, {
    extra: isWhole ? 'leave' : 'fetch',
  });
  await dropOlderVersions(destination, mergeOf(facts, relation), relation);
  const merging = { context, facts, relation, destination, share: 'few', isRemovalOver: true } as const;
  return { ...(await mergeInto(merging)), compared: sourceRows };
}

const foundRow = z.object({ hasOldRows: z.boolean() });

/**
 * VACUUM FULL and CLUSTER write the rows into a new file and keep the `xmin` of each row. ALTER TABLE writes all rows with
 * its own transaction ID. So one row from before the last sync proves that the values are the same.
 */
async function holdsOldRows({ facts, plan, source }: Comparing, rewritten: Rewritten): Promise<boolean> {
  const { since } = plan;
  if (rewritten.code !== 'file-rewritten' || !showsWriters(plan.source) || !('settledXid' in since))
    return false;
  const { settledXid, sourceLife } = since;
  if (settledXid === null || !isSameInstance(sourceLife, instanceOf(facts))) return false;
  const { rows } = await ask(
    source,
    onRows(
      facts.sourceRows,
      `SELECT EXISTS (SELECT FROM ${bareItem(facts.sourceRows)} WHERE NOT (${isWrittenSince(settledXid)})) AS "hasOldRows"`,
    ),
  );
  return foundRow.parse(rows[0]).hasOldRows;
}
