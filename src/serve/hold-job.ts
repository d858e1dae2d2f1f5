/** While a worker does a job: signs of life to the queue, and progress to the page. */
import { IncrepError } from '../errors.ts';
import type { Listener, Phase } from '../events.ts';
import type { ControlDatabase } from '../postgres/control-database.ts';
import { IS_CANCELLED, REPORT_PROGRESS } from '../sql/control/claims.ts';
import type { Timing } from '../timing.ts';
import type { ClaimedJob } from './claim.ts';
import { keepDoing } from './keep-doing.ts';
import type { Queue } from './queue.ts';
import { RunLog } from './run-log.ts';

export interface HeldClaim extends AsyncDisposable {
  /** Aborts if the job is lost, or if the worker must stop. */
  readonly signal: AbortSignal;
  readonly listener: Listener;
  readonly progress: Progress;
  readonly log: RunLog;
  /** Whether another worker may have the job by now. */
  readonly isLost: boolean;
  /** Whether nobody waits for the result any more. */
  readonly isCancelled: boolean;
}

interface HoldOptions {
  readonly control: ControlDatabase;
  readonly queue: Queue;
  readonly timing: Timing['serve'];
  /** Aborts when the time to finish is over. */
  readonly stop: AbortSignal;
  readonly onError: (error: unknown) => void;
}

/** Of the table of the job. */
export interface Progress {
  /** In the order of their begin, which is in seconds since the worker took the job. */
  readonly phases: readonly PhaseBegin[];
  /** Seconds since the worker took the job. */
  readonly seconds: number;
  readonly bytes: number;
  readonly rows: number | null;
  /** The estimate of the source. */
  readonly estimatedRows: number | null;
  readonly action: string | null;
  readonly waitsFor: string | null;
  readonly chunks: { readonly done: number; readonly of: number } | null;
}

interface PhaseBegin {
  readonly phase: Phase;
  readonly at: number;
  readonly destination?: string;
}

const NO_PROGRESS: Progress = {
  ...{ phases: [], seconds: 0, bytes: 0, rows: null, estimatedRows: null, action: null, waitsFor: null },
  chunks: null,
};

/** The phases of a table with many chunks would fill pages. */
const MOST_PHASES = 200;

export function holdJob(
  claim: ClaimedJob,
  { control, queue, timing, stop, onError }: HoldOptions,
): HeldClaim {
  const [lost, cancelled] = [new AbortController(), new AbortController()];
  const ended = new AbortController();
  const log = new RunLog(claim);
  const startedAt = performance.now();
  const elapsed = () => Math.round(performance.now() - startedAt) / 1000;
  let progress = NO_PROGRESS;
  let isReported = true;
  const lose = () =>
    lost.abort(
      new IncrepError('INTERRUPTED', {
        what: 'the queue has given the table to another worker',
        next: 'Unfinished work was rolled back. Another worker syncs the table.',
      }),
    );
  const report = async () => {
    const { rowCount } = await control.query(IS_CANCELLED, [claim.attempt]);
    if (rowCount === 1) cancelled.abort(CANCELLED());
    await log.flush(control);
    if (isReported) return;
    isReported = true;
    await control.query(REPORT_PROGRESS, [
      ...[claim.attempt, progress.phases.at(-1)?.phase ?? null],
      { ...progress, seconds: elapsed() },
    ]);
  };
  const beat = async () => {
    // Only an answer counts. If the control database is away, it is away for other workers too, and the locks of the
    // destination let only one sync of a table commit.
    if (!(await queue.touch(claim.job))) lose();
  };
  const beating = keepDoing({ everySeconds: timing.beat, signal: ended.signal, work: beat, onError });
  const reporting = keepDoing({
    everySeconds: timing.claimPoll,
    signal: ended.signal,
    work: report,
    onError,
  });
  return {
    log,
    signal: AbortSignal.any([lost.signal, cancelled.signal, stop]),
    get isLost() {
      return lost.signal.aborted;
    },
    get progress() {
      return { ...progress, seconds: elapsed() };
    },
    get isCancelled() {
      return cancelled.signal.aborted;
    },
    listener: (event) => {
      // The job may sync other tables too.
      if (claim.kind === 'table' && 'table' in event && event.table !== claim.table) return;
      const after = progressAfter(progress, event, elapsed());
      isReported &&= after === progress;
      progress = after;
    },
    [Symbol.asyncDispose]: async () => {
      ended.abort();
      await Promise.all([beating, reporting]);
      await log.flush(control).catch(onError);
    },
  };
}

const CANCELLED = () =>
  new IncrepError('INTERRUPTED', {
    what: 'the run was cancelled',
    next: 'Unfinished work was rolled back. Start another run to continue.',
  });

function progressAfter(before: Progress, event: Parameters<Listener>[0], at: number): Progress {
  switch (event.type) {
    case 'table-planned':
      return { ...before, action: event.action, estimatedRows: event.estimatedRows ?? null };
    case 'phase-started': {
      const { phase, destination, waitsFor = null, chunks = null } = event;
      const begin = { phase, at, ...(destination !== undefined && { destination }) };
      const last = before.phases.at(-1);
      const isSame = last?.phase === phase && last.destination === destination;
      const isFull = before.phases.length >= MOST_PHASES;
      const phases = isSame || isFull ? before.phases : [...before.phases, begin];
      return { ...before, phases, waitsFor, chunks: chunks ?? before.chunks };
    }
    case 'rows-copied':
      return { ...before, bytes: event.bytes, rows: event.rows ?? null };
    default:
      return before;
  }
}
