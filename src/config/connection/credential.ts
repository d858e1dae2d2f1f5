/** Passwords that stay, and passwords that are read again: from a file, or from a command. */
import { join } from 'node:path';
import { parseDuration, DURATION_FORMS } from '../../duration.ts';
import { readCommand } from '../../shell-word.ts';
import type { SettingsReading, PrintedPassword } from '../environment/reading.ts';
import { isSet, refuse, textOf } from '../environment/reading.ts';
import type { ConnectionPrefix, VariableName } from '../environment/variables.ts';
import { show } from '../problems.ts';
import type { Credential, CredentialWait } from '../settings.ts';
import { parseConnectionUrl } from './connection-url.ts';
import { runPasswordCommand } from './password-command.ts';

export const fixedCredential = (password: string | undefined): Credential => ({
  known: password,
  origin: undefined,
  current: () => Promise.resolve(password),
  renewed: () => Promise.resolve(undefined),
});

interface ChangingPassword {
  /** The place that messages name. */
  readonly origin: string;
  /** Undefined if the first connection reads the password. */
  readonly first: PrintedPassword | undefined;
  readonly read: (wait: CredentialWait) => Promise<string | undefined>;
  readonly ttlSeconds?: number;
  readonly learn: (found: PrintedPassword) => void;
}

/** All connections of a side share one read. */
export function changingCredential({
  origin,
  first,
  read,
  ttlSeconds = Infinity,
  learn,
}: ChangingPassword): Credential {
  let last = first;
  let reading: Promise<string | undefined> | undefined;
  const readOnce = async (wait: CredentialWait): Promise<string | undefined> => {
    const password = await read(wait);
    if (password === undefined) return undefined;
    last = { password, at: performance.now() };
    learn(last);
    return password;
  };
  const readAgain = (wait: CredentialWait) =>
    (reading ??= readOnce(wait).finally(() => (reading = undefined)));
  const isFresh = ({ at }: PrintedPassword) => performance.now() - at < ttlSeconds * 1000;
  return {
    get known() {
      return last?.password;
    },
    origin,
    current: async (wait) => (last && isFresh(last) ? last.password : readAgain(wait)),
    renewed: async (refused, wait) => {
      // Another connection was refused earlier, and has read it already.
      if (!reading && last && last.password !== refused) return last.password;
      const password = await readAgain(wait);
      return password === refused ? undefined : password;
    },
  };
}

/** @param inUrl the password of the URL. Undefined if a problem was reported. */
export function readCredential(
  reading: SettingsReading,
  prefix: ConnectionPrefix,
  inUrl: string | undefined,
): Credential | undefined {
  if (isSet(reading, `${prefix}_PASSWORD_COMMAND`)) return ofCommand(reading, prefix, inUrl);
  if (isSet(reading, `${prefix}_PASSWORD_TTL`))
    return refuse(reading, `${prefix}_PASSWORD_TTL`, {
      what: `has no effect without ${prefix}_PASSWORD_COMMAND; set that variable, or remove this one`,
    });
  if (inUrl !== undefined && isSet(reading, `${prefix}_PASSWORD`))
    return refuse(reading, `${prefix}_PASSWORD`, {
      what: `set together with the password in ${prefix}_URL (${reading.values.get(`${prefix}_URL`)?.origin}); remove one of them`,
    });
  const name: VariableName = inUrl === undefined ? `${prefix}_PASSWORD` : `${prefix}_URL`;
  const value = reading.values.get(name);
  const password = name === `${prefix}_URL` ? inUrl : value?.text;
  const { reread } = value ?? {};
  if (password === undefined || !value || !reread) return fixedCredential(password);
  return changingCredential({
    origin: value.origin,
    first: { password, at: performance.now() },
    read: async () => {
      const text = await reread();
      return text !== undefined && name === `${prefix}_URL` ? passwordOfUrl(text) : text;
    },
    learn: (found) => reading.passwords.learn(found.password),
  });
}

function passwordOfUrl(text: string): string | undefined {
  const parsed = parseConnectionUrl(text);
  return 'faults' in parsed ? undefined : parsed.password;
}

function ofCommand(
  reading: SettingsReading,
  prefix: ConnectionPrefix,
  inUrl: string | undefined,
): Credential | undefined {
  const name: VariableName = `${prefix}_PASSWORD_COMMAND`;
  const text = textOf(reading, name) ?? '';
  const other = otherPassword(reading, prefix, inUrl);
  if (other !== undefined)
    return refuse(reading, name, { what: `set together with ${other}; remove one of them` });
  const command = readCommand(text);
  if ('fault' in command) return refuse(reading, name, { what: command.fault });
  const ttlSeconds = readTtl(reading, prefix);
  if (ttlSeconds === undefined) return undefined;
  const { passwords, directory, environment } = reading;
  const key = JSON.stringify([name, text]);
  const first = passwords.printed.get(key);
  if (first) passwords.learn(first.password);
  return changingCredential({
    origin: name,
    first,
    read: (wait) => runPasswordCommand({ name, words: command.words, directory, environment }, wait),
    ttlSeconds,
    learn: (found) => {
      passwords.learn(found.password);
      passwords.printed.set(key, found);
    },
  });
}

type PasswordSources = Pick<SettingsReading, 'values' | 'environment'>;

/** The variable or the file that a user changes for another password. */
export function passwordPlace(
  { values, environment }: PasswordSources,
  prefix: ConnectionPrefix,
): string | undefined {
  if (values.has(`${prefix}_PASSWORD_COMMAND`)) return `${prefix}_PASSWORD_COMMAND`;
  const password = values.get(`${prefix}_PASSWORD`);
  return password && placeOf({ values, environment }, `${prefix}_PASSWORD`);
}

/** A file of systemd credentials has no variable of its own. */
function placeOf({ values, environment }: PasswordSources, name: VariableName): string {
  const { reread, origin } = values.get(name) ?? {};
  const folder = environment['CREDENTIALS_DIRECTORY'];
  if (!reread || origin === undefined) return name;
  return folder && origin === join(folder, name) ? `the password in ${origin}` : `${name}_FILE`;
}

/** The other place of a password, with its origin. */
function otherPassword(
  reading: SettingsReading,
  prefix: ConnectionPrefix,
  inUrl: string | undefined,
): string | undefined {
  const password = reading.values.get(`${prefix}_PASSWORD`);
  const place = placeOf(reading, `${prefix}_PASSWORD`);
  if (password) return place.includes(password.origin) ? place : `${place} (${password.origin})`;
  return inUrl === undefined ? undefined : `the password in ${prefix}_URL`;
}

function readTtl(reading: SettingsReading, prefix: ConnectionPrefix): number | undefined {
  const text = textOf(reading, `${prefix}_PASSWORD_TTL`);
  if (text === undefined) return Infinity;
  const seconds = parseDuration(text);
  if (seconds !== undefined && seconds >= 1) return seconds;
  return refuse(reading, `${prefix}_PASSWORD_TTL`, {
    what: `${show(text)} is not a duration of at least 1s`,
    allowed: DURATION_FORMS,
  });
}
