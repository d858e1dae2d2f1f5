/**
 * One live line on a terminal: the table, the phase, the progress and the rate. Permanent lines are printed above it.
 * Before other code prints to that terminal, it calls `clear()`. The line comes back at the next event.
 */
import type { Listener, RunEvent } from '../events.ts';
import type { Redact } from '../redact.ts';
import type { Style } from '../report/style.ts';
import { progressLine } from './progress-line.ts';
import type { Seen } from './progress-view.ts';
import { shownView, viewsAfter, type Views } from './progress-views.ts';

/** Milliseconds between two drawings: while data arrives, and while only the elapsed time changes. */
const NEWS_EVERY = 200;
const TIME_EVERY = 1000;

/** From the cursor to the end of the screen. This also covers a long line that a narrower terminal has wrapped. */
const CLEAR_BELOW = '\u001b[J';
const WITHOUT_WRAPPING = '\u001b[?7l';
const WRAPPING = '\u001b[?7h';

/** A terminal that can move its cursor. */
export interface Screen {
  write(text: string): unknown;
  /** The current width. */
  readonly style: Style;
  /** Returns a function that removes the listener. */
  readonly onResize: (redraw: () => void) => () => void;
}

export interface ProgressDisplay {
  readonly listener: Listener;
  /** Erases the line, so that other output can be printed there. */
  readonly clear: () => void;
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
  let view: Seen;
  let isStopped = false;
  /** The text that is on the screen; empty if there is none. */
  let drawn = '';
  let drawnAt = -Infinity;
  let next: { readonly timer: NodeJS.Timeout; readonly at: number } | undefined;

  /**
   * Writes everything in one call, so that the line does not flicker. The cursor stays at the start of the line. The
   * line can be erased from there even if the terminal becomes narrower, and no cleanup is needed if the process is
   * killed.
   */
  function put(kept: string, line: string): void {
    const live = line === '' ? '' : `${WITHOUT_WRAPPING}${line}${CLEAR_BELOW}${WRAPPING}\r`;
    // A new line covers the old line, unless permanent lines are printed first.
    const cleared = drawn !== '' && (kept !== '' || live === '') ? CLEAR_BELOW : '';
    // The terminal itself may have printed something, such as ^C.
    const start = drawn === '' && kept === '' && live === '' ? '' : '\r';
    drawn = line;
    drawnAt = clock();
    const text = `${start}${cleared}${kept}${live}`;
    if (text !== '') screen.write(text);
  }

  function draw(): void {
    const line = lineNow();
    if (line === drawn) drawnAt = clock();
    else put('', line);
    drawAgain(TIME_EVERY);
  }

  function lineNow(): string {
    if (!view) return '';
    const { style } = screen;
    // One cell stays free, because some terminals wrap after a full line.
    return progressLine(view, clock(), { ...style, width: style.width - 1 }, redact);
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
    if (!view || (next && next.at <= at)) return;
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
        view = shownView(views);
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
    stop: (last = '') => {
      isStopped = true;
      view = undefined;
      clearTimeout(next?.timer);
      next = undefined;
      forgetSize();
      if (drawn !== '' || last !== '') put(last, '');
    },
  };
}
