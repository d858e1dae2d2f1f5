/**
 * `sync-state/copied.objects.json`: what no catalog says about copied objects. Objects that the rows of the destination
 * refused, so that not each run tries again; and defaults that increp has set, which can have no comment.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { replaceFile } from '../replace-file.ts';

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
export async function readCopiedObjects(directory: string): Promise<CopiedObjects> {
  try {
    return fileSchema.parse(JSON.parse(await readFile(join(directory, COPIED_OBJECTS_FILE), 'utf8')));
  } catch {
    return { refused: [], defaults: [] };
  }
}

/** A failure is ignored, for the same reason. */
export async function writeCopiedObjects(directory: string, objects: CopiedObjects): Promise<void> {
  const text = `${JSON.stringify({ format: 1, ...objects }, null, 2)}\n`;
  await replaceFile(join(directory, COPIED_OBJECTS_FILE), text, 0o600).catch(() => undefined);
}
