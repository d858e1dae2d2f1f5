/**
 * Several destinations of one pipeline, from `DEST_URLS` or from `destinations` in tables-config.json. Each name is
 * also a directory.
 */
import { join } from 'node:path';
import * as z from 'zod';
import { bastionName } from './bastion.ts';
import { parseConnectionUrl, TLS_PARAMETER_FIELDS } from './connection-url.ts';
import { readConnection } from './connection.ts';
import { show } from '../problems.ts';
import type { SettingsReading } from '../environment/reading.ts';
import { isSet, refuse, textOf } from '../environment/reading.ts';
import { serverNames } from './servers.ts';
import { derivedName } from './derived-name.ts';
import { placeOf, problemsOf } from '../tables/schema-problems.ts';
import { splitUrls } from '../environment/split-urls.ts';
import type { ConnectionSettings, NamedDestination, Settings } from '../settings.ts';
import { destinationSchema } from '../tables/tables-schema.ts';
import type { Value } from '../environment/values.ts';
import type { VariableName } from '../environment/variables.ts';
import { valueWithService } from './service-file.ts';

/** The allowed name of a destination. It is a directory, the value of an option and a label. */
const DESTINATION_NAME = /^[a-z0-9][a-z0-9_-]{0,39}$/;
const NAME_FORM = '1 to 40 of a-z, 0-9, - and _, the first a letter or digit';

/** One destination as it is written, before its URL is parsed. */
interface WrittenDestination {
  readonly name: string | undefined;
  /** Undefined if a problem was reported. */
  readonly url: string | undefined;
  readonly reread?: Value['reread'];
  readonly schema: string | undefined;
  readonly ssh?: string | undefined;
  /** The place that a message about a wrong URL names. */
  readonly where: string;
  /** The origin of the URL, for messages. */
  readonly origin: string;
}

/** The settings that differ between destinations. */
export const ADDRESS: readonly VariableName[] = [
  'DEST_URL',
  'DEST_HOST',
  'DEST_PORT',
  'DEST_USERNAME',
  'DEST_DB',
];

/** A password of one destination must not reach the server of another one. */
const PASSWORD: readonly VariableName[] = ['DEST_PASSWORD', 'DEST_PASSWORD_COMMAND', 'DEST_PASSWORD_TTL'];

function fromUrls(reading: SettingsReading): WrittenDestination[] {
  const { origin = '', reread: rereadAll } = reading.values.get('DEST_URLS') ?? {};
  return splitUrls(textOf(reading, 'DEST_URLS') ?? '').map(({ name, url }, index): WrittenDestination => {
    const where = `DEST_URLS (${origin}), destination ${name ?? index + 1}`;
    if (url === undefined)
      reading.report({
        where,
        what: 'not a connection URL; write each destination as NAME=postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or as NAME=host=HOST dbname=DATABASE user=USER, separated by white space',
      });
    const reread = rereadAll && (async () => splitUrls((await rereadAll()) ?? '')[index]?.url);
    return { name, url, reread, schema: undefined, where, origin: 'DEST_URLS' };
  });
}

interface Listed {
  readonly entries: readonly unknown[];
  /** The values of the variables that url_env names. */
  readonly named: ReadonlyMap<string, Value>;
}

function fromFile(reading: SettingsReading, { entries, named }: Listed): WrittenDestination[] {
  return entries.flatMap((entry, index): WrittenDestination[] => {
    const path = ['destinations', index];
    const { data, error } = destinationSchema.safeParse(entry);
    if (!data) {
      const knownKeys = Object.keys(destinationSchema.shape);
      problemsOf(error.issues, { value: entry, path, knownKeys }).forEach(reading.report);
      return [];
    }
    const refused = (key: string, what: string): WrittenDestination[] => {
      reading.report({ where: placeOf([...path, key]), what });
      return [{ name: data.name, url: undefined, schema: data.schema, where: placeOf(path), origin: '' }];
    };
    if ((data.url === undefined) === (data.url_env === undefined))
      return refused(
        data.url === undefined ? 'url_env' : 'url',
        data.url === undefined
          ? 'missing; name the variable that holds the URL, such as "WAREHOUSE_URL"'
          : 'set together with url_env; remove one of them',
      );
    if (data.url !== undefined) {
      const parsed = parseConnectionUrl(data.url);
      if (!('faults' in parsed) && parsed.password !== undefined)
        return refused(
          'url',
          'contains a password, and this file is not secret; use .pgpass, or name a variable in url_env',
        );
      const where = placeOf([...path, 'url']);
      return [{ name: data.name, url: data.url, schema: data.schema, ssh: data.ssh, where, origin: where }];
    }
    const variable = data.url_env ?? '';
    const value = named.get(variable);
    if (!value) return refused('url_env', `the variable ${variable} is not set`);
    const where = `${variable} (${value.origin})`;
    const { text: url, reread } = value;
    return [{ name: data.name, url, reread, schema: data.schema, ssh: data.ssh, where, origin: variable }];
  });
}

