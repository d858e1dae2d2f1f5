/** The comment that says which indexes and constraints increp has copied. Only these are ever dropped. Pure. */
import { createHash } from 'node:crypto';
import * as z from 'zod';
import { COPY_MARK } from '../../sql/destination.ts';

const partsSchema = z.tuple([z.string(), z.string(), z.string()]);

export interface CopyMark {
  readonly pipeline: string;
  /** The name at the source. */
  readonly name: string;
  readonly hash: string;
}

export const copyMark = ({ pipeline, name, hash }: CopyMark): string =>
  `${COPY_MARK}${JSON.stringify([pipeline, name, hash])}`;

export function readMark(comment: string | null): CopyMark | undefined {
  if (!comment?.startsWith(COPY_MARK)) return undefined;
  try {
    const [pipeline, name, hash] = partsSchema.parse(JSON.parse(comment.slice(COPY_MARK.length)));
    return { pipeline, name, hash };
  } catch {
    return undefined;
  }
}

/** Identifies a definition. Another definition at the source means another object. */
export const definitionHash = (...parts: readonly unknown[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 12);
