/** Reads files, environment and flags into `Settings`, and reports all problems at once. */
import { access, constants } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { ifForeign } from '../ownership.ts';
import { lookAt } from './directory.ts';
import { DURATION_FORMS, parseDuration } from '../duration.ts';
import type { IncrepError } from '../errors.ts';
import { readConnection } from './connection/connection.ts';
import { namedVariables, readDestinations } from './connection/destinations.ts';
import {
  fromConnection,
  problemOf,
  readGivenDestinations,
  sidesOf,
  type GivenConfiguration,
} from './given-configuration.ts';
import { valueWithService } from './connection/service-file.ts';
import { checkEnvironment, readEnvFile, type Oddity } from './environment/env-file.ts';
import type { Problem } from './problems.ts';
import { configError, noPipeline, show } from './problems.ts';
import type { Environment } from '../environment.ts';
import type { PasswordMemory, SettingsReading } from './environment/reading.ts';
import { choiceOf, isSet, refuse, required, textOf } from './environment/reading.ts';
import { STATE_DIRECTORY } from './environment/variables.ts';
import { openNamesOf, secretsOf, withoutSecrets } from './environment/secrets.ts';
import type { Connections, LogSettings, NamedDestination, Settings } from './settings.ts';
import { withSavedPasswords } from './connection/saved-passwords.ts';
import { readTables, readTablesFile } from './tables/tables.ts';
import type { DefaultSchemas, RawEntry } from './tables/raw-entry.ts';
import type { Overrides, Values } from './environment/values.ts';
import { readNamedValues, readValues } from './environment/values.ts';
import { readUrl } from './web-address.ts';
import { readRetry } from './retry.ts';
import { readWebhook } from './webhook.ts';

interface ConfigurationRequest {
  /** The result of `resolveDirectory`. */
  readonly directory: string;
  readonly environment: Environment;
  /** Values of flags. They win over every other origin. */
  readonly overrides?: Overrides;
  /** What password commands printed in earlier runs of the same process. */
  readonly printed?: PasswordMemory['printed'];
  /** Instead of the files in the directory, which only relative paths then begin at. */
  readonly given?: GivenConfiguration | undefined;
}

/** The result, including a configuration with problems. */
export interface Configuration {
  /** Undefined if there are problems. */
  readonly settings: Settings | undefined;
  readonly error: IncrepError | undefined;
  /** False if the directory has neither `.env` nor tables-config.json. */
  readonly isPipeline: boolean;
  readonly values: Values;
  readonly connections: Connections | undefined;
  readonly entries: readonly RawEntry[];
  readonly homes: DefaultSchemas;
  /** As it is written in tables-config.json; undefined if it is not. */
  readonly writtenJobs: unknown;
  readonly writtenSchedule: unknown;
  readonly hasEnvFile: boolean;
  readonly secrets: readonly string[];
  readonly openNames: readonly string[];
  readonly warnings: readonly string[];
  readonly origins: Settings['origins'];
  /** Where a run that cannot start is reported. */
  readonly reporting: RunReporting;
}

export interface RunReporting extends Pick<
  Settings,
  'stateDirectory' | 'webhook' | 'healthcheckUrl' | 'metricsTextfile'
> {
  readonly pipeline: string | undefined;
}

/**
 * @param onRefused is called before the error is thrown, unless the directory is no pipeline
 * @throws IncrepError with all problems
 */
export async function loadSettings(
  request: ConfigurationRequest,
  onRefused?: (configuration: Configuration, error: IncrepError) => Promise<void>,
): Promise<Settings> {
  const configuration = await readConfiguration(request);
  const { settings, error, isPipeline } = configuration;
  if (settings) return settings;
  if (error && isPipeline) await onRefused?.(configuration, error);
  throw error;
}

