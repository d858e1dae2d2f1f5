/** `sync-state/`: one state file per table. Only this folder of the program reads and writes it. */
import { randomUUID } from 'node:crypto';
import { statSync, type Stats } from 'node:fs';
import { access, constants, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import * as z from 'zod';
import { IncrepError } from '../errors.ts';
import { accessCommand, isStateOfRoot, makeDirectory, userName } from '../ownership.ts';
import { replaceFile } from '../replace-file.ts';
import { shellWord } from '../shell-word.ts';
import { fileFault, hasCode } from '../system-fault.ts';
import { fileNameOf } from '../schema/names.ts';
import { STATE_FORMAT, stateRecordSchema, type StateRecord } from '../schema/state-record.ts';

export type StateFile =
  | { readonly kind: 'none' }
  | { readonly kind: 'record'; readonly record: StateRecord; readonly path: string }
  /** The older format: one ISO timestamp in UTC with milliseconds. */
  | { readonly kind: 'legacy'; readonly cursor: string; readonly path: string }
  /** Incomplete, empty, of a newer version, or not a state file of increp. */
  | {
      readonly kind: 'unreadable';
      readonly path: string;
      readonly why: string;
      /** All files of the directory have the same fault. */
      readonly isShared?: true;
    };

export interface StateFiles {
  pathOf(table: string): string;
  read(table: string): Promise<StateFile>;
  /** Whether there is no file that may have a record. */
  isEmpty(): Promise<boolean>;
  /** The records of all tables, except the named ones. Unreadable files are left out. */
  records(except?: readonly string[]): Promise<StateRecord[]>;
  /** All or nothing: a crash leaves the old file or the new one. @throws IncrepError STATE_NOT_WRITABLE */
  write(table: string, record: StateRecord): Promise<void>;
  /** Renames a file that cannot be used, so that a user can inspect it. Returns the new name. */
  setAside(path: string): Promise<string>;
  remove(table: string): Promise<void>;
}

export function stateFiles(directory: string): StateFiles {
  const pathOf = (table: string) => join(directory, `${fileNameOf(table)}.json`);
  return {
    pathOf,
    read: async (table) => {
      const text = await readIfThere(pathOf(table));
      return text === undefined ? readLegacy(directory, table) : parse(pathOf(table), text);
    },
    isEmpty: async () => !(await readdir(directory).catch(() => [])).some((name) => name.endsWith('.json')),
    records: async (except = []) => {
      const names = await readdir(directory).catch(() => []);
      const known = new Set(except.map(pathOf));
      const paths = names
        .filter((name) => name.endsWith('.json'))
        .map((name) => join(directory, name))
        .filter((path) => !known.has(path));
      const texts = await Promise.allSettled(paths.map(readIfThere));
      const files = paths.map((path, index) => {
        const text = texts[index];
        return parse(path, (text?.status === 'fulfilled' ? text.value : undefined) ?? '');
      });
      return files.flatMap((file) => (file.kind === 'record' ? [file.record] : []));
    },
    write: (table, record) => writeSafely(directory, pathOf(table), `${JSON.stringify(record, null, 2)}\n`),
    setAside: async (path) => {
      const aside = `${path}.unreadable-${new Date().toISOString().replaceAll(/[:.]/g, '-')}`;
      await rename(path, aside).catch((error: unknown) => rejectUnwritable(directory, error));
      return basename(aside);
    },
    remove: async (table) => {
      await rm(pathOf(table), { force: true }).catch((error: unknown) => rejectUnwritable(directory, error));
      await rm(join(directory, `${table}.txt`), { force: true });
    },
  };
}

function parse(path: string, text: string): StateFile {
  try {
    return { kind: 'record', record: stateRecordSchema.parse(JSON.parse(text)), path };
  } catch (error) {
    return { kind: 'unreadable', path, why: text.trim() === '' ? 'it is empty' : whyUnreadable(text, error) };
  }
}

function whyUnreadable(text: string, error: unknown): string {
  if (error instanceof SyntaxError) return 'it is not JSON';
  const { success, data } = z.object({ format: z.unknown() }).safeParse(JSON.parse(text));
  if (!success || data.format === undefined) return 'it is not a state file of increp';
  return data.format === STATE_FORMAT
    ? 'fields are missing or malformed'
    : `its format is ${JSON.stringify(data.format)}; this version reads ${STATE_FORMAT}`;
}

async function readLegacy(directory: string, table: string): Promise<StateFile> {
  // The older script used the name of the table unchanged. A name with a slash could leave the folder, so it is not read.
  if (table.includes('/') || table.includes('\\')) return { kind: 'none' };
  const path = join(directory, `${table}.txt`);
  const text = await readIfThere(path);
  if (text === undefined) return { kind: 'none' };
  const cursor = text.trim();
  const isTimestamp =
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(cursor) && !Number.isNaN(Date.parse(cursor));
  return isTimestamp
    ? { kind: 'legacy', cursor, path }
    : { kind: 'unreadable', path, why: 'it holds no ISO timestamp in UTC' };
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw new IncrepError('STATE_NOT_WRITABLE', {
      what: `the state file ${path} cannot be read: ${fileFault(error)}`,
      next: accessAdvice(dirname(path), path),
      cause: error,
    });
  }
}

