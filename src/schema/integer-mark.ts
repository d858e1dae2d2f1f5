/**
 * The high-water mark of an integer key, which no clock bounds. A mark that is too low costs reading: the rows above it are
 * read by each sync. One that is too high loses all rows that follow below it. So one odd value must not become the mark.
 */
import { z } from 'zod';
import { lowestCursor } from './keys.ts';

/** So many rows above the mark are read again by each sync without anybody's minding. */
export const TOP_ROWS = 1000;

/** Keys are decimal text. */
export const integerMarkSchema = z.object({
  /** The largest key. */
  top: z.string().nullable(),
  /** The largest key of the top rows below the lowest gap that is out of proportion; null where there is no such gap. */
  belowGap: z.string().nullable(),
  /** The same at or below the source's clock, where the keys look like an epoch time. */
  belowClock: z.string().nullable(),
  /** The number that the sequence of the column gave last; null where none can be read, or it has given none. */
  sequenceEnd: z.string().nullable(),
  /** The largest key of the top rows that is not above it. */
  belowSequence: z.string().nullable(),
  /** Whether a row at all is not above it. */
  hasRowsBelow: z.boolean(),
});
type IntegerMark = Readonly<z.infer<typeof integerMarkSchema>>;

export interface ChosenMark {
  readonly high: string | null;
  /** Many rows are above what the sequence has given, and some are not: which of them tell where the next ones come? */
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
