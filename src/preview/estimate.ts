/** Estimates how much a sync would read: the largest key at the source, and the rows of each window. */
import type pg from 'pg';
import * as z from 'zod';
import type { KeyType } from '../schema/keys.ts';
import { done, type Attempted } from '../errors.ts';
import type { Database } from '../postgres/database.ts';
import { windowStart } from '../schema/fence-rules.ts';
import type { Relation } from '../schema/relations.ts';
import { countSmallWindow, countWindow, explainWindow } from '../sql/estimate.ts';
import { highWaterMark } from '../sql/fence.ts';
import type { Statement } from '../sql/search-path.ts';
import type { Window } from '../sql/window.ts';
import type { TableFacts } from '../sync/facts/facts.ts';
import { markedRows, readMark } from '../sync/fence/fence.ts';
import { legacyStart } from '../sync/fence/legacy-cursor.ts';
import type { IncrementalPlan, KeyedLoadPlan, Plan } from '../sync/plan/plan.ts';
import { knownBefore } from '../sync/fence/next-state.ts';
import { MOST_COUNTED } from '../sync/fence/waiting-rows.ts';
import { nullKeyQuestion, nullKeyText } from '../sync/write/null-keys.ts';
import { isInIndex } from '../sync/fence/window-choice.ts';

export interface Estimate {
  /** The largest plausible key now; null if there is none. */
  readonly high: string | null;
  /**
   * Rows and bytes of the window of an incremental sync, or of a load that is not of a whole table; otherwise
   * undefined.
   */
  readonly window: Volume | undefined;
  /** The rows and bytes that changed since an interrupted load began; otherwise undefined. */
  readonly changes: Volume | undefined;
  /** A warning of rows without a replication key, which an incremental sync does not read. */
  readonly nullKeys: readonly string[];
}

export interface Volume {
  /** Undefined before the first ANALYZE. */
  readonly rows: number | undefined;
  /** Rows times the row width that the planner estimates. */
  readonly bytes: number;
  /** The table has more rows than were counted. */
  readonly isMore?: boolean;
}

interface EstimateInput {
  readonly table: TableFacts;
  readonly plan: Plan;
  /** Whether nothing has asked for rows without a replication key. */
  readonly asksNullKeys: boolean;
}

interface EstimatedRead {
  readonly table: TableFacts;
  readonly plan: IncrementalPlan | KeyedLoadPlan;
  readonly window: Window;
}

const planRow = z.object({
  'QUERY PLAN': z.tuple([
    z.object({ Plan: z.object({ 'Plan Rows': z.number(), 'Plan Width': z.number() }) }),
  ]),
});

const countRow = z.object({ rows: z.number().nullable() });

/** Sends one message for all readable tables. An error says why the source does not answer for a table. */
export async function estimateReading(
  source: Database,
  planned: readonly EstimateInput[],
): Promise<ReadonlyMap<TableFacts, Attempted<Estimate>>> {
  const { timeZone } = await source.identity();
  // A table that is read in groups of partitions has no estimate, because one statement cannot plan it.
  const readable = planned.flatMap(({ plan, ...each }) =>
    'keyType' in plan && !each.table.sourceRows.inGroups ? [{ ...each, plan }] : [],
  );
  const windows = readable.flatMap(({ table, plan }): EstimatedRead[] => {
    if (plan.kind === 'incremental') return [{ table, plan, window: widest(table, plan) }];
    const { where, query } = table.settings.selection;
    return where === null && query === null ? [] : [{ table, plan, window: everything(plan) }];
  });
  const countable = windows.filter(isCountable);
  const changes = readable.flatMap(({ table, plan }): EstimatedRead[] =>
    plan.kind === 'load' ? sinceLoad(table, plan).map((window) => ({ table, plan, window })) : [],
  );
  const countableChanges = changes.filter(isCountable);
  const nulls = readable.flatMap(({ table, plan, asksNullKeys }) =>
    plan.kind === 'incremental' && asksNullKeys
      ? nullKeyQuestion(table.sourceRows, table.settings, plan.source).map((question) => ({
          table,
          question,
        }))
      : [],
  );
  const answers = await source.batches.each([
    ...readable.map(({ table, plan }) => ({
      statement: highWaterMark(markedRows(table, plan), timeZone),
      subject: table,
    })),
    ...windows.map(about(explain)),
    ...countable.map(about(count)),
    ...nulls.map(({ table, question }) => ({ statement: question, subject: table })),
    ...changes.map(about(explain)),
    ...countableChanges.map(about(count)),
  ]);
  const left = answers.values();
  const answersTo = (asked: readonly { readonly table: TableFacts }[]) =>
    new Map(asked.map(({ table }) => [table, left.next().value]));
  const marks = answersTo(readable);
  const explained = answersTo(windows);
  const counts = answersTo(countable);
  const nullCounts = answersTo(nulls);
  const explainedChanges = answersTo(changes);
  const changeCounts = answersTo(countableChanges);
  return new Map(
    readable.map(({ table, plan: { keyType } }) => [
      table,
      estimateOf(table, keyType, {
        mark: marks.get(table),
        explained: explained.get(table),
        counted: counts.get(table),
        nulls: nullCounts.get(table),
        explainedChanges: explainedChanges.get(table),
        changes: changeCounts.get(table),
      }),
    ]),
  );
}

