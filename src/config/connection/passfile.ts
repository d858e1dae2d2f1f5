/**
 * Reads the password file of libpq by its rules: docs "34.16. The Password File", and passwordFromFile() in
 * fe-connect.c.
 */
import { stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { protectCommand } from '../../ownership.ts';
import { readText } from '../files.ts';
import type { Warn } from '../problems.ts';
import type { Environment } from '../../environment.ts';
import type { ConnectionSettings } from '../settings.ts';

export interface PassfileText {
  readonly path: string;
  readonly text: string;
}

type PassfileLogin = Pick<ConnectionSettings, 'host' | 'port' | 'database' | 'user'>;

/** Undefined if there is no file, or if libpq would not use it. Then a warning says why. */
export async function openPassfile(
  environment: Environment,
  warn: Warn,
  given?: string,
): Promise<PassfileText | undefined> {
  const named = given ?? (environment['PGPASSFILE'] || undefined);
  const path = named ?? join(environment['HOME'] || homedir(), '.pgpass');
  const found = await stat(path).catch(() => undefined);
  if (!found) {
    if (named !== undefined)
      warn(`${given === undefined ? 'PGPASSFILE' : 'passfile'} names ${path}, which does not exist`);
    return undefined;
  }
  const fault = found.isFile() ? await modeFault(path, found.mode) : 'is not a plain file';
  const { text, fault: unreadable } = fault === undefined ? await readText(path) : { fault };
  if (text !== undefined) return { path, text };
  warn(`the password file ${path} is not used: it ${unreadable}`);
  return undefined;
}

async function modeFault(path: string, mode: number): Promise<string | undefined> {
  if (process.platform === 'win32' || (mode & 0o077) === 0) return undefined;
  const shown = (mode & 0o777).toString(8).padStart(4, '0');
  return `can be read by other users (mode ${shown}); ${await protectCommand(path)}`;
}

/** The first matching line counts, even if its password is wrong. */
export function passwordIn({ text }: PassfileText, login: PassfileLogin): string | undefined {
  const wanted = [hostOf(login), String(login.port), login.database, login.user];
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) continue;
    const password = passwordAfter(wanted, line.replace(/\r+$/, ''));
    if (password !== undefined) return password || undefined;
  }
  return undefined;
}

/** Default socket directories of PostgreSQL and of Debian. For these, libpq looks for "localhost" in the file. */
const DEFAULT_SOCKETS = ['/tmp', '/var/run/postgresql'];
const hostOf = ({ host }: PassfileLogin): string => (DEFAULT_SOCKETS.includes(host) ? 'localhost' : host);

interface PassfileField {
  readonly raw: string;
  readonly value: string;
}

/** The field after the matching ones, up to the next unescaped colon. */
function passwordAfter(wanted: readonly string[], line: string): string | undefined {
  const fields = fieldsOf(line);
  const fits = wanted.every((value, index) => fields[index]?.raw === '*' || fields[index]?.value === value);
  return fits ? fields[wanted.length]?.value : undefined;
}

/** Colons separate fields. A backslash escapes the next character. */
function fieldsOf(line: string): PassfileField[] {
  const parts = line.match(/(?:^|:)(?:\\[^]|[^:\\]|\\$)*/g) ?? [];
  return parts.map((part, index) => {
    const raw = index === 0 ? part : part.slice(1);
    return { raw, value: raw.replaceAll(/\\([^])/g, '$1') };
  });
}
