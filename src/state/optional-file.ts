/** Small files of the state directory that increp can do without. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type * as z from 'zod';
import { replaceFile } from '../replace-file.ts';

/** Undefined if the file is missing, or cannot be read. */
export async function readOptional<T>(
  directory: string,
  name: string,
  schema: z.ZodType<T>,
): Promise<T | undefined> {
  try {
    return schema.parse(JSON.parse(await readFile(join(directory, name), 'utf8')));
  } catch {
    return undefined;
  }
}

/** Ignores a failure. */
export const writeOptional = (directory: string, name: string, content: object): Promise<void> =>
  replaceFile(join(directory, name), `${JSON.stringify(content, null, 2)}\n`, 0o600).catch(() => undefined);
