/**
 * The effective settings and the origin of each, for `increp config`. This also works for an invalid configuration.
 */
import { basename } from 'node:path';
import * as z from 'zod';
import { redactor, type Redact } from '../redact.ts';
import type { TableName } from '../schema/names.ts';
import { ADDRESS } from './connection/destinations.ts';
import { serverNames } from './connection/servers.ts';
import { parseConnectionUrl } from './connection/connection-url.ts';
import type { Configuration } from './load.ts';
import { DELETE_LIMIT, namesOf } from './tables/table-settings.ts';
import type { DefaultSchemas } from './tables/raw-entry.ts';
import { tableSchema } from './tables/tables-schema.ts';
import { neverDrops } from './tables/writing-contradictions.ts';
import type { Prefix, Variable, VariableName } from './environment/variables.ts';
import { VARIABLES } from './environment/variables.ts';

export interface EffectiveSetting {
  readonly name: string;
  /** The value as it is written, or `***` for a secret. Null if there is none. */
  readonly value: string | null;
  /** `.env`, a path, `default`, or the variable that replaces it. Null if there is none. */
  readonly from: string | null;
}

export interface EffectiveOption {
  readonly name: string;
  /** The name in tables-config.json. */
  readonly value: unknown;
  readonly from: 'the table' | 'defaults' | 'built in' | VariableName | 'the schema of the table';
}

export interface EffectiveTable {
  readonly name: string;
  readonly source: TableName;
  readonly options: readonly EffectiveOption[];
}

const MASK = '***';

export function effectiveSettings(configuration: Configuration, directory: string): EffectiveSetting[] {
  const redact = redactor(configuration.secrets, configuration.openNames);
  // Each destination has an address of its own.
  const hasSeveral =
    configuration.values.has('DEST_URLS') || (configuration.connections?.destinations ?? []).length > 0;
  const variables = VARIABLES.map((variable) => {
    const { value, from } =
      written(configuration, variable) ??
      ofUrl(configuration, variable) ??
      ofElsewhere(configuration, variable.name, directory) ??
      (hasSeveral && ADDRESS.includes(variable.name) ? NOT_SET : ofDefault(variable));
    const shown = value === null ? null : masked(variable, value, redact);
    return { name: variable.name, value: shown, from };
  });
  const { writtenJobs: jobs, writtenSchedule: schedule } = configuration;
  const inTables = (name: string, value: unknown) => ({
    name,
    value: redact(JSON.stringify(value)),
    from: 'tables-config.json',
  });
  return [
    ...variables,
    jobs === undefined ? { name: 'jobs', value: '1', from: 'default' } : inTables('jobs', jobs),
    ...(schedule === undefined ? [] : [inTables('schedule', schedule)]),
  ];
}

type UnnamedSetting = Omit<EffectiveSetting, 'name'>;

const NOT_SET: UnnamedSetting = { value: null, from: null };

/** Masks the whole secret, including its length. A URL in the wrong variable may also contain a password. */
const masked = ({ isSecret }: Variable, value: string, redact: Redact): string =>
  isSecret || value.includes('://') ? MASK : redact(value);

function written({ values, origins }: Configuration, { name }: Variable): UnnamedSetting | undefined {
  const value = values.get(name);
  if (value) return { value: value.text, from: value.origin };
  // A password from the password file is not the value of a variable.
  return origins[name] === undefined ? undefined : { value: MASK, from: origins[name] };
}

const PARTS: Readonly<Record<string, 'host' | 'port' | 'user' | 'password' | 'database'>> = {
  HOST: 'host',
  PORT: 'port',
  USERNAME: 'user',
  PASSWORD: 'password',
  DB: 'database',
};

function ofUrl({ values }: Configuration, { name }: Variable): UnnamedSetting | undefined {
  const [prefix = '', field = ''] = name.split(/_(.*)/);
  const url = values.get(`${prefix as Prefix}_URL`);
  const parsed = url && /^(SOURCE|DEST)$/.test(prefix) ? parseConnectionUrl(url.text) : undefined;
  if (!parsed || 'faults' in parsed) return undefined;
  const part = PARTS[field];
  const tls: Readonly<Record<string, string | undefined>> = parsed.tls;
  const value = part === undefined ? (tls[field] ?? parsed.session.get(field.toLowerCase())) : parsed[part];
  return value ? { value, from: `${prefix}_URL` } : undefined;
}

