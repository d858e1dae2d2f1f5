/** Reads what `check` says about replication keys, and whether the source lets each table be read. */
import * as z from 'zod';
import type { IncrepError } from '../errors.ts';
import type { Database } from '../postgres/database.ts';
import { readQueryCost, type QueryCost } from '../postgres/query-plan.ts';
import type { KeyType } from '../schema/keys.ts';
import { explainWindow, readNothing } from '../sql/estimate.ts';
import { highWaterMark } from '../sql/fence.ts';
import { inspectKeys } from '../sql/inspect.ts';
import { describeSequences, keyOrigin } from '../sql/key-origin.ts';
import type { Statement } from '../sql/search-path.ts';
import { hasRows, type Window } from '../sql/window.ts';
import type { TableFacts } from '../sync/facts/facts.ts';
import { markedRows, originRow, OWN_WRITES, readMark, type KeyOrigin } from '../sync/fence/fence.ts';
import type { KeyedPlan, Plan } from '../sync/plan/plan.ts';

const countsRow = z.object({ nullKeys: z.number(), futureKeys: z.number() });
const sequencesRow = z.object({
  /** The sequence of an integer key that hands out numbers in advance to sessions. */
  cachedSequence: z.string().nullable(),
  /** A sequence that leaves the numbers in between to an application. */
  pool: z.object({ name: z.string(), increment: z.string() }).nullable(),
  /** A sequence whose last value the role of increp may not read. */
  unreadableSequence: z.string().nullable(),
  /** Whether a sequence sets the key. */
  hasSequence: z.boolean(),
});
const topRow = z.object({ top: z.string().nullable() });

export interface KeyInspection extends z.infer<typeof countsRow>, z.infer<typeof sequencesRow> {
  /** The largest value of an integer key, if it is above the high-water mark. */
  readonly farAhead: { readonly top: string; readonly high: string | null } | undefined;
  readonly isUncertain: boolean;
  readonly origin: KeyOrigin;
}

export const NO_SEQUENCES = {
  cachedSequence: null,
  pool: null,
  unreadableSequence: null,
  hasSequence: false,
};

/** Rows are counted up to this number, which is enough to say "many". */
export const MANY = 1000;
export interface Inspected {
  readonly keys: ReadonlyMap<TableFacts, KeyInspection>;
  /** For queries. */
  readonly costs: ReadonlyMap<TableFacts, QueryCost>;
  /** Why the source refuses to read a table although its catalog allows it. */
  readonly unreadable: ReadonlyMap<TableFacts, IncrepError>;
}

/** One message for all tables, unless one of them is refused. */
export async function inspectKeysOf(
  source: Database,
  plans: ReadonlyMap<TableFacts, Plan>,
): Promise<Inspected> {
  const { timeZone } = await source.identity();
  // A table that is read in groups of partitions is not inspected, because one statement cannot read it.
  const workable = [...plans].flatMap(([table, plan]) =>
    'source' in plan && !table.sourceRows.inGroups ? [{ table, plan }] : [],
  );
  const keyed = workable.flatMap(({ table, plan }) => ('keyType' in plan ? [{ table, plan }] : []));
  const queries = keyed.filter(({ plan }) => plan.source.kind === 'query');
  const now = new Date().toISOString();
  const questions: Question[] = [
    ...workable.map(({ table, plan }) => ({
      table,
      about: 'reading' as const,
      statement: readNothing(table.sourceRows, plan.source.columns),
    })),
    ...keyed.flatMap(({ table, plan }) => keyQuestions(table, plan, timeZone)),
    ...queries.map(({ table, plan }) => ({
      table,
      about: 'cost' as const,
      statement: explainWindow(table.sourceRows, plan.source.columns, nextWindow(table, plan, now)),
    })),
    ...keyed.map(({ table }) => ({
      table,
      about: 'rows' as const,
      statement: hasRows(table.sourceRows),
    })),
  ];
  const answers = await source.batches.each(
    questions.map(({ table, statement }) => ({ statement, subject: table })),
  );
  const answersTo = (wanted: Question['about']) =>
    new Map(
      questions.flatMap(({ table, about }, index) => {
        const answer = answers[index];
        return about === wanted && answer?.kind === 'done' ? [[table, answer.value.rows[0] as unknown]] : [];
      }),
    );
  const counts = answersTo('counts');
  const [marks, origins, sequences] = [answersTo('mark'), answersTo('origin'), answersTo('sequences')];
  return {
    keys: new Map(
      keyed.flatMap(({ table, plan }) =>
        counts.has(table) && marks.has(table)
          ? [
              [
                table,
                inspectionOf(plan.keyType, [
                  counts.get(table),
                  marks.get(table),
                  origins.get(table),
                  sequences.get(table),
                ]),
              ],
            ]
          : [],
      ),
    ),
    costs: new Map([...answersTo('cost')].map(([table, row]) => [table, readQueryCost(row)])),
    unreadable: new Map(
      questions.flatMap(({ table }, index) => {
        const answer = answers[index];
        return answer?.kind === 'failed' ? [[table, answer.error]] : [];
      }),
    ),
  };
}

interface Question {
  readonly table: TableFacts;
  readonly about: 'reading' | 'counts' | 'mark' | 'origin' | 'sequences' | 'cost' | 'rows';
  readonly statement: Statement;
}

function keyQuestions(table: TableFacts, plan: KeyedPlan, timeZone: string): Question[] {
  const marked = markedRows(table, plan);
  const { table: name, keyColumn, keyType } = marked;
  return [
    { table, about: 'counts', statement: inspectKeys(marked, { timeZone, limit: MANY }) },
    { table, about: 'mark', statement: highWaterMark(marked, timeZone) },
    ...(name ? [{ table, about: 'origin' as const, statement: keyOrigin({ ...marked, table: name }) }] : []),
    ...(name && keyType === 'integer'
      ? [{ table, about: 'sequences' as const, statement: describeSequences(name, keyColumn) }]
      : []),
  ];
}

function inspectionOf(
  keyType: KeyType,
  [counts, mark, origin, sequences]: readonly unknown[],
): KeyInspection {
  const { high, isUncertain } = readMark(keyType, mark);
  const top = keyType === 'integer' ? topRow.parse(mark).top : high;
  return {
    ...countsRow.parse(counts),
    ...(sequences === undefined ? NO_SEQUENCES : sequencesRow.parse(sequences)),
    farAhead: top === null || top === high ? undefined : { top, high },
    isUncertain,
    origin: origin === undefined ? OWN_WRITES : originRow.parse(origin),
  };
}

/** The window of a sync that would run now. */
const nextWindow = (
  { saved, settings }: TableFacts,
  { replicationKey, keyType }: KeyedPlan,
  now: string,
): Window => ({
  replicationKey,
  keyType,
  from: (saved.kind === 'record' ? saved.record.cursor : null) ?? (keyType === 'integer' ? null : now),
  lookbackSeconds: settings.lookbackSeconds,
  nullKeys: settings.nullKeys,
});
