/** Postgres refuses to run as root, so root lends it the identity of somebody who already exists. */
import { readFile } from 'node:fs/promises';
import process from 'node:process';
import { IncrepError } from '../errors.ts';

export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

/** In order of preference; `_postgres` and `daemon` are for systems without the others. */
const CANDIDATES = ['postgres', '_postgres', 'nobody', 'daemon'];

/** Who is to own and run the server: undefined means ourselves. */
export async function findServerUser(): Promise<ServerUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const users = parsePasswd(await readFile('/etc/passwd', 'utf8').catch(() => ''));
  for (const name of CANDIDATES) {
    const user = users.get(name);
    if (user) return user;
  }
  throw new IncrepError('NOT_SUPPORTED', {
    what: `Postgres does not run as root, and this system has none of the users ${CANDIDATES.join(', ')}`,
    next: 'Run the command as an ordinary user.',
  });
}

function parsePasswd(text: string): Map<string, ServerUser> {
  const users = new Map<string, ServerUser>();
  for (const line of text.split('\n')) {
    const [name = '', , uid, gid] = line.split(':');
    const user = { uid: Number(uid), gid: Number(gid) };
    // macOS writes nobody as -2, which chown does not take.
    if (user.uid > 0 && user.gid >= 0) users.set(name, user);
  }
  return users;
}
