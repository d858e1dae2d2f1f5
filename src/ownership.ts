/** Files that increp creates as root belong to the user who owns the directory, because later runs may be that user's. */
import { readFileSync, statSync } from 'node:fs';
import { lchown, mkdir, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { shellWord } from './shell-word.ts';
import { hasCode } from './system-fault.ts';

const isRoot = (): boolean => process.getuid?.() === 0;

/** Does nothing unless this is root. `path` is a new file or directory. */
export async function giveToOwner(path: string): Promise<void> {
  if (!isRoot()) return;
  const { uid, gid } = await stat(dirname(path));
  // The owner of the directory could put a link in place of the file.
  if (uid !== 0) await lchown(path, uid, gid);
}

/** The user to whom root gives the files of this directory. Undefined if they belong to the user of this process. */
export async function otherOwner(directory: string): Promise<number | undefined> {
  const { uid } = await stat(directory);
  return isRoot() && uid !== 0 ? uid : undefined;
}

/** Creates missing directories, and returns the first of them. */
export async function makeDirectory(directory: string, mode = 0o700): Promise<string | undefined> {
  const missing = await missingDirectories(directory);
  for (const path of missing) {
    await mkdir(path, { mode }).catch(async (error: unknown) => {
      // Another process may have created it.
      if (!hasCode(error, 'EEXIST') || !(await stat(path)).isDirectory()) throw error;
    });
    await giveToOwner(path);
  }
  return missing[0];
}

/** From the top. The recursive mkdir of Node never ends in a directory such as /proc, which reports ENOENT for a new name. */
async function missingDirectories(directory: string): Promise<readonly string[]> {
  const missing: string[] = [];
  for (let path = directory; ; path = dirname(path)) {
    const isThere = await stat(path).then(
      () => true,
      (error: unknown) => {
        if (!hasCode(error, 'ENOENT') || path === dirname(path)) throw error;
        return false;
      },
    );
    if (isThere) return missing;
    missing.unshift(path);
  }
}

/** The user of this process. In a container, it may have no name. */
export function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'USER');
  }
}

/** Whether only root or another user can change the permissions of the file. False if it cannot be examined. */
async function isOfAnotherUser(path: string): Promise<boolean> {
  const uid = await stat(path).then(
    (found) => found.uid,
    () => undefined,
  );
  return uid !== undefined && !isRoot() && process.getuid !== undefined && uid !== process.getuid();
}

/** The file or directory if it belongs to another user, or its directory if this user may not examine the file. */
export async function ifForeign(path: string): Promise<string | undefined> {
  const place = await stat(path).then(
    () => path,
    (error: unknown) => (hasCode(error, 'EACCES') ? dirname(path) : undefined),
  );
  return place !== undefined && (await isOfAnotherUser(place)) ? place : undefined;
}

/** In the words of sudo. Node reads only the name of its own user. */
function nameOf(uid: number): string {
  try {
    const line = new RegExp(String.raw`^([^:\n]+):[^:\n]*:${uid}:`, 'm').exec(
      readFileSync('/etc/passwd', 'utf8'),
    );
    return line?.[1] ?? `#${uid}`;
  } catch {
    return `#${uid}`;
  }
}

export function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function uidOf(path: string): number | undefined {
  try {
    return statSync(path).uid;
  } catch {
    return undefined;
  }
}

/** The name of the owner. Undefined if the path cannot be examined. */
export function ownerOf(path: string): string | undefined {
  const uid = uidOf(path);
  return uid === undefined ? undefined : nameOf(uid);
}

/** Whether this user owns a directory above. Files of root are there because of a run as root. */
function isInOwnDirectory(path: string): boolean {
  const above = dirname(resolve(path));
  return uidOf(above) === process.getuid?.() || (above !== dirname(above) && isInOwnDirectory(above));
}

/** Whether root also owns the configuration beside the state directory. */
export const isStateOfRoot = (directory: string): boolean =>
  uidOf(join(dirname(resolve(directory)), 'tables-config.json')) === 0;

/** The other user who owns all these files and runs the pipeline. Undefined if there is none. */
function otherUser(paths: readonly string[], mayRootRun = true): string | undefined {
  const [uid, ...others] = new Set(paths.map(uidOf));
  if (uid === undefined || others.length > 0 || isRoot() || uid === process.getuid?.()) return undefined;
  return uid === 0 && (!mayRootRun || paths.some(isInOwnDirectory)) ? undefined : nameOf(uid);
}

/**
 * The end of an advice about files of another user. A pipeline stays with the user who runs it. Files of several users, and
 * files that a run as root has left, go to the user of this process, whom `give` names.
 */
export function accessCommand(paths: readonly string[], give: string, mayRootRun = true): string {
  const chown = `chown ${paths.some(isDirectory) ? '-R ' : ''}${[userName(), ...paths].map(shellWord).join(' ')}`;
  const user = otherUser(paths, mayRootRun);
  if (user === undefined) return `${give}as root, run: ${chown}`;
  const asOwner = `Run increp as user "${user}", who owns the files: sudo -u ${shellWord(user)} increp status`;
  return user === nameOf(0)
    ? `${asOwner}\nTo give the files to user "${userName()}" instead, as root, run: ${chown}`
    : asOwner;
}

/** The command that makes a file readable for its user alone. `sync` and cron may run as a user who does not own it. */
export async function protectCommand(path: string): Promise<string> {
  const file = shellWord(path);
  const user = otherUser([path]);
  if (user !== undefined) return `run: sudo -u ${shellWord(user)} chmod 600 ${file}`;
  return (await isOfAnotherUser(path))
    ? `as root, run: chown ${shellWord(userName())} ${file} && chmod 600 ${file}`
    : `run: chmod 600 ${file}`;
}
