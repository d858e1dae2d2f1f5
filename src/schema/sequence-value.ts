/** How far a sequence must be so that it gives out no value that is there already. Pure. */

export interface SequenceRange {
  /** All as text, because a bigint does not fit a number. */
  readonly start: string;
  readonly increment: string;
  readonly min: string;
  readonly max: string;
}

/**
 * The value for setval(), which the sequence gives out next after. Undefined if the sequence is far enough. `current`: the last
 * value of the sequence. `used`: values of the rows, and the last value at the source. The step of the source is kept, so
 * that an application which takes numbers in blocks finds the blocks of the source.
 */
export function valueBeyond(
  { start, increment, ...range }: SequenceRange,
  current: string | null,
  used: readonly string[],
): { readonly value: string; readonly isInRange: boolean } | undefined {
  const step = BigInt(increment);
  const isBeyond = (one: bigint, other: bigint) => (step > 0n ? one > other : one < other);
  const inRange = (value: bigint) => value >= BigInt(range.min) && value <= BigInt(range.max);
  // Rows of other ranges are not those of this sequence.
  const [first, ...others] = used.map(BigInt);
  if (first === undefined) return undefined;
  const farthest = others.reduce((one, other) => (isBeyond(other, one) ? other : one), first);
  // It gives out `start` first.
  if (current === null && isBeyond(BigInt(start), farthest)) return undefined;
  if (current !== null && !isBeyond(farthest, BigInt(current))) return undefined;
  const base = BigInt(current ?? start);
  const rest = (farthest - base) % step;
  const aligned = rest === 0n ? farthest : farthest - rest + step;
  // The end of the range is the last value that can be set.
  const value = inRange(aligned) ? aligned : farthest;
  return { value: value.toString(), isInRange: inRange(value) };
}
