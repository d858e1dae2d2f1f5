/** Writes several files of a pipeline's directory, all or none. */
import { randomBytes } from 'node:crypto';
import { constants, copyFile, link, open, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { giveToOwner, makeDirectory } from '../ownership.ts';
import { hasCode } from '../system-fault.ts';

export interface NewFile {
  readonly name: string;
  readonly text: string;
  /** 0o600 or 0o644; the umask applies. */
  readonly mode: number;
  /** If false, an existing file of that name is an error and stays. */
  readonly mayReplace: boolean;
}

/** Undoes one step. The steps are undone in reverse order. */
type Undo = () => Promise<unknown>;

/**
 * Writes all files under temporary names first and then puts them in place. If a step or `verify` fails, restores the
 * former files and rejects with that error.
 */
export async function writeFiles(
  directory: string,
  files: readonly NewFile[],
  verify: () => Promise<void>,
): Promise<void> {
  const undo: Undo[] = [];
  const suffix = `.increp-${randomBytes(4).toString('hex')}`;
  const former: string[] = [];
  try {
    await makeUndoably(directory, undo);
    for (const file of files) await writeNew(join(directory, `${file.name}${suffix}`), file, undo);
    for (const file of files) {
      const path = join(directory, file.name);
      if (file.mayReplace && (await setAside(path, `${path}${suffix}-old`, undo)))
        former.push(`${path}${suffix}-old`);
      await putInPlace(`${path}${suffix}`, path);
      undo.push(() => rm(path, { force: true }));
    }
    await verify();
  } catch (error) {
    for (const step of undo.toReversed()) await step().catch(() => undefined);
    throw error;
  }
  for (const path of [...former, ...files.map(({ name }) => join(directory, `${name}${suffix}`))])
    await rm(path, { force: true });
}

async function makeUndoably(directory: string, undo: Undo[]): Promise<void> {
  const first = await makeDirectory(directory, 0o777);
  if (first === undefined) return;
  undo.push(async () => {
    // rmdir removes only empty directories, so files of other programs stay.
    for (let path = directory; path.length >= first.length; path = dirname(path)) await rmdir(path);
  });
}

async function writeNew(path: string, { text, mode }: NewFile, undo: Undo[]): Promise<void> {
  const file = await open(path, 'wx', mode);
  undo.push(() => rm(path, { force: true }));
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await giveToOwner(path);
}

async function setAside(path: string, aside: string, undo: Undo[]): Promise<boolean> {
  try {
    await rename(path, aside);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
  undo.push(() => rename(aside, path));
  return true;
}

/** Uses a link, because a rename would overwrite a file that was created a moment ago. */
async function putInPlace(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (hasCode(error, 'EEXIST')) throw error;
    // Some file systems do not support hard links.
    await copyFile(from, to, constants.COPYFILE_EXCL);
    await giveToOwner(to);
  }
}
