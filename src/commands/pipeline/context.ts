/** Wires everything together: settings, connections, and the listeners that watch a run. */
import { randomUUID } from 'node:crypto';
import { resolveDirectory } from '../../config/directory.ts';
import { searchPathOf, type Environment } from '../../environment.ts';
import { loadSettings } from '../../config/load.ts';
import { settingsFor } from '../../config/connection/destinations.ts';
import type { Settings } from '../../config/settings.ts';
import type { Emit, Listener } from '../../events.ts';
import { asIncrepError, reworded, type IncrepError } from '../../errors.ts';
import { findClientTools } from '../../postgres/client-tools.ts';
import { Database } from '../../postgres/database.ts';
import { redactedCause, redactor, type Redact } from '../../redact.ts';
import { stateFiles } from '../../state/state-files.ts';
import { KnownDestinations } from '../../sync/context/known-destinations.ts';
import { WaitBudget } from '../../sync/context/wait-budget.ts';
import { TimeLimit } from '../../sync/context/time-limit.ts';
import type { RunContext } from '../../sync/context/run-context.ts';
import type { Timing } from '../../timing.ts';
import { chooseDestinations } from './choose-destinations.ts';
import type { Terminal } from '../terminal/terminal.ts';

export interface Context {
  readonly settings: Settings;
  readonly redact: Redact;
  readonly runId: string;
  readonly signal: AbortSignal;
  readonly terminal: Terminal;
  readonly runContext: RunContext;
  /** Adds a listener to the events of the run. */
  readonly listen: (listener: Listener) => void;
  /** Tells all of them. */
  readonly emit: Emit;
  /** One a destination. */
  readonly pipelines: readonly Pipeline[];
  /** A connection to the source more. Whoever opens it ends it. */
  readonly openSource: () => Database;
}

/** To one destination. */
export interface Pipeline {
  /** Undefined where there is no other, and it needs no name. */
  readonly name: string | undefined;
  readonly settings: Settings;
  readonly runContext: RunContext;
  /** To the events of this destination's run alone; where it is the only one, those are the events of the run. */
  readonly listen: (listener: Listener) => void;
}

interface ContextOptions {
  readonly directory: string | undefined;
  readonly environment: Environment;
  readonly workingDirectory: string;
  readonly timing: Timing;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  /** --destination: empty for all. */
  readonly destination?: readonly string[];
  /** Seconds that the run may wait for open transactions at the source. */
  readonly waitTransactionsSeconds?: number | undefined;
  /** Has begun already; without one there is no limit. */
  readonly timeLimit?: TimeLimit | undefined;
}

function onceOnly<T>(find: () => Promise<T>): () => Promise<T> {
  let found: Promise<T> | undefined;
  return () => (found ??= find());
}

export async function withContext<T>(
  options: ContextOptions,
  use: (context: Context) => Promise<T>,
): Promise<T> {
  const { environment, timing } = options;
  const settings = await loadSettings({ directory: resolveDirectory(options), environment });
  const chosen = chooseDestinations(settings, options.destination ?? []);
  const { signal, terminal, timeLimit = new TimeLimit() } = options;
  const redact = redactor(settings.secrets);
  const listeners: Listener[] = [];
  const emit = emitTo(listeners);
  const runId = randomUUID();
  const searchPath = searchPathOf(environment);
  const openSource = () => new Database(settings.source, { ...settings, signal, timing });
  const common = {
    tools: onceOnly(() => findClientTools(searchPath)),
    searchPath,
    timing,
    settle: new WaitBudget(options.waitTransactionsSeconds ?? timing.transactionWait, timeLimit),
    timeLimit,
    runId,
    signal,
    destinations: new KnownDestinations(),
  };
  const pipelineOf = (own: Settings, heard: Listener[]): Pipeline => ({
    name: own.destinationName,
    settings: own,
    runContext: {
      ...common,
      settings: own,
      source: openSource(),
      destination: new Database(own.destination, { ...own, signal, timing }),
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
      terminal,
      runContext,
      listen,
      emit,
      pipelines,
      openSource,
    });
  } catch (error) {
    throw withoutSecrets(asIncrepError(error), redact);
  } finally {
    const databases = pipelines.flatMap(({ runContext }) => [runContext.destination, runContext.source]);
    await Promise.all(databases.map((database) => database[Symbol.asyncDispose]()));
  }
}

const emitTo =
  (listeners: readonly Listener[]): Emit =>
  async (event) => {
    for (const listener of listeners) await listener(event);
  };

/** A server's message may quote what it was sent. */
export const withoutSecrets = (error: IncrepError, redact: Redact): IncrepError =>
  reworded(error, {
    what: redact(error.message),
    next: redact(error.next),
    cause: redactedCause(error.cause, redact),
  });
