/**
 * One live line on the terminal's stderr: which table, what is being done, how fast. Everything else that is
 * printed there calls `clear()` first; the line comes back by itself while there is something to tell.
 */
import type { Listener, Phase, RunEvent } from '../events.ts';
import { formatBytes, formatCount } from '../format.ts';
import type { Verbosity } from './log.ts';
import { printableLine, truncate } from './text.ts';

const INTERVAL_MS = 200;
const ERASE = '\r\u001b[K';
/** Cells, where the terminal does not say. */
const USUAL_WIDTH = 80;

const PHASE_WORDS = {
  lock: 'waiting for the lock',
  fence: 'waiting for open transactions',
  snapshot: 'opening a snapshot',
  copy: 'copying',
  index: 'building indexes',
  merge: 'merging',
  deletes: 'looking for deleted rows',
  swap: 'swapping in',
  commit: 'committing',
  keep: 'saving the cursor',
} as const satisfies Record<Phase, string>;

interface Terminal {
  write(text: string): unknown;
  readonly columns?: number | undefined;
}

export interface Surroundings {
  /** Whether stderr is a terminal that can move its cursor. */
  readonly isTerminal: boolean;
  /** False with NO_COLOR and in CI. */
  readonly allowsMovement: boolean;
  readonly isJson: boolean;
  readonly verbosity: Verbosity;
}

/** The same answer decides about the log: with a progress line it only speaks up from `warn` on. */
export function hasProgress({ isTerminal, allowsMovement, isJson, verbosity }: Surroundings): boolean {
  return isTerminal && allowsMovement && !isJson && verbosity === 'normal';
}

export interface Progress {
  readonly listener: Listener;
  /** Erases the line, so that something else can be printed there. */
  readonly clear: () => void;
  /** Erases the line for good. */
  readonly stop: () => void;
}

/** What the line tells. */
interface View {
  readonly total: number;
  readonly finished: number;
  readonly table: string | undefined;
  readonly phase: Phase | undefined;
  /** Which part of a copy. */
  readonly part: string | undefined;
  readonly bytes: number;
  /** Bytes that were there before. */
  readonly earlier: number;
  /** When the first bytes can have begun to flow, in milliseconds of the clock. */
  readonly since: number;
}

const NOTHING: View = {
  total: 0,
  finished: 0,
  table: undefined,
  phase: undefined,
  part: undefined,
  bytes: 0,
  earlier: 0,
  since: 0,
};

/** Pure: what the line tells after an event. */
function viewAfter(view: View, event: RunEvent, now: number): View {
  const isSameTable = 'table' in event && event.table === view.table;
  switch (event.type) {
    case 'run-started':
      return { ...NOTHING, total: event.tables.length };
    case 'phase-started': {
      const { table, phase, detail } = event;
      const part = phase === 'copy' && detail?.startsWith('chunk ') ? detail : undefined;
      if (isSameTable && part !== undefined && view.part !== undefined) return { ...view, part };
      // Bytes outlive the copy, so that the phases after it still say how much there was.
      const bytes = isSameTable && phase !== 'copy' ? view.bytes : 0;
      return { ...view, table, phase, part, bytes, earlier: 0, since: now };
    }
    case 'rows-copied': {
      const { table, bytes, earlier = 0 } = event;
      return { ...view, table, bytes, earlier, ...(isSameTable ? {} : { since: now }) };
    }
    case 'table-finished':
      return {
        ...view,
        finished: view.finished + 1,
        table: undefined,
        phase: undefined,
        part: undefined,
        bytes: 0,
      };
    case 'run-finished':
      return NOTHING;
    default:
      return view;
  }
}

function rateText({ phase, bytes, earlier, since }: View, now: number): string {
  const seconds = (now - since) / 1000;
  // A rate over a moment is noise.
  return phase === 'copy' && seconds >= 0.5 ? `, ${formatBytes((bytes - earlier) / seconds)}/s` : '';
}

function lineOf(view: View, now: number): string | undefined {
  const { table, phase, part, bytes, total, finished } = view;
  if (table === undefined) return undefined;
  const place = total > 0 ? `[${formatCount(Math.min(finished + 1, total))}/${formatCount(total)}] ` : '';
  const copied = bytes > 0 ? `, ${formatBytes(bytes)}${rateText(view, now)}` : '';
  const doing = phase ? PHASE_WORDS[phase] : 'copying';
  return `${place}${printableLine(table)}: ${doing}${part === undefined ? '' : ` ${part}`}${copied}`;
}

export function createProgress(terminal: Terminal, clock: () => number = () => performance.now()): Progress {
  let view = NOTHING;
  let isDrawn = false;
  let drawnAt = -Infinity;
  let timer: NodeJS.Timeout | undefined;

  function erase(): void {
    if (isDrawn) terminal.write(ERASE);
    isDrawn = false;
  }

  function draw(): void {
    timer = undefined;
    const line = lineOf(view, clock());
    if (line === undefined) return erase();
    drawnAt = clock();
    isDrawn = true;
    // One cell is left free: a full line would wrap in some terminals, and then cannot be erased.
    terminal.write(`${ERASE}${truncate(line, (terminal.columns || USUAL_WIDTH) - 1)}`);
  }

  /** Draws now, or when the last drawing is old enough: the latest news is never held back for good. */
  function drawSoon(): void {
    if (timer) return;
    const wait = drawnAt + INTERVAL_MS - clock();
    if (wait <= 0) return draw();
    timer = setTimeout(draw, wait);
    timer.unref();
  }

  function stop(): void {
    clearTimeout(timer);
    timer = undefined;
    view = NOTHING;
    erase();
  }

  return {
    listener: (event) => {
      view = viewAfter(view, event, clock());
      if (event.type === 'run-finished') stop();
      else if (event.type === 'table-finished' || view.table !== undefined) drawSoon();
    },
    clear: () => {
      if (!isDrawn) return;
      erase();
      // Counts as a drawing: the line must not come back before the caller has printed.
      drawnAt = clock();
      drawSoon();
    },
    stop,
  };
}
