/** One live line on a terminal while nothing is at work: when the next run is. */
import { formatAge } from './age.ts';
import { localClock, localDay } from './local-time.ts';
import { glyphsOf } from './look.ts';
import type { Screen } from './progress.ts';
import { truncate } from './text.ts';

const EVERY_MS = 1000;
const CLEAR_BELOW = '\u001b[J';

/** `seconds` until then. The line is gone when it is disposed of. */
export function countdown(screen: Screen, seconds: number): Disposable {
  const startedAt = performance.now();
  const now = new Date();
  const at = new Date(now.getTime() + seconds * 1000);
  const draw = () => {
    const left = seconds - (performance.now() - startedAt) / 1000;
    // One cell is left free, as below a progress line.
    const { width } = screen.look;
    const line = truncate(restText(now, at, left), width - 1, glyphsOf(screen.look).ellipsis);
    // The cursor stays where the line begins, so that whatever is printed next covers it.
    screen.write(`\r${line}${CLEAR_BELOW}\r`);
  };
  draw();
  const timer = setInterval(draw, EVERY_MS);
  timer.unref();
  const forgetSize = screen.onResize(draw);
  return {
    [Symbol.dispose]: () => {
      clearInterval(timer);
      forgetSize();
      screen.write(`\r${CLEAR_BELOW}`);
    },
  };
}

/** `next run at 12:00:30 (in 21 s)`, with the day where that is another one. */
export function restText(now: Date, at: Date, secondsLeft: number): string {
  const day = localDay(at) === localDay(now) ? '' : `${localDay(at)} `;
  return `next run at ${day}${localClock(at)} (in ${formatAge(Math.ceil(secondsLeft))})`;
}