export async function readConfiguration({
  directory,
  environment,
  overrides = {},
  printed = new Map(),
  given,
}: ConfigurationRequest): Promise<Configuration> {
  const problems: Problem[] = [];
  const warnings: string[] = [];
  const report = (problem: Problem) =>
    void problems.push(given ? problemOf(problem, sidesOf(given)) : problem);
  const warn = (message: string) => void warnings.push(message);

  // The tables file names variables, so it is read first. Its problems are reported last.
  const later: Problem[] = [];
  const file = given?.tables ?? (await readTablesFile(directory, (problem) => void later.push(problem)));
  const variables = namedVariables(file.destinations);
  const found = given ? undefined : await readEnvFile(directory, report, warn, variables);
  const envFile = found?.variables;
  // Without its content, nothing is known about missing variables.
  const isEnvUnreadable = envFile === undefined && problems.length > 0;
  const layers = { directory, environment, envFile: envFile ?? {}, report };
  const written = await readValues({ ...layers, overrides });
  const isUnreadable = isEnvUnreadable || problems.some(({ next }) => next !== undefined);
  const values = await withServices(written, layers);
  const named = await readNamedValues(variables, layers);
  const secrets: string[] = [];
  const passwords: PasswordMemory = { printed, learn: (password) => void secrets.push(password) };
  const reading: SettingsReading = { directory, values, environment, passwords, report, warn };
  checkEnvironment(environment, warn);
  const several =
    given && given.destinations.length > 1 ? await readGivenDestinations(reading, given) : undefined;
  const read = isUnreadable
    ? undefined
    : given
      ? await readGivenConnections(reading, given, several?.found)
      : isUnconfigured(envFile, values)
        ? reportUnconfigured(reading)
        : await readConnections(reading, { entries: file.destinations, named });
  const { connections, origins: savedOrigins } = await withSavedPasswords(
    read,
    environment,
    warn,
    passwords.learn,
  );
  const pipeline = readPipeline(reading);
  const stallTimeoutSeconds = readStallTimeout(reading);
  const retry = readRetry(reading);
  const webhook = readWebhook(reading);
  const metricsTextfile = readMetricsTextfile(reading);
  const healthcheckUrl = readUrl(reading, 'HEALTHCHECK_URL');
  const log = readLog(reading);
  reportCut(found?.oddities, { problems, environment, report });
  problems.push(...later);
  const homes = homesOf(reading);
  const { tables, patterns, entries, jobs, writtenJobs, writtenSchedule } = readTables(
    file,
    homes,
    report,
    warn,
  );

  secrets.push(
    ...secretsOf(connections, values, [...named.values(), ...(several?.secrets ?? [])]),
    ...secretsOf(undefined, written),
  );
  const openNames = openNamesOf(connections, tables, pipeline);
  const stateDirectory = resolve(directory, textOf(reading, 'STATE_DIR') ?? '');
  const origins = { ...originsOf(values), ...savedOrigins };
  const readable = {
    values,
    connections,
    entries,
    homes,
    writtenJobs,
    writtenSchedule,
    hasEnvFile: envFile !== undefined,
    secrets,
    openNames,
    warnings,
    origins,
    reporting: { pipeline, stateDirectory, webhook, healthcheckUrl, metricsTextfile },
  };
  const doubtful = found?.doubtful ?? [];
  if (problems.length > 0 || !connections || !log || pipeline === undefined || !stallTimeoutSeconds) {
    const isPipeline = problems.length < 2 || !problems.every(({ isAbsence }) => isAbsence);
    // A doubtful line may be why a variable counts as not set.
    const all = [...doubtful, ...problems.map((problem) => withOddity(problem, found?.oddities))];
    const error = isPipeline
      ? configError(withoutSecrets(all, secrets, openNames), given ? undefined : directory, {
          pipeline,
          alsoForeign: await foreignState(directory),
        })
      : noPipeline(directory);
    return { ...readable, isPipeline, settings: undefined, error };
  }
  for (const { where, what } of doubtful) warn(`${where}: ${what}; it is ignored`);
  const settings: Settings = {
    directory,
    pipeline,
    ...connections,
    destinationLabel: undefined,
    tables,
    patterns,
    jobs,
    stateDirectory,
    stallTimeoutSeconds,
    retry,
    webhook,
    metricsTextfile,
    healthcheckUrl,
    log,
    secrets,
    openNames,
    warnings,
    origins,
  };
  return { ...readable, isPipeline: true, settings, error: undefined };
}

/**
 * The usual state directory, if it belongs to another user: a run as root can have made it together with the files. Or
 * the directory of the pipeline, if a run could not create it there.
 */
async function foreignState(directory: string): Promise<readonly string[]> {
  const state = join(directory, STATE_DIRECTORY);
  const canCreate = await access(directory, constants.W_OK).then(
    () => true,
    () => false,
  );
  const isThere = canCreate || lookAt(state) === 'directory';
  return [await ifForeign(isThere ? state : directory)].filter((path) => path !== undefined);
}

type Oddities = ReadonlyMap<string, Oddity>;

/** A value that was cut can still be a valid one: the name of another database, for example. */
function reportCut(
  oddities: Oddities = new Map(),
  {
    problems,
    environment,
    report,
  }: Pick<SettingsReading, 'environment' | 'report'> & { problems: readonly Problem[] },
): void {
  for (const [name, { what, isCut }] of oddities) {
    const isUsed = !environment[name] && !environment[`${name}_FILE`];
    if (isCut && isUsed && !problems.some((problem) => variableOf(problem) === name))
      report({ where: `${name} (.env)`, what: cutText(what) });
  }
}

const cutText = (what: Oddity['what']): string => `the value ${what}`;

