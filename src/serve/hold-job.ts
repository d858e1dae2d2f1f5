/** While a worker does a job: signs of life to the queue, and progress to the page. */
import { IncrepError } from '../errors.ts';
import type { Listener, Phase } from '../events.ts';
import type { ControlDatabase } from '../postgres/control-database.ts';
import { REPORT_PROGRESS } from '../sql/control/claims.ts';
import type { Timing } from '../timing.ts';
import type { ClaimedJob } from './claim.ts';
import { keepDoing } from './keep-doing.ts';
import type { Queue } from './queue.ts';

export interface HeldClaim extends AsyncDisposable {
  /** Aborts if the job is lost, or if the worker must stop. */
  readonly signal: AbortSignal;
  readonly listener: Listener;
  /** Whether another worker may have the job by now. */
  readonly isLost: boolean;
}

interface HoldOptions {
  readonly control: ControlDatabase;
  readonly queue: Queue;
  readonly timing: Timing['serve'];
  /** Aborts when the time to finish is over. */
  readonly stop: AbortSignal;
  readonly onError: (error: unknown) => void;
}

interface Progress {
  phase: Phase | null;
  bytes: number;
  rows: number | null;
  readonly action: string | null;
  waitsFor: string | null;
}

export function holdJob(
  claim: ClaimedJob,
  { control, queue, timing, stop, onError }: HoldOptions,
): HeldClaim {
  const lost = new AbortController();
  const ended = new AbortController();
  let progress: Progress = { phase: null, bytes: 0, rows: null, action: null, waitsFor: null };
  let isReported = true;
  const lose = () =>
    lost.abort(
      new IncrepError('INTERRUPTED', {
        what: 'the queue has given the table to another worker',
        next: 'Unfinished work was rolled back. Another worker syncs the table.',
      }),
    );
  const report = async () => {
    if (isReported) return;
    isReported = true;
    const { phase, ...rest } = progress;
    await control.query(REPORT_PROGRESS, [claim.attempt, phase, rest]);
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
    signal: AbortSignal.any([lost.signal, stop]),
    get isLost() {
      return lost.signal.aborted;
    },
    listener: (event) => {
      const after = progressAfter(progress, event);
      isReported &&= after === progress;
      progress = after;
    },
    [Symbol.asyncDispose]: async () => {
      ended.abort();
      await Promise.all([beating, reporting]);
    },
  };
}

function progressAfter(before: Progress, event: Parameters<Listener>[0]): Progress {
  switch (event.type) {
    case 'table-planned':
      return { ...before, action: event.action };
    case 'phase-started':
      return { ...before, phase: event.phase, waitsFor: event.waitsFor ?? null };
    case 'rows-copied':
      return { ...before, bytes: event.bytes, rows: event.rows ?? null };
    default:
      return before;
  }
}
