/** The pipelines whose connections this worker has, and why it lacks those of the others. */
import { readConfiguration } from '../config/load.ts';
import { findPipelines, type PipelineDirectory } from '../config/service/pipeline-directories.ts';
import { environmentOf } from '../config/service/pipeline-environment.ts';
import type { Environment } from '../environment.ts';
import { programName } from '../postgres/connect.ts';
import { redactor } from '../redact.ts';

export interface OwnPipeline {
  readonly name: string;
  readonly directory: string;
  readonly environment: Environment;
  /** The application name of its sessions. */
  readonly program: string;
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
  const { settings, error, secrets } = await readConfiguration({ directory, environment });
  if (!settings) return redactor(secrets)(error?.message ?? 'the configuration cannot be read');
  const suffix = settings.destination.parameters.applicationName;
  const program = programName(settings.pipeline, suffix === undefined ? {} : { suffix });
  return { name, directory, environment, program };
}
