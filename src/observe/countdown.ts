/** Draws one live line on a terminal between two runs of `--watch`. It says when the next run starts. */
import { formatAge } from '../report/age.ts';
import { localClock, localDay } from '../report/local-time.ts';
import { glyphsOf } from '../report/style.ts';
import type { Screen } from './progress.ts';
import { truncate } from '../report/text.ts';

const EVERY_MS = 1000;
const CLEAR_BELOW = '\u001b[J';

/** `seconds` is the time until the next run. Disposing of the result removes the line. */
export function countdown(screen: Screen, seconds: number): Disposable {
  const startedAt = performance.now();
  let at = new Date(Date.now() + seconds * 1000);
  const draw = () => {
    const left = seconds - (performance.now() - startedAt) / 1000;
    const now = new Date();
    // The wall clock was changed, or the machine was asleep.
    const shifted = new Date(now.getTime() + left * 1000);
    if (Math.abs(shifted.getTime() - at.getTime()) > EVERY_MS) at = shifted;
    // The last cell stays free, as in a progress line.
    const { width } = screen.style;
    const line = truncate(restText(now, at, left), width - 1, glyphsOf(screen.style).ellipsis);
    // The cursor stays at the start of the line, so that later output covers the line.
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

/** `next run at 12:00:30 (in 21 s)`, with the date if it is not today. */
export function restText(now: Date, at: Date, secondsLeft: number): string {
  const day = localDay(at) === localDay(now) ? '' : `${localDay(at)} `;
  return `next run at ${day}${localClock(at)} (in ${formatAge(Math.ceil(secondsLeft))})`;
}
