/**
 * A live line on a terminal for each table that is being synced: the table, the phase, the progress and the rate. Permanent lines
 * are printed above. Before other code prints to that terminal, it calls `clear()`. The lines come back at the next event.
 */
import type { Listener, RunEvent } from '../events.ts';
import type { Redact } from '../redact.ts';
import type { Style } from '../report/style.ts';
import { progressLine } from './progress-line.ts';
import type { View } from './progress-view.ts';
import { shownViews, viewsAfter, type Views } from './progress-views.ts';

/** Milliseconds between two drawings: while data arrives, and while only the elapsed time changes. */
const NEWS_EVERY = 200;
const TIME_EVERY = 1000;

/** From the cursor to the end of the screen. This also covers a long line that a narrower terminal has wrapped. */
const CLEAR_REST_OF_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';
const WITHOUT_WRAPPING = '\u001b[?7l';
const WRAPPING = '\u001b[?7h';
const up = (lines: number): string => (lines === 0 ? '' : `\u001b[${lines}A`);

/** A terminal that can move its cursor. */
export interface Screen {
  write(text: string): unknown;
  /** The current width. */
  readonly style: Style;
  /** The current number of lines. Undefined if it is not known. */
  readonly height?: number | undefined;
  /** Returns a function that removes the listener. */
  readonly onResize: (redraw: () => void) => () => void;
}

export interface ProgressDisplay {
  readonly listener: Listener;
  /** Erases the line, so that other output can be printed there. */
  readonly clear: () => void;
  /** After the last table, the line says that the run waits for this. */
  readonly waitFor: (what: string) => void;
  /**
   * Erases the line for good and prints these lines, each ended by a newline. Pending lines of `above` are still
   * printed.
   */
  readonly stop: (last?: string) => void;
}

interface ProgressOptions {
  readonly redact?: Redact;
  /** Permanent lines for an event, each ended by a newline; undefined if an event has none. */
  readonly above?: (event: RunEvent) => string | undefined;
  /** Milliseconds. */
  readonly clock?: () => number;
}

export function createProgress(screen: Screen, options: ProgressOptions = {}): ProgressDisplay {
  const {
    redact = (text: string) => text,
    above = () => undefined,
    clock = () => performance.now(),
  } = options;
  let views: Views = new Map();
  let shown: readonly View[] = [];
  let isStopped = false;
  let waitsFor: string | undefined;
  /** The text that is on the screen, which may have several lines; empty if there is none. */
  let drawn = '';
  let drawnAt = -Infinity;
  let next: { readonly timer: NodeJS.Timeout; readonly at: number } | undefined;

  /**
   * Writes everything in one call, so that the lines do not flicker. The cursor stays at the start of the first line. All
   * lines can be erased from there even if the terminal becomes narrower, and no cleanup is needed if the process is
   * killed.
   */
  function put(kept: string, line: string): void {
    const lines = line.split('\n');
    const text = lines.join(`${CLEAR_REST_OF_LINE}\n`);
    const live =
      line === '' ? '' : `${WITHOUT_WRAPPING}${text}${CLEAR_BELOW}${WRAPPING}\r${up(lines.length - 1)}`;
    // A new line covers the old line, unless permanent lines are printed first.
    const cleared = drawn !== '' && (kept !== '' || live === '') ? CLEAR_BELOW : '';
    // The terminal itself may have printed something, such as ^C.
    const start = drawn === '' && kept === '' && live === '' ? '' : '\r';
    drawn = line;
    drawnAt = clock();
    const written = `${start}${cleared}${kept}${live}`;
    if (written !== '') screen.write(written);
  }

  function draw(): void {
    const line = lineNow();
    if (line === drawn) drawnAt = clock();
    else put('', line);
    drawAgain(TIME_EVERY);
  }

  function lineNow(): string {
    const { style, height = Infinity } = screen;
    // One cell stays free, because some terminals wrap after a full line. And one line, for the cursor after the end.
    const narrower = { ...style, width: style.width - 1 };
    return shown
      .slice(0, Math.max(1, height - 1))
      .map((view) =>
        progressLine(view.phase === 'end' ? { ...view, waitsFor } : view, clock(), narrower, redact),
      )
      .join('\n');
  }

  /**
   * Prints permanent lines. The live line comes back only if it was visible, so that it does not flash between quick
   * tables.
   */
  function print(kept: string): void {
    put(kept, drawn === '' ? '' : lineNow());
    drawAgain(NEWS_EVERY);
  }

  /** The earliest of the requested times. */
  function drawAgain(wait: number): void {
    const at = drawnAt + wait;
    if (shown.length === 0 || (next && next.at <= at)) return;
    clearTimeout(next?.timer);
    const onTime = () => {
      next = undefined;
      draw();
    };
    next = { timer: setTimeout(onTime, Math.max(0, at - clock())), at };
    next.timer.unref();
  }

  const forgetSize = screen.onResize(() => {
    if (drawn !== '') put('', lineNow());
  });

  return {
    listener: (event) => {
      if (!isStopped) {
        views = viewsAfter(views, event, clock());
        shown = shownViews(views);
      }
      // A short run needs no live line.
      if (event.type === 'run-started') drawnAt = clock();
      const kept = above(event);
      if (kept !== undefined) print(kept);
      else drawAgain(NEWS_EVERY);
    },
    clear: () => {
      if (drawn !== '') put('', '');
      // The live line must not come back before the caller has printed.
      drawAgain(NEWS_EVERY);
    },
    waitFor: (what) => {
      waitsFor = what;
      drawAgain(NEWS_EVERY);
    },
    stop: (last = '') => {
      isStopped = true;
      shown = [];
      clearTimeout(next?.timer);
      next = undefined;
      forgetSize();
      if (drawn !== '' || last !== '') put(last, '');
    },
  };
}
