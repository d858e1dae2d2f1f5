/** Postgres refuses to run as root. If increp runs as root, it starts the server as an existing other user. */
import { readFile } from 'node:fs/promises';
import process from 'node:process';
import { IncrepError } from '../errors.ts';

export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

/** In order of preference. `_postgres` and `daemon` exist on systems without the others. */
const CANDIDATES = ['postgres', '_postgres', 'nobody', 'daemon'];

/** The user that owns and runs the server; undefined means the current user. */
export async function findServerUser(): Promise<ServerUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const users = parsePasswd(await readFile('/etc/passwd', 'utf8').catch(() => ''));
  for (const name of CANDIDATES) {
    const user = users.get(name);
    if (user) return user;
  }
  throw new IncrepError('NOT_SUPPORTED', {
    what: `Postgres does not run as root, and no other user was found: ${CANDIDATES.join(', ')}`,
    next: 'Run the command as a user other than root.',
  });
}

function parsePasswd(text: string): Map<string, ServerUser> {
  const users = new Map<string, ServerUser>();
  for (const line of text.split('\n')) {
    const [name = '', , uid, gid] = line.split(':');
    const user = { uid: Number(uid), gid: Number(gid) };
    // On macOS, the user ID of `nobody` is negative, and chown refuses it.
    if (user.uid > 0 && user.gid >= 0) users.set(name, user);
  }
  return users;
}
