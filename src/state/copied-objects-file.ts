/**
 * `sync-state/copied.objects.json`: what no catalog says about copied objects. Objects that the rows of the destination
 * refused, so that not each run tries again; and defaults that increp has set, which can have no comment.
 */
import * as z from 'zod';
import { readOptional, writeOptional } from './optional-file.ts';

/** No table's state has this name: a full stop in a table's name is encoded. */
export const COPIED_OBJECTS_FILE = 'copied.objects.json';

const refusedSchema = z.object({
  /** `tableKey` of the destination table. */
  table: z.string(),
  /** Identifies the definition. Another definition is tried at once. */
  hash: z.string(),
  message: z.string(),
  /** RFC 3339. */
  at: z.string(),
});
export type RefusedObject = Readonly<z.infer<typeof refusedSchema>>;

const defaultSchema = z.object({
  table: z.string(),
  column: z.string(),
  /** As the source prints it. */
  source: z.string(),
  /** As the destination prints it. */
  destination: z.string(),
});
export type CopiedDefault = Readonly<z.infer<typeof defaultSchema>>;

const fileSchema = z.object({
  format: z.literal(1),
  refused: z.array(refusedSchema),
  defaults: z.array(defaultSchema),
});

export interface CopiedObjects {
  readonly refused: readonly RefusedObject[];
  readonly defaults: readonly CopiedDefault[];
}

/**
 * A file that cannot be read counts as empty. Then a refused object is tried once more than needed, and a default that
 * differs from the source counts as one of a user.
 */
export const readCopiedObjects = async (directory: string): Promise<CopiedObjects> =>
  (await readOptional(directory, COPIED_OBJECTS_FILE, fileSchema)) ?? { refused: [], defaults: [] };

export const writeCopiedObjects = (directory: string, objects: CopiedObjects): Promise<void> =>
  writeOptional(directory, COPIED_OBJECTS_FILE, { format: 1, ...objects });
