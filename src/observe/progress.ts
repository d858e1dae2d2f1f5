/**
 * One live line on a terminal: which table, what is being done, how far it is, how fast. What stays is printed above it.
 * Whoever else prints there calls `clear()` first; the line comes back by itself while there is something to tell.
 */
import type { Listener, RunEvent } from '../events.ts';
import type { Redact } from '../redact.ts';
import type { Style } from '../report/style.ts';
import { progressLine } from './progress-line.ts';
import type { Seen } from './progress-view.ts';
import { shownView, viewsAfter, type Views } from './progress-views.ts';

/** Milliseconds between two drawings while news come in, and while there is nothing but the time to tell. */
const NEWS_EVERY = 200;
const TIME_EVERY = 1000;

/** From the cursor to the end of the screen: also what a narrower terminal has made of a longer line. */
const CLEAR_BELOW = '\u001b[J';
const WITHOUT_WRAPPING = '\u001b[?7l';
const WRAPPING = '\u001b[?7h';

/** A terminal that can move its cursor. */
export interface Screen {
  write(text: string): unknown;
  /** As wide as it is now. */
  readonly style: Style;
  /** Returns what ends it. */
  readonly onResize: (redraw: () => void) => () => void;
}

export interface Progress {
  readonly listener: Listener;
  /** Erases the line, so that something else can be printed there. */
  readonly clear: () => void;
  /** Erases the line for good and leaves these lines, each ended by a newline; those of `above` still come. */
  readonly stop: (last?: string) => void;
}

interface Options {
  readonly redact?: Redact;
  /** Lines that stay, each ended by a newline; undefined where an event leaves none. */
  readonly above?: (event: RunEvent) => string | undefined;
  /** Milliseconds. */
  readonly clock?: () => number;
}

export function createProgress(screen: Screen, options: Options = {}): Progress {
  const {
    redact = (text: string) => text,
    above = () => undefined,
    clock = () => performance.now(),
  } = options;
  let views: Views = new Map();
  let view: Seen;
  let isStopped = false;
  /** What is on the screen; empty where nothing is. */
  let drawn = '';
  let drawnAt = -Infinity;
  let next: { readonly timer: NodeJS.Timeout; readonly at: number } | undefined;

  /**
   * All in one write, so that nothing flickers. The cursor is left where the line begins: from there it can be erased
   * whatever becomes of the line when the terminal gets narrower, and nothing has to be undone when we are killed.
   */
  function put(kept: string, line: string): void {
    const live = line === '' ? '' : `${WITHOUT_WRAPPING}${line}${CLEAR_BELOW}${WRAPPING}\r`;
    // A new line covers the old one, unless something comes between.
    const cleared = drawn !== '' && (kept !== '' || live === '') ? CLEAR_BELOW : '';
    // The terminal itself may have written: ^C, for one.
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
    // One cell is left free: in some terminals the cursor waits behind a full line, in others on the next one.
    return progressLine(view, clock(), { ...style, width: style.width - 1 }, redact);
  }

  /** Lines that stay. The live line stays as well where it has been seen; it does not flash up between quick tables. */
  function print(kept: string): void {
    put(kept, drawn === '' ? '' : lineNow());
    drawAgain(NEWS_EVERY);
  }

  /** The earliest of what was asked for. */
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
      // A run that is over in a moment needs no line.
      if (event.type === 'run-started') drawnAt = clock();
      const kept = above(event);
      if (kept !== undefined) print(kept);
      else drawAgain(NEWS_EVERY);
    },
    clear: () => {
      if (drawn !== '') put('', '');
      // The line must not come back before the caller has printed.
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
