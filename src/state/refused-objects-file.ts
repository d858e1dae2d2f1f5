/** `sync-state/refused.objects.json`: copied objects that the rows of the destination refused, so that not each run tries again. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { replaceFile } from '../replace-file.ts';

/** No table's state has this name: a full stop in a table's name is encoded. */
export const REFUSED_OBJECTS_FILE = 'refused.objects.json';

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

const fileSchema = z.object({ format: z.literal(1), refused: z.array(refusedSchema) });

/** A file that cannot be read counts as empty: then an object is tried once more than needed. */
export async function readRefusedObjects(directory: string): Promise<readonly RefusedObject[]> {
  try {
    return fileSchema.parse(JSON.parse(await readFile(join(directory, REFUSED_OBJECTS_FILE), 'utf8')))
      .refused;
  } catch {
    return [];
  }
}

/** A failure is ignored, for the same reason. */
export async function writeRefusedObjects(
  directory: string,
  refused: readonly RefusedObject[],
): Promise<void> {
  const text = `${JSON.stringify({ format: 1, refused }, null, 2)}\n`;
  await replaceFile(join(directory, REFUSED_OBJECTS_FILE), text, 0o600).catch(() => undefined);
}
