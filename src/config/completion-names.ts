/**
 * The names of tables and destinations for completion. It reads them fast, without a schema, and returns nothing on
 * an error.
 */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { derivedName } from './connection/derived-name.ts';
import type { Environment } from '../environment.ts';
import { splitUrls } from './environment/split-urls.ts';

/** @param flag the value of -C */
export const tableNamesForCompletion = (
  flag: string | undefined,
  environment: Environment,
): readonly string[] =>
  orNothing(() => {
    const document = tablesFile(flag, environment);
    const tables: unknown = Array.isArray(document) ? document : fieldOf(document, 'tables');
    const shared = Array.isArray(document) ? undefined : fieldOf(document, 'defaults');
    return Array.isArray(tables) ? tables.flatMap((table) => nameOf(table, shared) ?? []) : [];
  });

/** The names of several destinations, as far as they are known without reading the variables. */
export const destinationNamesForCompletion = (
  flag: string | undefined,
  environment: Environment,
): readonly string[] => [
  ...orNothing(() => {
    const listed = fieldOf(tablesFile(flag, environment), 'destinations');
    if (!Array.isArray(listed)) return [];
    return listed.flatMap((each) => {
      const name = fieldOf(each, 'name');
      return typeof name === 'string' ? name : (derivedOf(fieldOf(each, 'url')) ?? []);
    });
  }),
  ...orNothing(() => {
    const text = environment['DEST_URLS'] || urlsIn(fileOf('.env', flag, environment));
    return splitUrls(text).flatMap(({ name, url }) => name ?? derivedOf(url) ?? []);
  }),
];

/** Reads the usual forms only. dotenv reads more, but takes longer than the TAB key may. */
function urlsIn(envFile: string): string {
  const [, , quoted, bare] =
    /^\s*(?:export\s+)?DEST_URLS\s*=\s*(?:(['"`])([^]*?)\1|([^#\n]*))/m.exec(envFile) ?? [];
  return quoted ?? bare ?? '';
}

const derivedOf = (url: unknown) => (typeof url === 'string' ? derivedName(url) : undefined);

function orNothing(read: () => readonly string[]): readonly string[] {
  try {
    return read();
  } catch {
    return [];
  }
}

const fileOf = (name: string, flag: string | undefined, environment: Environment): string =>
  readFileSync(join(resolve(atHome(flag) ?? (environment['INCREP_DIR'] || '.')), name), 'utf8');

const tablesFile = (flag: string | undefined, environment: Environment): unknown =>
  JSON.parse(fileOf('tables-config.json', flag, environment).replace(/^\uFEFF/, ''));

/** The shell has not expanded `~` in a word that is still being typed. */
const atHome = (flag: string | undefined) => flag?.replace(/^~(?=\/|$)/, homedir());

const fieldOf = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[key] : undefined;

/** With its schema if the entry names one. A name with SOURCE_SCHEMA is valid too. */
function nameOf(table: unknown, defaults: unknown): string | undefined {
  const name = fieldOf(table, 'name');
  const schema = fieldOf(table, 'schema') ?? fieldOf(defaults, 'schema');
  if (typeof name !== 'string' || name === '') return undefined;
  return typeof schema === 'string' ? `${schema}.${name}` : name;
}
