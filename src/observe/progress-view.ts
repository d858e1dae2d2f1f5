/** Computes the content of a live line after each event: pure. Times are milliseconds of a monotonic clock. */
import type { Action, Phase, RunEvent } from '../events.ts';

/** The number of bytes that had arrived at a given time. */
interface Mark {
  readonly at: number;
  readonly bytes: number;
}

export interface Copying {
  /** The earliest time at which bytes can have arrived. */
  readonly since: number;
  readonly bytes: number;
  /** An estimate. */
  readonly rows: number | undefined;
  /** Bytes that an earlier run had already copied. */
  readonly earlier: { readonly bytes: number; readonly chunks: number };
  readonly chunks: { readonly done: number; readonly of: number } | undefined;
  /** The last sample is the newest. The earlier samples show the recent rate. */
  readonly marks: readonly Mark[];
}

export interface View {
  /** Number of tables. */
  readonly total: number;
  readonly finished: number;
  /** Undefined before the first table, between two tables and after the last table. */
  readonly table: string | undefined;
  /** The estimate of the source's planner. Undefined if only a part of the table is read. */
  readonly estimatedRows: number | undefined;
  readonly phase: Phase | 'start' | 'retry' | 'end';
  readonly waitsFor: string | undefined;
  readonly since: number;
  /** Kept after the copy ends, so that later phases still show the amount. */
  readonly copying: Copying | undefined;
}

/** Undefined before the run, and after the run is reported. */
export type Seen = View | undefined;

const LOADS: ReadonlySet<Action> = new Set(['initial', 'reset', 'full-refresh']);
const MARK_EVERY_MS = 500;
const MARKS_REACH_MS = 10_000;

const BETWEEN = {
  table: undefined,
  estimatedRows: undefined,
  phase: 'start',
  waitsFor: undefined,
  copying: undefined,
} as const;

export function viewAfter(view: Seen, event: RunEvent, now: number): Seen {
  if (event.type === 'run-started')
    return { ...BETWEEN, total: event.tables.length, finished: 0, since: now };
  if (!view) return undefined;
  switch (event.type) {
    case 'table-planned': {
      const estimatedRows = LOADS.has(event.action) ? event.estimatedRows : undefined;
      return { ...view, ...BETWEEN, table: event.table, estimatedRows, since: now };
    }
    case 'phase-started':
      return inPhase(view, event, now);
    case 'rows-copied':
      return { ...view, copying: moreCopied(view.copying ?? startCopying(now, undefined), event, now) };
    case 'retrying':
      return { ...view, phase: 'retry', waitsFor: undefined, copying: undefined, since: now };
    case 'table-finished':
      return { ...view, ...BETWEEN, finished: view.finished + 1, since: now };
    case 'run-finished':
      return { ...view, ...BETWEEN, phase: 'end', since: now };
    case 'table-held':
    case 'warning':
      return view;
  }
}

function inPhase(view: View, event: Extract<RunEvent, { type: 'phase-started' }>, now: number): View {
  const { table, phase, waitsFor, chunks } = event;
  const isSame = view.table === table && view.phase === phase;
  const since = isSame ? view.since : now;
  if (phase !== 'copy') return { ...view, table, phase, waitsFor, since };
  const before = isSame && chunks && view.copying?.chunks ? view.copying : startCopying(now, chunks);
  return { ...view, table, phase, waitsFor, since, copying: { ...before, chunks } };
}

const startCopying = (now: number, chunks: Copying['chunks']): Copying => ({
  since: now,
  bytes: 0,
  rows: undefined,
  earlier: { bytes: 0, chunks: chunks?.done ?? 0 },
  chunks,
  marks: [{ at: now, bytes: 0 }],
});

function moreCopied(
  copying: Copying,
  { bytes, rows, earlier = 0 }: Extract<RunEvent, { type: 'rows-copied' }>,
  now: number,
): Copying {
  const isFirst = copying.bytes === 0;
  // The estimate can become smaller, but the displayed number of rows must not.
  const most = rows === undefined ? copying.rows : Math.max(rows, copying.rows ?? 0);
  return {
    ...copying,
    bytes,
    rows: most,
    earlier: { ...copying.earlier, bytes: earlier },
    marks: marksWith(isFirst ? [{ at: copying.since, bytes: earlier }] : copying.marks, { at: now, bytes }),
  };
}

/** Adds a sample and drops samples that are too old. One old sample stays, to measure the rate from. */
function marksWith(marks: readonly Mark[], latest: Mark): readonly Mark[] {
  const kept = marks.length > 1 && isTooClose(marks) ? marks.slice(0, -1) : marks;
  const reach = latest.at - MARKS_REACH_MS;
  const old = kept.findLastIndex(({ at }) => at <= reach);
  return [...kept.slice(Math.max(0, old)), latest];
}

function isTooClose(marks: readonly Mark[]): boolean {
  const [before, last] = marks.slice(-2);
  return before !== undefined && last !== undefined && last.at - before.at < MARK_EVERY_MS;
}
