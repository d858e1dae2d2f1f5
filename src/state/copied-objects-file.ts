/**
 * `sync-state/copied.objects.json`: what no catalog says about copied objects. Objects that the rows of the destination
 * refused, so that not each run tries again; and defaults that increp has set, which can have no comment.
 */
import * as z from 'zod';
import { changeOptional, readOptional } from './optional-file.ts';

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
  refused: z.array(refusedSchema).readonly(),
  defaults: z.array(defaultSchema).readonly(),
});

export interface CopiedObjects {
  readonly refused: readonly RefusedObject[];
  readonly defaults: readonly CopiedDefault[];
}

const NO_OBJECTS: CopiedObjects = { refused: [], defaults: [] };

/**
 * A file that cannot be read counts as empty. Then a refused object is tried once more than needed, and a default that
 * differs from the source counts as one of a user.
 */
export const readCopiedObjects = async (directory: string): Promise<CopiedObjects> =>
  (await readOptional(directory, COPIED_OBJECTS_FILE, fileSchema)) ?? NO_OBJECTS;

export const changeCopiedObjects = (
  directory: string,
  change: (before: CopiedObjects) => CopiedObjects,
): Promise<void> =>
  changeOptional({
    ...{ directory, name: COPIED_OBJECTS_FILE, schema: fileSchema },
    change: (found) => ({ format: 1 as const, ...change(found ?? NO_OBJECTS) }),
  });
