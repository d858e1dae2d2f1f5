/** Small files of the state directory that increp can do without. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type * as z from 'zod';
import { replaceFile } from '../replace-file.ts';
import { lockFile } from './file-lock.ts';

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

interface OptionalChange<T> {
  readonly directory: string;
  readonly name: string;
  readonly schema: z.ZodType<T>;
  /** Gets what the last run has written. Undefined if there is nothing to change. */
  readonly change: (found: T | undefined) => (T & object) | undefined;
}

/** One run at a time. Ignores a failure. */
export async function changeOptional<T>({
  directory,
  name,
  schema,
  change,
}: OptionalChange<T>): Promise<void> {
  const path = join(directory, name);
  const unlock = await lockFile(path).catch(() => () => Promise.resolve());
  try {
    const content = change(await readOptional(directory, name, schema));
    if (content) await replaceFile(path, `${JSON.stringify(content, null, 2)}\n`, 0o600);
  } catch {
    // The file says less than it could.
  } finally {
    await unlock();
  }
}
