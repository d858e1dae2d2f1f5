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

export const passwordIn = (file: PassfileText, login: PassfileLogin): string | undefined =>
  lineFor(file, login)?.password || undefined;

/** The line of the password, for messages. A colon that is not escaped cuts the password. */
export function passwordLine(file: PassfileText, login: PassfileLogin): string | undefined {
  const line = lineFor(file, login);
  if (!line?.password) return undefined;
  const rest = line.isCut
    ? ', which has more than five fields (write ":" in a password as "\\:", and "\\" as "\\\\")'
    : '';
  return `line ${line.number} of ${file.path}${rest}`;
}

interface PassfileLine {
  readonly number: number;
  readonly password: string;
  readonly isCut: boolean;
}

/** The first matching line counts, even if its password is wrong. */
function lineFor({ text }: PassfileText, login: PassfileLogin): PassfileLine | undefined {
  const wanted = [hostOf(login), String(login.port), login.database, login.user];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.startsWith('#')) continue;
    const fields = fieldsOf(line.replace(/\r+$/, ''));
    const fits = wanted.every((value, at) => fields[at]?.raw === '*' || fields[at]?.value === value);
    const password = fits ? fields[wanted.length]?.value : undefined;
    if (password !== undefined)
      return { number: index + 1, password, isCut: fields.length > wanted.length + 1 };
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

/** Colons separate fields. A backslash escapes the next character. */
function fieldsOf(line: string): PassfileField[] {
  const parts = line.match(/(?:^|:)(?:\\[^]|[^:\\]|\\$)*/g) ?? [];
  return parts.map((part, index) => {
    const raw = index === 0 ? part : part.slice(1);
    return { raw, value: raw.replaceAll(/\\([^])/g, '$1') };
  });
}