/** Bytes. The rows of such a table are counted even without an index. */
const SMALL = 1_000_000;

/** Without rows of another server, and with all rows in the storage of the table and its partitions. */
const hasKnownSize = ({ kind, hasChildren, hasForeignRows }: Relation): boolean =>
  !hasForeignRows && (kind === 'partitioned table' || (kind === 'table' && !hasChildren));

const isCountable = ({ plan: { source }, window }: EstimatedRead) =>
  isInIndex(source, window) || hasKnownSize(source);

const about =
  (statementOf: (read: EstimatedRead) => Statement) =>
  (read: EstimatedRead): { readonly statement: Statement; readonly subject: object } => ({
    statement: statementOf(read),
    subject: read.table,
  });

const explain = ({ table, plan, window }: EstimatedRead) =>
  explainWindow(table.sourceRows, plan.source.columns, window);

const count = ({ table: { sourceRows }, plan: { source }, window }: EstimatedRead) =>
  isInIndex(source, window)
    ? countWindow(sourceRows, window, MOST_COUNTED)
    : countSmallWindow(sourceRows, window, { oid: source.oid, bytes: SMALL, limit: MOST_COUNTED });

type QueryAnswer = Attempted<pg.QueryResult> | undefined;

/** An estimate that was not requested is undefined. */
function estimateOf(
  { settings }: TableFacts,
  keyType: KeyType,
  answers: Readonly<
    Record<'mark' | 'explained' | 'counted' | 'nulls' | 'explainedChanges' | 'changes', QueryAnswer>
  >,
): Attempted<Estimate> {
  const failure = Object.values(answers).find((answer) => answer?.kind === 'failed');
  if (failure) return failure;
  const rowOf = (answer: QueryAnswer): unknown =>
    answer?.kind === 'done' ? answer.value.rows[0] : undefined;
  const { mark, explained, counted, nulls, explainedChanges, changes } = answers;
  const volumeIn = (plan: QueryAnswer, rows: QueryAnswer) =>
    plan && volumeOf(rowOf(plan), rows && (countRow.parse(rowOf(rows)).rows ?? undefined));
  return done({
    high: readMark(keyType, rowOf(mark)).high,
    window: volumeIn(explained, counted),
    changes: volumeIn(explainedChanges, changes),
    nullKeys: nullKeyText(settings, rowOf(nulls)),
  });
}

/** The largest possible window: as if every transaction that an earlier sync left open had ended. */
const widest = (facts: TableFacts, plan: IncrementalPlan): Window => ({
  replicationKey: plan.replicationKey,
  keyType: plan.keyType,
  from:
    'legacyCursor' in plan.since
      ? legacyStart(plan.since.legacyCursor, plan.keyType)
      : windowStart(knownBefore(facts, plan), []),
  lookbackSeconds: facts.settings.lookbackSeconds,
  nullKeys: facts.settings.nullKeys,
});

/** The window that a load in chunks reads after its last chunk. */
function sinceLoad(facts: TableFacts, plan: KeyedLoadPlan): Window[] {
  if (plan.chunking.kind !== 'chunks' || !plan.chunking.resumed) return [];
  const { record } = plan.chunking.resumed.header;
  const since: TableFacts = { ...facts, saved: { kind: 'record', record, warnings: [] } };
  const from = windowStart(knownBefore(since, plan), []) ?? record.cursor;
  const { lookbackSeconds, nullKeys } = facts.settings;
  return [{ ...everything(plan), from, lookbackSeconds, nullKeys }];
}

const everything = ({ replicationKey, keyType }: KeyedLoadPlan): Window => ({
  replicationKey,
  keyType,
  from: null,
  lookbackSeconds: 0,
  nullKeys: 'include',
});

function volumeOf(row: unknown, counted: number | undefined): Volume {
  const [{ Plan: plan }] = planRow.parse(row)['QUERY PLAN'];
  const believed = plan['Plan Rows'];
  // The planner knows little about rows after the last ANALYZE, so some are counted.
  const isMore = counted === MOST_COUNTED;
  const rows = isMore ? Math.max(counted, believed) : (counted ?? believed);
  return { rows, bytes: rows * plan['Plan Width'], isMore: isMore && believed <= counted };
}