async function writeSafely(directory: string, path: string, text: string): Promise<void> {
  try {
    await makeDirectory(directory);
    await replaceFile(path, text, 0o600);
  } catch (error) {
    rejectUnwritable(directory, error);
  }
}

/** Runs before the tables, so that an unwritable directory is reported before the work and not after it. */
export async function ensureWritable(directory: string): Promise<void> {
  const probe = join(directory, `.probe-${randomUUID()}`);
  try {
    await makeDirectory(directory);
    if (!(await stat(directory)).isDirectory()) throw new Error('it is not a directory');
    await (await open(probe, 'w', 0o600)).close();
    await rm(probe);
  } catch (error) {
    rejectUnwritable(directory, error, NO_START);
  }
}

/** Checks the same without writing. If the directory is missing, checks whether increp could create it. */
async function ensureCouldWrite(directory: string, nearest = directory): Promise<void> {
  try {
    if (!(await stat(nearest)).isDirectory()) throw new Error(`${nearest} is not a directory`);
    await access(nearest, constants.W_OK | constants.X_OK);
  } catch (error) {
    if (!hasCode(error, 'ENOENT') || dirname(nearest) === nearest)
      rejectUnwritable(directory, error, NO_START);
    await ensureCouldWrite(directory, dirname(nearest));
  }
}

/** Why a sync by this user would fail; undefined if it would not. The user of this command may be another one. */
export async function writeFault(directory: string): Promise<IncrepError | undefined> {
  try {
    await ensureCouldWrite(directory);
    return undefined;
  } catch (error) {
    if (!(error instanceof IncrepError)) throw error;
    return error;
  }
}

/** Later, when the destination has committed, a failure to write is only a warning. */
const NO_START = '; no sync starts without a place for its cursors';

function rejectUnwritable(directory: string, error: unknown, effect = ''): never {
  throw new IncrepError('STATE_NOT_WRITABLE', {
    what: `the state directory ${directory} cannot be written: ${faultOf(error)}${effect}`,
    next: fullAdvice(directory, error) ?? accessAdvice(directory, directory, 'set STATE_DIR'),
    cause: error,
  });
}

function fullAdvice(directory: string, error: unknown): string | undefined {
  const advice = spaceAdvice(directory, error);
  return advice && `${advice} Or set STATE_DIR.`;
}

/** Undefined unless the file system is full, or read-only. */
export function spaceAdvice(directory: string, error: unknown): string | undefined {
  const place = shellWord(directory);
  // A file system without inodes is full too, and then `df` shows free space.
  if (hasCode(error, 'ENOSPC', 'EDQUOT'))
    return `Free some space, or some inodes (df -i), on the file system of ${place}.`;
  return hasCode(error, 'EROFS') ? `Mount the file system of ${place} for writing.` : undefined;
}

/** A message of increp itself, or of the system. */
const faultOf = (error: unknown): string => (error instanceof IncrepError ? error.message : fileFault(error));

/**
 * What a user can do about a state directory, or about a file in it. A command comes last, so that no full stop is copied
 * with it.
 */
export function accessAdvice(directory: string, path = directory, otherwise?: string): string {
  const place = shellWord(directory);
  const [sentence, clause] = otherwise === undefined ? ['', ''] : [` Or ${otherwise}.`, `, or ${otherwise}`];
  const [found, owner] = [lookAt(directory), lookAt(path)];
  if (found === 'denied')
    return `Let the user "${userName()}" search the directories above ${place}.${sentence}`;
  if (found === 'impossible') return `Correct the path.${sentence}`;
  if (found && !found.isDirectory()) return `Move the file ${place} to another place.${sentence}`;
  if (found && typeof owner === 'object' && owner.uid === process.geteuid?.())
    return `Correct the mode of the directory${clause}; run: chmod -R u+rwX ${place}`;
  return found
    ? accessCommand(
        [directory],
        `Give the directory to the user that runs increp${clause}; `,
        isStateOfRoot(directory),
      )
    : `Create the directory for the user that runs increp${clause}; as root, run: install -d -o ${shellWord(userName())} -m 700 ${place}`;
}

function lookAt(path: string): Stats | 'denied' | 'impossible' | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    return hasCode(error, 'EACCES') ? 'denied' : 'impossible';
  }
}
