/** Metrics over the runs of a pipeline: counters that only rise, and the time of the last success. */
import * as z from 'zod';
import type { RunSummary, TableOutcome } from '../events.ts';
import { addConflicts } from '../conflicts.ts';
import { labelOf, outcomeWord } from '../format.ts';

const TALLY_FORMAT = 1;

const count = z.number().int().nonnegative();
/** RFC 3339, by this machine's clock. Null before the first time. */
const moment = z.iso.datetime().nullable();

const tableTallySchema = z.object({
  /** The label: with several destinations, the name of the destination is in front. */
  name: z.string(),
  rowsRead: count,
  rowsInserted: count,
  rowsUpdated: count,
  rowsUnchanged: count,
  rowsDeleted: count,
  /** Null if the table never recorded conflicts. */
  conflicts: z.object({ source: count, destination: count, merged: count }).nullable().default(null),
  bytes: count,
  /** Failed runs since the last success. */
  failures: count,
  lastSuccessAt: moment,
  /** When a run last found no changes, and so left the state as it was. */
  unchangedAt: moment.default(null),
  /** The duration of its last sync. Null before the first sync. */
  durationSeconds: z.number().nonnegative().nullable(),
});

/** A list and not an object, because a table may have the name `__proto__`. */
export const countersSchema = z.object({
  format: z.literal(TALLY_FORMAT),
  pipeline: z.string(),
  lastSuccessAt: moment,
  tables: z.array(tableTallySchema).readonly(),
  /** Errors of tables, and of runs that ended before the first table, by code. Empty in older files. */
  errors: z
    .array(z.object({ code: z.string(), count }))
    .readonly()
    .default([]),
});

export type TableCounters = Readonly<z.infer<typeof tableTallySchema>>;
export type Counters = Readonly<z.infer<typeof countersSchema>>;

export const newCounters = (pipeline: string): Counters => ({
  format: TALLY_FORMAT,
  pipeline,
  lastSuccessAt: null,
  tables: [],
  errors: [],
});

export const newTableCounters = (name: string): TableCounters => ({
  name,
  rowsRead: 0,
  rowsInserted: 0,
  rowsUpdated: 0,
  rowsUnchanged: 0,
  rowsDeleted: 0,
  conflicts: null,
  bytes: 0,
  failures: 0,
  lastSuccessAt: null,
  unchangedAt: null,
  durationSeconds: null,
});

export interface CountedRun {
  readonly summary: RunSummary;
  /** The labels of all configured tables. Counters of other tables are discarded. */
  readonly configured: readonly string[];
  /** The labels of the tables that the run was asked to sync. */
  readonly asked: readonly string[];
}

/** Adds a run to the counters. */
export function withRun(counters: Counters, { summary, configured, asked }: CountedRun): Counters {
  const outcomes = new Map(summary.tables.map((outcome) => [labelOf(outcome), outcome]));
  const isFailed = summary.error !== undefined && summary.error.code !== 'INTERRUPTED';
  const unreached = new Set(isFailed ? asked.filter((name) => !outcomes.has(name)) : []);
  const before = new Map(counters.tables.map((table) => [table.name, table]));
  return {
    ...counters,
    errors: withErrors(counters.errors, summary),
    lastSuccessAt: summary.status === 'ok' ? summary.finishedAt.toISOString() : counters.lastSuccessAt,
    tables: configured.map((name) => {
      const table = before.get(name) ?? newTableCounters(name);
      return unreached.has(name)
        ? { ...table, failures: table.failures + 1 }
        : tableWithRun(table, outcomes.get(name));
    }),
  };
}

/** The error of a run counts only if no table has it. A signal is no error. */
function withErrors(before: Counters['errors'], { tables, error }: RunSummary): Counters['errors'] {
  const ofTables = tables.flatMap((table) => table.error?.code ?? []);
  const codes = [...ofTables, ...(error && !ofTables.includes(error.code) ? [error.code] : [])];
  const counts = new Map(before.map(({ code, count: so }) => [code, so]));
  for (const code of codes.filter((each) => each !== 'INTERRUPTED'))
    counts.set(code, (counts.get(code) ?? 0) + 1);
  return [...counts]
    .map(([code, sum]) => ({ code, count: sum }))
    .toSorted((a, b) => (a.code < b.code ? -1 : 1));
}

/** A table that another run has locked has not failed: the other run counts it. For a table that a signal interrupted, only
 * its rows count. */
function tableWithRun(counters: TableCounters, outcome: TableOutcome | undefined): TableCounters {
  if (!outcome || !['ok', 'failed', 'interrupted'].includes(outcomeWord(outcome))) return counters;
  const isDone = outcome.status === 'ok';
  const endedAt = new Date(outcome.startedAt.getTime() + outcome.durationSeconds * 1000);
  return {
    name: counters.name,
    rowsRead: counters.rowsRead + outcome.rowsRead,
    rowsInserted: counters.rowsInserted + outcome.rowsInserted,
    rowsUpdated: counters.rowsUpdated + outcome.rowsUpdated,
    rowsUnchanged: counters.rowsUnchanged + outcome.rowsUnchanged,
    rowsDeleted: counters.rowsDeleted + outcome.rowsDeleted,
    conflicts: addConflicts(counters.conflicts ?? undefined, outcome.conflicts) ?? null,
    bytes: counters.bytes + outcome.bytes,
    failures: isDone ? 0 : counters.failures + (outcomeWord(outcome) === 'failed' ? 1 : 0),
    lastSuccessAt: isDone ? endedAt.toISOString() : counters.lastSuccessAt,
    unchangedAt: outcome.isQuiet ? outcome.startedAt.toISOString() : counters.unchangedAt,
    // A duration of 0 means that the run did not start the table.
    durationSeconds: outcome.durationSeconds || counters.durationSeconds,
  };
}
