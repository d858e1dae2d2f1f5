/** Wires everything together: settings, connections, and the listeners that watch a run. */
import { randomUUID } from 'node:crypto';
import { resolveDirectory } from '../config/directory.ts';
import { loadSettings } from '../config/load.ts';
import type { Settings } from '../config/settings.ts';
import type { Emit, Listener } from '../events.ts';
import { asIncrepError, reworded, type IncrepError } from '../errors.ts';
import { findClientTools } from '../postgres/client-tools.ts';
import { Database } from '../postgres/database.ts';
import { redactedCause, redactor, type Redact } from '../redact.ts';
import { stateFiles } from '../state/state-files.ts';
import { SettleBudget } from '../sync/settle-budget.ts';
import { TimeBox } from '../sync/time-box.ts';
import type { Work } from '../sync/work.ts';
import type { Terminal } from './terminal.ts';

export interface Context {
  readonly settings: Settings;
  readonly redact: Redact;
  readonly runId: string;
  readonly signal: AbortSignal;
  readonly terminal: Terminal;
  readonly work: Work;
  /** Adds a listener to the events of the run. */
  readonly listen: (listener: Listener) => void;
}

interface ContextOptions {
  readonly directory: string | undefined;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  /** Seconds that the run may wait for open transactions at the source. */
  readonly settleSeconds?: number | undefined;
  /** Has begun already; without one there is no limit. */
  readonly timeBox?: TimeBox | undefined;
}

const SETTLE_SECONDS = 5;

function onceOnly<T>(find: () => Promise<T>): () => Promise<T> {
  let found: Promise<T> | undefined;
  return () => (found ??= find());
}

export async function withContext<T>(
  options: ContextOptions,
  use: (context: Context) => Promise<T>,
): Promise<T> {
  const settings = await loadSettings({ directory: resolveDirectory(options.directory) });
  const { signal, terminal, timeBox = new TimeBox() } = options;
  await using source = new Database(settings.source, { ...settings, signal });
  await using destination = new Database(settings.destination, { ...settings, signal });
  const listeners: Listener[] = [];
  const emit: Emit = async (event) => {
    for (const listener of listeners) await listener(event);
  };
  const runId = randomUUID();
  const work: Work = {
    settings,
    source,
    destination,
    stateFiles: stateFiles(settings.stateDirectory),
    tools: onceOnly(findClientTools),
    settle: new SettleBudget(options.settleSeconds ?? SETTLE_SECONDS, timeBox),
    timeBox,
    runId,
    emit,
    signal,
  };
  const listen = (listener: Listener) => void listeners.push(listener);
  const redact = redactor(settings.secrets);
  try {
    return await use({ settings, redact, runId, signal, terminal, work, listen });
  } catch (error) {
    throw withoutSecrets(asIncrepError(error), redact);
  }
}

/** A server's message may quote what it was sent. */
export const withoutSecrets = (error: IncrepError, redact: Redact): IncrepError =>
  reworded(error, {
    what: redact(error.message),
    next: redact(error.next),
    cause: redactedCause(error.cause, redact),
  });