/** The variables that `destinations` names. This is read first, and problems in the list are reported later. */
export const namedVariables = (entries: readonly unknown[] | undefined): string[] =>
  (entries ?? []).flatMap((entry) => {
    const name = z.object({ url_env: z.string() }).safeParse(entry).data?.url_env;
    return name === undefined ? [] : [name];
  });

/** Undefined if the pipeline has one destination, in the DEST_ variables. Empty if a problem was reported. */
export async function readDestinations(
  reading: SettingsReading,
  listed: { readonly entries: readonly unknown[] | undefined; readonly named: ReadonlyMap<string, Value> },
): Promise<readonly NamedDestination[] | undefined> {
  const hasUrls = isSet(reading, 'DEST_URLS');
  if (!hasUrls && !listed.entries) return undefined;
  refuseOthers(reading, hasUrls, listed.entries !== undefined);
  const written = listed.entries
    ? fromFile(reading, { entries: listed.entries, named: listed.named })
    : fromUrls(reading);
  if (written.length === 0 && (listed.entries ?? []).length === 0)
    reading.report({
      where: listed.entries ? placeOf(['destinations']) : 'DEST_URLS',
      what: 'there are no destinations',
    });
  const found: NamedDestination[] = [];
  for (const each of written) {
    const destination = await readOne(reading, each);
    if (destination) found.push(destination);
  }
  refuseAlike(reading, found);
  return found;
}

function refuseOthers(reading: SettingsReading, hasUrls: boolean, isListed: boolean): void {
  const what = isListed ? 'destinations of tables-config.json' : 'DEST_URLS';
  for (const name of [...ADDRESS, ...(isListed && hasUrls ? (['DEST_URLS'] as const) : [])])
    if (isSet(reading, name))
      refuse(reading, name, { what: `set together with ${what}; use one way to name the destinations` });
  for (const name of PASSWORD)
    if (isSet(reading, name))
      refuse(reading, name, {
        what: `set together with ${what}, where each destination has a password of its own; write them into a password file (.pgpass), which is read again after a failed login`,
      });
}

async function readOne(
  reading: SettingsReading,
  written: WrittenDestination,
): Promise<NamedDestination | undefined> {
  const { where, origin, reread } = written;
  const value =
    written.url === undefined
      ? undefined
      : await valueWithService({ text: written.url, origin: where, ...(reread && { reread }) }, reading);
  const name = written.name ?? (value && derivedName(value.text));
  if (name !== undefined && !DESTINATION_NAME.test(name)) {
    reading.report({ where, what: `${show(name)} is not a valid destination name`, allowed: NAME_FORM });
    return undefined;
  }
  if (value === undefined) return undefined;
  const connection = await readConnection(readingOf(reading, written, value), 'DEST');
  return connection && name !== undefined
    ? { name, connection: { ...connection, urlFrom: origin }, origin }
    : undefined;
}

/** Reads it like a single destination. Messages name the place where its own URL is written. */
function readingOf(
  reading: SettingsReading,
  { where, schema, ssh }: WrittenDestination,
  value: Value,
): SettingsReading {
  const values = new Map<VariableName, Value>(reading.values);
  for (const name of [...ADDRESS, ...PASSWORD]) values.delete(name);
  values.set('DEST_URL', value);
  if (schema !== undefined) values.set('DEST_SCHEMA', { text: schema, origin: where });
  if (ssh !== undefined) values.set('DEST_SSH', { text: ssh, origin: where });
  // Without a bastion, the command that all destinations share has no effect for this one.
  if (ssh === undefined && !values.has('DEST_SSH')) values.delete('DEST_SSH_COMMAND');
  const parsed = parseConnectionUrl(value.text);
  // The parameters of a URL win over the variables that all destinations share.
  if (!('faults' in parsed))
    for (const field of TLS_PARAMETER_FIELDS)
      if (parsed.tls[field] !== undefined) values.delete(`DEST_${field}`);
  return {
    ...reading,
    values,
    report: (problem) =>
      reading.report(problem.where.startsWith('DEST_URL ') ? { ...problem, where } : problem),
  };
}

const addressOf = (connection: ConnectionSettings): string =>
  JSON.stringify([
    // The same name can be another server from behind a bastion.
    connection.bastion ? bastionName(connection.bastion) : '',
    serverNames(connection).toLowerCase(),
    connection.database,
    connection.schema,
  ]);

export function refuseAlike(reading: SettingsReading, found: readonly NamedDestination[]): void {
  found.forEach(({ name, connection, origin }, index) => {
    const before = found.slice(0, index);
    const twin = before.find((other) => addressOf(other.connection) === addressOf(connection));
    if (twin) {
      const what = `the destinations "${twin.name}" and "${name}" are the same schema of the same database`;
      reading.report({ where: origin, what });
    } else if (before.some((other) => other.name === name)) {
      const what = `two destinations have the name ${show(name)}; give each its own name, as in NAME=postgresql://...`;
      reading.report({ where: origin, what });
    }
  });
}

/** The settings for one of several destinations: like a pipeline of its own, with the same source. */
export const settingsFor = (settings: Settings, { name, connection }: NamedDestination): Settings => ({
  ...settings,
  destination: connection,
  destinationLabel: name,
  stateDirectory: join(settings.stateDirectory, name),
});
