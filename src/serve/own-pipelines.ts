/** The pipelines whose connections this worker has, and why it lacks those of the others. */
import { join } from 'node:path';
import { effectiveSettings } from '../config/effective.ts';
import { readConfiguration, type Configuration } from '../config/load.ts';
import type { GivenConfiguration } from '../config/given-configuration.ts';
import { prefixOf, resolveConnections } from '../config/service/connections.ts';
import { outlineOfDefinition } from '../config/service/definition.ts';
import { readOutline, type ScheduledEntry } from '../config/service/schedules.ts';
import type { ConnectionSettings, Settings } from '../config/settings.ts';
import { endpointFor } from '../postgres/endpoint.ts';
import { findPipelines, type PipelineDirectory } from '../config/service/pipeline-directories.ts';
import { environmentOf } from '../config/service/pipeline-environment.ts';
import type { Environment } from '../environment.ts';
import { programName } from '../postgres/connect.ts';
import { redactor } from '../redact.ts';
import type { DefinedPipeline } from './defined-pipelines.ts';
import { sidesOf, type TableListing } from './records.ts';

export interface OwnPipeline {
  readonly name: string;
  readonly directory: string;
  readonly environment: Environment;
  /** Instead of the files in the directory, for a pipeline that the API has created. */
  readonly given?: GivenConfiguration;
  /** Of its definition. Null for a directory, and for a preview. */
  readonly version: number | null;
  /** The application name of its sessions. */
  readonly program: string;
  readonly description: PipelineDescription;
  /** The tables without those of patterns, which only the source knows. */
  readonly listing: TableListing;
}

/** For the page, and for requests that name tables. */
export interface PipelineDescription {
  readonly source: string;
  readonly destinations: readonly string[];
  /** Those that are set, with secrets masked. */
  readonly settings: readonly { readonly name: string; readonly value: string; readonly from: string }[];
  /** Then only the source knows all tables. */
  readonly hasPatterns: boolean;
  /** Of its definition. Null for a directory. */
  readonly version: number | null;
}

export interface OwnPipelines {
  readonly serves: ReadonlyMap<string, OwnPipeline>;
  /** By the name of the pipeline. */
  readonly lacks: ReadonlyMap<string, string>;
}

interface ReadPipeline {
  readonly fingerprint: string;
  readonly result: OwnPipeline | string;
}

/** Where a worker finds pipelines and their connections. */
export interface WorkerPlace {
  /** The directory of the pipelines. Relative paths of connections begin there, too. */
  readonly root: string;
  readonly environment: Environment;
  /** The directory for the state files of pipelines without a directory. */
  readonly stateRoot: string;
}

/** A pipeline before its configuration is read. */
interface FoundPipeline {
  readonly name: string;
  readonly fingerprint: string;
  readonly read: () => Promise<OwnPipeline | string>;
}

/** Reads again what has changed, and what was missing before. */
export function ownPipelines(
  place: WorkerPlace,
  readDefined: () => Promise<readonly DefinedPipeline[]>,
): () => Promise<OwnPipelines> {
  let known = new Map<string, ReadPipeline>();
  return async () => {
    const [{ pipelines }, defined] = await Promise.all([findPipelines(place.root), readDefined()]);
    // serve shows it as a problem if a directory and a pipeline of the API have the same name.
    const directories = pipelines.filter(({ name }) => !defined.some((each) => each.name === name));
    const found = [
      ...directories.map((directory) => fromDirectory(directory, place.environment)),
      ...defined.map((each) => fromDefinition(each, place)),
    ];
    const now = new Map<string, ReadPipeline>();
    for (const { name, fingerprint, read } of found) {
      const before = known.get(name);
      const isKnown = before && typeof before.result !== 'string' && before.fingerprint === fingerprint;
      now.set(name, isKnown ? before : { fingerprint, result: await read() });
    }
    known = now;
    const all = [...now].map(([name, { result }]) => [name, result] as const);
    return {
      serves: new Map(all.flatMap(([name, result]) => (typeof result === 'string' ? [] : [[name, result]]))),
      lacks: new Map(all.flatMap(([name, result]) => (typeof result === 'string' ? [[name, result]] : []))),
    };
  };
}

const fromDirectory = (
  { name, directory, fingerprint }: PipelineDirectory,
  shared: Environment,
): FoundPipeline => ({
  name,
  fingerprint,
  read: async () => {
    const place = { directory, environment: environmentOf(name, shared) };
    return ownPipeline(
      { ...place, name, version: null },
      async () => (await readOutline(directory)).schedules,
    );
  },
});

const fromDefinition = (defined: DefinedPipeline, place: WorkerPlace): FoundPipeline => ({
  name: defined.name,
  fingerprint: `version ${defined.version}`,
  read: () => readDefinition(defined, place),
});

/** A text says why this worker cannot use it. */
export async function readDefinition(
  {
    name,
    version,
    definition,
  }: Pick<DefinedPipeline, 'name' | 'definition'> & { readonly version: number | null },
  { root, environment, stateRoot }: WorkerPlace,
): Promise<OwnPipeline | string> {
  const stateDirectory = join(stateRoot, name);
  const resolved = resolveConnections({ name, definition, environment, stateDirectory });
  if ('missing' in resolved) return missingText(resolved.missing);
  const { schedules } = outlineOfDefinition(name, definition);
  return ownPipeline({ ...resolved, name, version, directory: root }, async () => schedules);
}

const missingText = (names: readonly string[]): string =>
  names
    .map((name) => `the connection "${name}" is not set on this worker; set ${prefixOf(name)}URL`)
    .join('; ');

async function ownPipeline(
  place: Pick<OwnPipeline, 'name' | 'directory' | 'environment' | 'given' | 'version'>,
  readSchedules: () => Promise<readonly ScheduledEntry[]>,
): Promise<OwnPipeline | string> {
  const configuration = await readConfiguration(place);
  const { settings, error, secrets, openNames } = configuration;
  if (!settings) return redactor(secrets, openNames)(error?.message ?? 'the configuration cannot be read');
  const suffix = settings.destination.parameters.applicationName;
  const program = programName(settings.pipeline, suffix === undefined ? {} : { suffix });
  const hasPatterns = settings.patterns.length > 0;
  const { version } = place;
  const description = { ...describe(configuration, settings, place.directory), hasPatterns, version };
  const schedules = await readSchedules();
  const destinations = sidesOf(settings);
  const listing = { tables: settings.tables, schedules, destinations, isWhole: !hasPatterns };
  return { ...place, program, description, listing };
}

function describe(
  configuration: Configuration,
  { source, destination, destinations }: Settings,
  directory: string,
): Omit<PipelineDescription, 'hasPatterns' | 'version'> {
  const redact = redactor(configuration.secrets, configuration.openNames);
  const place = (connection: ConnectionSettings) => redact(endpointFor(connection).address);
  return {
    source: place(source),
    destinations:
      destinations.length === 0
        ? [place(destination)]
        : destinations.map(({ name, connection }) => `${name}: ${place(connection)}`),
    settings: effectiveSettings(configuration, directory).flatMap(({ name, value, from }) =>
      value === null || from === null || from === 'default' ? [] : [{ name, value, from }],
    ),
  };
}