/** The variable whose value in .env may be what the problem is about. */
function variableOf({ where }: Problem): string | undefined {
  const [name = ''] = /^\w+/.exec(where) ?? [];
  return [name, `${name} (.env)`].includes(where) ? name : undefined;
}

/** The way in which a value is read may be why it is wrong. */
function withOddity(problem: Problem, oddities: Oddities = new Map()): Problem {
  const oddity = oddities.get(variableOf(problem) ?? '');
  return oddity === undefined || problem.what === cutText(oddity.what)
    ? problem
    : { ...problem, what: `${cutText(oddity.what)} (as it is read, this is wrong: ${problem.what})` };
}

/** The URLs of both sides, with the parameters of the services that they name. */
async function withServices(
  written: Values,
  place: Pick<ConfigurationRequest, 'directory' | 'environment'>,
): Promise<Values> {
  const values = new Map(written);
  for (const name of ['SOURCE_URL', 'DEST_URL'] as const) {
    const value = written.get(name);
    if (value) values.set(name, await valueWithService(value, place));
  }
  return values;
}

/** Also read if the connections have problems, because the table names do not depend on them. */
function homesOf(reading: SettingsReading): DefaultSchemas {
  const source = textOf(reading, 'SOURCE_SCHEMA') ?? '';
  const destination = isSet(reading, 'DEST_SCHEMA') ? textOf(reading, 'DEST_SCHEMA') : undefined;
  return {
    source: { schema: source, isSchemaGiven: isSet(reading, 'SOURCE_SCHEMA') },
    destination: { schema: destination ?? source, isSchemaGiven: destination !== undefined },
  };
}

const originsOf = (values: Values): Record<string, string> =>
  Object.fromEntries([...values].map(([name, { origin }]) => [name, origin]));

/** For a directory that was never set up, one sentence replaces the list of missing variables. */
function isUnconfigured(envFile: Environment | undefined, values: Values): boolean {
  return envFile === undefined && ![...values.keys()].some((name) => /^(SOURCE|DEST)_/.test(name));
}

function reportUnconfigured({ directory, report }: SettingsReading): undefined {
  const what = `${join(directory, '.env')} does not exist, and no SOURCE_ or DEST_ variable is set`;
  report({
    where: '.env',
    what: `${what}; to write .env by hand, see "increp help configuration"; to create a pipeline, run "increp init"`,
    isAbsence: true,
  });
}

async function readConnections(
  reading: SettingsReading,
  listed: Parameters<typeof readDestinations>[1],
): Promise<Connections | undefined> {
  const source = await readConnection(reading, 'SOURCE');
  const several = await readDestinations(reading, listed);
  const destination = several ? several[0]?.connection : await readConnection(reading, 'DEST');
  return source && destination ? { source, destination, destinations: several ?? [] } : undefined;
}

async function readGivenConnections(
  reading: SettingsReading,
  given: GivenConfiguration,
  several: readonly NamedDestination[] = [],
): Promise<Connections | undefined> {
  const source = await readConnection(reading, 'SOURCE');
  const { source: name, destination: only } = sidesOf(given);
  const single = only === undefined ? undefined : await readConnection(reading, 'DEST');
  const destination = single && only !== undefined ? fromConnection(single, only) : several[0]?.connection;
  return source && destination
    ? { source: fromConnection(source, name), destination, destinations: several }
    : undefined;
}

/** The root directory has no name. */
function readPipeline(reading: SettingsReading): string | undefined {
  return (
    (textOf(reading, 'PIPELINE_NAME') ?? basename(reading.directory)) || required(reading, 'PIPELINE_NAME')
  );
}

/** A shorter time would query the server too often. */
function readStallTimeout(reading: SettingsReading): number | undefined {
  const text = textOf(reading, 'STALL_TIMEOUT') ?? '';
  const seconds = parseDuration(text);
  if (seconds !== undefined && seconds >= 1 && seconds <= 86_400) return seconds;
  return refuse(reading, 'STALL_TIMEOUT', {
    what: `${show(text)} is not a duration from 1s to 24h`,
    allowed: DURATION_FORMS,
  });
}

function readMetricsTextfile(reading: SettingsReading): string | undefined {
  const text = textOf(reading, 'METRICS_TEXTFILE');
  if (text === undefined) return undefined;
  if (!text.endsWith('.prom')) {
    reading.warn(`METRICS_TEXTFILE does not end in .prom, so node_exporter will not read ${show(text)}`);
  }
  return resolve(reading.directory, text);
}

function readLog(reading: SettingsReading): LogSettings | undefined {
  const level = choiceOf(reading, 'LOG_LEVEL', ['trace', 'debug', 'info', 'warn', 'error', 'silent']);
  const format = choiceOf(reading, 'LOG_FORMAT', ['auto', 'pretty', 'json']);
  return level && format && { level, format };
}
