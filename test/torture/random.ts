/** Random decisions that a seed brings back: each actor has a generator of its own, named after it. */
import { createHash } from 'node:crypto';

export interface Random {
  /** From 0 up to, but not including, 1. */
  next(): number;
  /** Whole numbers, both ends included. */
  between(low: number, high: number): number;
  chance(probability: number): boolean;
  pick<T>(choices: readonly [T, ...T[]]): T;
}

/** sfc32, seeded with a hash of the seed and the name. */
export function randomFor(seed: number, actor: string): Random {
  const hash = createHash('sha256').update(`${seed} ${actor}`).digest();
  let [a, b, c, counter] = [hash.readInt32LE(0), hash.readInt32LE(4), hash.readInt32LE(8), 1];
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  const between = (low: number, high: number) => low + Math.floor(next() * (high - low + 1));
  return {
    next,
    between,
    chance: (probability) => next() < probability,
    pick: <T>(choices: readonly [T, ...T[]]) => choices[between(0, choices.length - 1)] ?? choices[0],
  };
}
