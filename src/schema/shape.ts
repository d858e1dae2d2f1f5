/** The shape of a source table. The recorded shape of the last sync is the base for finding drift. */
import { createHash } from 'node:crypto';
import * as z from 'zod';
import { columnSchema } from './columns.ts';
import type { Relation } from './relations.ts';

export const shapeSchema = z.object({
  /** pg_class.oid. Another oid means that the table was dropped and created again. */
  oid: z.string(),
  columns: z.array(columnSchema),
});

export type Shape = Readonly<z.infer<typeof shapeSchema>>;

export const shapeOf = (relation: Relation): Shape => ({
  oid: relation.oid,
  columns: relation.columns.map((column) => ({ ...column })),
});

/** Equal values have equal digests. */
export const digestOf = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);

/** Equal shapes have equal fingerprints. */
export const fingerprintOf = (shape: Shape): string => digestOf(shapeSchema.parse(shape));
