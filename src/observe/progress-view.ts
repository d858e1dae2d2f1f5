/** What the live line tells, after each event: pure. Times are milliseconds of a clock that never goes back. */
import type { Action, Phase, RunEvent } from '../events.ts';

/** How much had come at a moment. */
interface Mark {
  readonly at: number;
  readonly bytes: number;
}

export interface Copying {
  /** When the first bytes can have begun to flow. */
  readonly since: number;
  readonly bytes: number;
  /** About. */
  readonly rows: number | undefined;
  /** What was there when this run began. */
  readonly earlier: { readonly bytes: number; readonly chunks: number };
  readonly chunks: { readonly done: number; readonly of: number } | undefined;
  /** The last one is the latest news; the others tell how fast it has been of late. */
  readonly marks: readonly Mark[];
}

export interface View {
  /** Tables. */
  readonly total: number;
  readonly finished: number;
  /** Undefined: before the first, between two, or after the last. */
  readonly table: string | undefined;
  /** As the source's planner believes; undefined where only a part of the table is read. */
  readonly estimatedRows: number | undefined;
  readonly phase: Phase | 'start' | 'retry' | 'end';
  readonly waitsFor: string | undefined;
  readonly since: number;
  /** Outlives the copy itself, so that the phases after it still say how much there was. */
  readonly copying: Copying | undefined;
}

/** Undefined before the run and when it has been told to the end. */
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
  // What is only about right may be corrected, but nobody wants to see rows go away.
  const most = rows === undefined ? copying.rows : Math.max(rows, copying.rows ?? 0);
  return {
    ...copying,
    bytes,
    rows: most,
    earlier: { ...copying.earlier, bytes: earlier },
    marks: marksWith(isFirst ? [{ at: copying.since, bytes: earlier }] : copying.marks, { at: now, bytes }),
  };
}

/** One more, and without those that are too old to tell anything, but for one that reaches back. */
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
