/** The pipelines whose connections this worker has, and why it lacks those of the others. */
import { effectiveSettings } from '../config/effective.ts';
import { readConfiguration, type Configuration } from '../config/load.ts';
import { readOutline } from '../config/service/schedules.ts';
import type { ConnectionSettings, Settings } from '../config/settings.ts';
import { endpointFor } from '../postgres/endpoint.ts';
import { findPipelines, type PipelineDirectory } from '../config/service/pipeline-directories.ts';
import { environmentOf } from '../config/service/pipeline-environment.ts';
import type { Environment } from '../environment.ts';
import { programName } from '../postgres/connect.ts';
import { redactor } from '../redact.ts';
import type { TableListing } from './records.ts';

export interface OwnPipeline {
  readonly name: string;
  readonly directory: string;
  readonly environment: Environment;
  /** The application name of its sessions. */
  readonly program: string;
  readonly description: PipelineDescription;
  /** The tables without those of patterns, which only the source knows. */
  readonly listing: TableListing;
}

/** For the page. */
export interface PipelineDescription {
  readonly source: string;
  readonly destinations: readonly string[];
  /** Those that are set, with secrets masked. */
  readonly settings: readonly { readonly name: string; readonly value: string; readonly from: string }[];
}

export interface OwnPipelines {
  readonly serves: ReadonlyMap<string, OwnPipeline>;
  /** By the name of the pipeline. */
  readonly lacks: ReadonlyMap<string, string>;
}

interface Read {
  readonly fingerprint: string;
  readonly result: OwnPipeline | string;
}

/** Reads again what has changed, and what was missing before. */
export function ownPipelines(root: string, environment: Environment): () => Promise<OwnPipelines> {
  let known = new Map<string, Read>();
  return async () => {
    const { pipelines } = await findPipelines(root);
    const now = new Map<string, Read>();
    for (const pipeline of pipelines) {
      const before = known.get(pipeline.name);
      const isKnown =
        before && typeof before.result !== 'string' && before.fingerprint === pipeline.fingerprint;
      const { fingerprint } = pipeline;
      now.set(pipeline.name, isKnown ? before : { fingerprint, result: await read(pipeline, environment) });
    }
    known = now;
    const all = [...now].map(([name, { result }]) => [name, result] as const);
    return {
      serves: new Map(all.flatMap(([name, result]) => (typeof result === 'string' ? [] : [[name, result]]))),
      lacks: new Map(all.flatMap(([name, result]) => (typeof result === 'string' ? [[name, result]] : []))),
    };
  };
}

async function read(
  { name, directory }: PipelineDirectory,
  shared: Environment,
): Promise<OwnPipeline | string> {
  const environment = environmentOf(name, shared);
  const configuration = await readConfiguration({ directory, environment });
  const { settings, error, secrets } = configuration;
  if (!settings) return redactor(secrets)(error?.message ?? 'the configuration cannot be read');
  const suffix = settings.destination.parameters.applicationName;
  const program = programName(settings.pipeline, suffix === undefined ? {} : { suffix });
  const description = describe(configuration, settings, directory);
  const { schedules } = await readOutline(directory);
  const listing = { tables: settings.tables, schedules, isWhole: settings.patterns.length === 0 };
  return { name, directory, environment, program, description, listing };
}

function describe(
  configuration: Configuration,
  { source, destination, destinations }: Settings,
  directory: string,
): PipelineDescription {
  const redact = redactor(configuration.secrets);
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