/** Defaults that depend on another setting. */
function ofElsewhere(
  configuration: Configuration,
  name: VariableName,
  directory: string,
): UnnamedSetting | undefined {
  if (name === 'PIPELINE_NAME' && basename(directory) !== '')
    return { value: basename(directory), from: 'the name of the directory' };
  const schema = configuration.values.get('SOURCE_SCHEMA');
  return name === 'DEST_SCHEMA' ? { value: schema?.text ?? 'public', from: 'SOURCE_SCHEMA' } : undefined;
}

const ofDefault = (variable: Variable): UnnamedSetting =>
  variable.default === undefined ? { value: null, from: null } : { value: variable.default, from: 'default' };

export interface EffectiveDestination {
  readonly name: string;
  /** Without the password: `writer@wh:5432/analytics`. */
  readonly address: string;
  readonly schema: string;
  readonly from: string;
}

/** Empty if the pipeline has one destination, which the variables describe. */
export const effectiveDestinations = ({ connections }: Configuration): EffectiveDestination[] =>
  (connections?.destinations ?? []).map(({ name, connection, origin }) => {
    const { user, database, schema } = connection;
    return { name, address: `${user}@${serverNames(connection)}/${database}`, schema, from: origin };
  });

interface OptionSchema {
  readonly default?: unknown;
  readonly not?: object;
}

/** Options of later versions take no value. */
function knownOptions(): (readonly [string, unknown])[] {
  const { properties = {} } = z.toJSONSchema(tableSchema, { io: 'input' });
  return Object.entries(properties as Record<string, OptionSchema>)
    .filter(([key, { not }]) => !not && key !== 'name')
    .map(([key, option]) => [key, option.default ?? null] as const);
}

/** The names and options of the tables, whether they are valid or not. */
export function effectiveTables({ entries, homes }: Configuration): EffectiveTable[] {
  const known = knownOptions();
  return entries.flatMap((entry) => {
    const { value, defaults } = entry;
    const own: Readonly<Record<string, unknown>> =
      typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
    const name = own['name'];
    if (typeof name !== 'string') return [];
    const asWritten = { schema: homes.source.schema, table: name };
    const { name: label = name, source = asWritten, destination } = namesOf(entry, homes);
    const options = known.map(([key, builtIn]) =>
      optionOf(key, {
        own,
        defaults,
        builtIn: elsewhere(key, homes, destination) ?? ofOthers(key, { ...defaults, ...own }) ?? of(builtIn),
      }),
    );
    return [{ name: label, source, options }];
  });
}

type Unsaid = Omit<EffectiveOption, 'name'>;

const of = (value: unknown): Unsaid => ({ value, from: 'built in' });

/** Defaults that depend on another setting. */
function elsewhere(
  key: string,
  { source, destination }: DefaultSchemas,
  copy: TableName | undefined,
): Unsaid | undefined {
  if (key === 'dest_name') return of(copy?.table);
  if (key === 'schema') return { value: source.schema, from: 'SOURCE_SCHEMA' };
  if (key !== 'dest_schema') return undefined;
  return { value: copy?.schema, from: destination.isSchemaGiven ? 'DEST_SCHEMA' : 'the schema of the table' };
}

/** Defaults that depend on other options of the table. */
function ofOthers(key: string, options: Readonly<Record<string, unknown>>): Unsaid | undefined {
  if (key === 'delete_limit') return options['mode'] === 'full-refresh' ? undefined : of(DELETE_LIMIT);
  const { data } = key === 'dropped_columns' ? tableSchema.safeParse(options) : {};
  return data && of(neverDrops(data) ? 'keep' : 'drop');
}

interface Sources {
  readonly own: Readonly<Record<string, unknown>>;
  readonly defaults: Readonly<Record<string, unknown>>;
  readonly builtIn: Unsaid;
}

function optionOf(key: string, { own, defaults, builtIn }: Sources): EffectiveOption {
  if (key in own) return { name: key, value: own[key], from: 'the table' };
  if (key in defaults) return { name: key, value: defaults[key], from: 'defaults' };
  return { name: key, ...builtIn };
}
