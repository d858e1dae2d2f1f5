/** Connects the parts of a run: settings, connections and listeners. It works without a terminal. */
import { randomUUID } from 'node:crypto';
import type { GivenConfiguration } from '../config/given-configuration.ts';
import { resolveDirectory } from '../config/directory.ts';
import { searchPathOf, type Environment } from '../environment.ts';
import { loadSettings, type Configuration } from '../config/load.ts';
import { settingsFor } from '../config/connection/destinations.ts';
import type { PasswordMemory } from '../config/environment/reading.ts';
import type { Settings } from '../config/settings.ts';
import type { Emit, Listener } from '../events.ts';
import { asIncrepError, reworded, type IncrepError } from '../errors.ts';
import { findClientTools } from '../postgres/client-tools.ts';
import { Database } from '../postgres/database.ts';
import { Tunnels } from '../postgres/tunnel/tunnels.ts';
import { onceOnly } from '../once-only.ts';
import { redactedCause, redactor, type Redact } from '../redact.ts';
import { stateFiles } from '../state/state-files.ts';
import { KnownDestinations } from '../sync/context/known-destinations.ts';
import { WaitBudget } from '../sync/context/wait-budget.ts';
import { TimeLimit } from '../sync/context/time-limit.ts';
import type { RunContext } from '../sync/context/run-context.ts';
import type { Timing } from '../timing.ts';
import { chooseDestinations } from './choose-destinations.ts';

export interface PipelineContext {
  readonly settings: Settings;
  readonly redact: Redact;
  readonly runId: string;
  readonly signal: AbortSignal;
  readonly runContext: RunContext;
  /** Adds a listener to the events of the run. */
  readonly listen: (listener: Listener) => void;
  /** Emits an event to all listeners. */
  readonly emit: Emit;
  /** One per destination. */
  readonly pipelines: readonly Pipeline[];
  /** Opens another connection to the source. The caller closes it. */
  readonly openSource: () => Database;
}

/** The part of the context for one destination. */
export interface Pipeline {
  /** Undefined if there is only one destination. */
  readonly name: string | undefined;
  readonly settings: Settings;
  readonly runContext: RunContext;
  /**
   * Adds a listener to the events of this destination only. With one destination, these are the events of the run.
   */
  readonly listen: (listener: Listener) => void;
}

export interface PipelineOptions {
  readonly directory: string | undefined;
  readonly environment: Environment;
  readonly workingDirectory: string;
  /** Instead of the files in the directory. */
  readonly given?: GivenConfiguration | undefined;
  readonly timing: Timing;
  readonly signal: AbortSignal;
  /** Whether a worker of the service calls. The default is false. */
  readonly byService?: boolean;
  /** The values of --destination; empty means all. */
  readonly destination?: readonly string[];
  /** Seconds that the run may wait for open transactions at the source. */
  readonly waitTransactionsSeconds?: number | undefined;
  /** The time limit, which has already started. Undefined means no limit. */
  readonly timeLimit?: TimeLimit | undefined;
  /** What password commands printed in earlier runs of --watch. */
  readonly printed?: PasswordMemory['printed'];
  /** Receives the warnings about `.env` if a login was refused, because they may explain it. */
  readonly onRefusedLogin?: (warnings: readonly string[]) => void;
  /** Called before the error of a configuration that cannot be used is thrown. */
  readonly onRefusedConfiguration?: (configuration: Configuration, error: IncrepError) => Promise<void>;
}

export async function withPipeline<T>(
  options: PipelineOptions,
  use: (context: PipelineContext) => Promise<T>,
): Promise<T> {
  const { environment, timing } = options;
  const settings = await loadSettings(
    {
      directory: resolveDirectory(options),
      environment,
      given: options.given,
      ...(options.printed && { printed: options.printed }),
    },
    options.onRefusedConfiguration,
  );
  const chosen = chooseDestinations(settings, options.destination ?? []);
  const { signal, timeLimit = new TimeLimit() } = options;
  const redact = redactor(settings.secrets, settings.openNames);
  const listeners: Listener[] = [];
  const emit = emitTo(listeners);
  const runId = randomUUID();
  const searchPath = searchPathOf(environment);
  const tunnels = new Tunnels(
    [settings.source, settings.destination, ...settings.destinations.map(({ connection }) => connection)],
    { directory: settings.directory, environment, timing },
  );
  const openSource = () => new Database(settings.source, { ...settings, tunnels, signal, timing });
  const common = {
    tools: onceOnly(() => findClientTools({ searchPath, host: settings.source.host })),
    searchPath,
    timing,
    waitBudget: new WaitBudget(options.waitTransactionsSeconds ?? timing.transactionWait, timeLimit),
    timeLimit,
    runId,
    byService: options.byService ?? false,
    startedAt: performance.now(),
    signal,
    destinations: new KnownDestinations(),
  };
  const pipelineOf = (own: Settings, heard: Listener[]): Pipeline => ({
    name: own.destinationLabel,
    settings: own,
    runContext: {
      ...common,
      settings: own,
      source: openSource(),
      destination: new Database(own.destination, { ...own, tunnels, signal, timing, timeLimit }),
      stateFiles: stateFiles(own.stateDirectory),
      emit: emitTo(heard),
    },
    listen: (listener) => void heard.push(listener),
  });
  const pipelines =
    chosen.length === 0
      ? [pipelineOf(settings, listeners)]
      : chosen.map((destination) => pipelineOf(settingsFor(settings, destination), []));
  try {
    const [first] = pipelines;
    if (!first) throw new Error('a pipeline without a destination');
    const listen = (listener: Listener) => void listeners.push(listener);
    const { runContext } = first;
    return await use({
      settings,
      redact,
      runId,
      signal,
      runContext,
      listen,
      emit,
      pipelines,
      openSource,
    });
  } catch (thrown) {
    const error = asIncrepError(thrown);
    // A line of .env that is read in another way than it looks may be the reason.
    if (error.code === 'AUTHENTICATION_FAILED') options.onRefusedLogin?.(settings.warnings.map(redact));
    throw withoutSecrets(error, redact);
  } finally {
    const databases = pipelines.flatMap(({ runContext }) => [runContext.destination, runContext.source]);
    await Promise.all(databases.map((database) => database[Symbol.asyncDispose]()));
    await tunnels[Symbol.asyncDispose]();
  }
}

const emitTo =
  (listeners: readonly Listener[]): Emit =>
  async (event) => {
    for (const listener of listeners) await listener(event);
  };

/** A message of a server may quote the text that it received. */
export const withoutSecrets = (error: IncrepError, redact: Redact): IncrepError =>
  reworded(error, {
    what: redact(error.message),
    next: redact(error.next),
    cause: redactedCause(error.cause, redact),
  });
