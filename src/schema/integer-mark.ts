/**
 * The high-water mark of an integer key, which no clock bounds. A mark that is too low only costs reading: each sync
 * reads the rows above it. A mark that is too high loses all later rows below it. So a single odd value must not become
 * the mark.
 */
import * as z from 'zod';
import { lowestCursor } from './keys.ts';

/** It is cheap to read this many rows above the mark again at each sync. */
export const TOP_ROWS = 1000;

/** Keys are decimal text. */
export const integerMarkSchema = z.object({
  /** The largest key. */
  top: z.string().nullable(),
  /** The largest of the top keys below the lowest disproportionate gap. Null if there is no such gap. */
  belowGap: z.string().nullable(),
  /** The largest of the top keys at or below the source's clock, if the keys look like epoch times. */
  belowClock: z.string().nullable(),
  /** The last value of the column's sequence. Null if no sequence can be read or it was never used. */
  sequenceEnd: z.string().nullable(),
  /** The largest of the top keys at or below `sequenceEnd`. */
  belowSequence: z.string().nullable(),
  /** Whether any row has a key at or below `sequenceEnd`. */
  hasRowsBelow: z.boolean(),
});
type IntegerMark = Readonly<z.infer<typeof integerMarkSchema>>;

export interface ChosenMark {
  readonly high: string | null;
  /** All top rows are above the sequence and other rows are below it, so the next keys may be in either range. */
  readonly isUncertain: boolean;
}

export function chooseMark(found: IntegerMark): ChosenMark {
  const { top, belowGap, belowClock, sequenceEnd, belowSequence, hasRowsBelow } = found;
  if (top === null) return { high: null, isUncertain: false };
  const bounds = [belowGap, belowClock, belowSequence].filter((bound) => bound !== null);
  return {
    high: lowestCursor('integer', [top, ...bounds]),
    isUncertain: sequenceEnd !== null && belowSequence === null && hasRowsBelow,
  };
}
