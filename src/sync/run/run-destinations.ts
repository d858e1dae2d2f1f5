/** One run over several destinations: each has its own run, at the same time, and the results are reported as one run. */
import { asIncrepError } from '../../errors.ts';
import {
  NO_ROWS,
  type Emit,
  type Failure,
  type RunEvent,
  type RunSummary,
  type TableOutcome,
} from '../../events.ts';
import { atAllDestinations, onlyAtDestination } from '../../shell-word.ts';
import { finishRun, run } from './run.ts';
import { hasFullRefresh, type RunRequest } from './run-request.ts';
import { Sharing } from '../fan-out/fan-out.ts';
import type { Database } from '../../postgres/database.ts';
import type { RunContext } from '../context/run-context.ts';

/** One destination. The `emit` of its context serves the listeners of this destination alone. */
export interface DestinationWork {
  readonly name: string;
  readonly context: RunContext;
}

interface Several {
  readonly destinations: readonly DestinationWork[];
  /** Serves the listeners of all destinations together. */
  readonly emit: Emit;
  /** Opens another connection to the source, for snapshots that several destinations share. */
  readonly openSource: () => Database;
}

export async function runSeveral(
  { destinations, emit, openSource }: Several,
  request: RunRequest,
): Promise<RunSummary> {
  const [first] = destinations;
  if (!first) throw new Error('a run without destinations');
  const { runId, signal, settings, timing } = first.context;
  const startedAt = new Date();
  const names = destinations.map(({ name }) => name);
  const tables = request.tables.map(({ name }) => name);
  const enabled = request.tables.filter(({ isEnabled }) => isEnabled).map(({ name }) => name);
  await emit({
    type: 'run-started',
    runId,
    pipeline: settings.pipeline,
    startedAt,
    tables,
    destinations: names,
    hasFullRefresh: hasFullRefresh(request),
    ...(request.jobs > 1 && { jobs: request.jobs }),
  });
  await using sharing = new Sharing({ names, openSource, signal, timing });
  let hasFailed = false;
  const runOne = async ({ name, context }: DestinationWork): Promise<RunSummary> => {
    const fanOut = sharing.companionsOf(name);
    const emitBoth = emitterOf(name, context.emit, async (event) => {
      if (event.type === 'retrying') fanOut.fallBack();
      if (event.type === 'table-finished') hasFailed ||= event.outcome.status === 'failed';
      await emit(event);
    });
    try {
      const summary = await run(
        { ...context, fanOut, emit: emitBoth },
        {
          ...request,
          beforeEnd: undefined,
          repeatFor: undefined,
          mayGoOn: () => !(request.isFailFast && hasFailed),
        },
      );
      return await withUnreached(summary, name, enabled, emit);
    } finally {
      fanOut.quit();
    }
  };
  const summaries = await Promise.all(destinations.map(runOne));
  return await finishRun(
    combined(summaries, {
      names,
      isEverywhere: names.length === settings.destinations.length,
      startedAt,
    }),
    request,
    emit,
  );
}

/**
 * Sends events to both kinds of listeners. Those of the destination see an ordinary run. Those of all destinations see one
 * run, and events that carry the name of the destination.
 */
function emitterOf(destination: string, own: Emit, emit: Emit): Emit {
  return async (event: RunEvent) => {
    if (event.type === 'table-finished') {
      const outcome = withHint(event.outcome, destination);
      await own({ ...event, outcome });
      return emit({ ...event, outcome: { ...outcome, destination } });
    }
    await own(event);
    if (event.type !== 'run-started' && event.type !== 'run-finished') await emit({ ...event, destination });
  };
}

/** The next step of a failure is about this destination alone. After a signal, it repeats the whole run. */
const withHint = (outcome: TableOutcome, destination: string): TableOutcome =>
  outcome.error && outcome.error.code !== 'INTERRUPTED'
    ? { ...outcome, error: { ...outcome.error, hint: onlyAtDestination(outcome.error.hint, destination) } }
    : outcome;

/** If a run ended before some of its tables, for example because its destination is down, these tables count as failed. */
async function withUnreached(
  summary: RunSummary,
  destination: string,
  tables: readonly string[],
  emit: Emit,
): Promise<RunSummary> {
  const reached = summary.tables.map((outcome) => ({ ...withHint(outcome, destination), destination }));
  const { error } = summary;
  if (!error || error.code === 'INTERRUPTED') return { ...summary, tables: reached };
  const unreached = tables
    .filter((name) => !reached.some((outcome) => outcome.name === name))
    .map((name) => unreachedTable({ name, destination, error, summary }));
  for (const outcome of unreached) await emit({ type: 'table-finished', outcome });
  return { ...summary, tables: [...reached, ...unreached] };
}

interface Unreached {
  readonly name: string;
  readonly destination: string;
  readonly error: Failure;
  readonly summary: RunSummary;
}

const unreachedTable = ({ name, destination, error, summary }: Unreached): TableOutcome => ({
  name,
  destination,
  status: 'failed',
  action: 'skipped',
  reasons: [{ code: 'failed', message: error.message }],
  ...NO_ROWS,
  durationSeconds: 0,
  cursor: null,
  cursorBefore: null,
  startedAt: summary.finishedAt,
  warnings: [],
  error,
});

/** If a table failed alike at all destinations, one command is for all of them. */
function withSharedSteps(tables: readonly TableOutcome[], names: readonly string[]): readonly TableOutcome[] {
  const hints = new Map<TableOutcome, string>();
  for (const same of Map.groupBy(tables, ({ name }) => name).values()) {
    const found = same.flatMap(({ error, destination = '' }) =>
      error ? { code: error.code, hint: atAllDestinations(error.hint, destination) } : [],
    );
    const [first] = found;
    if (!first || found.length !== names.length) continue;
    if (found.every(({ code, hint }) => code === first.code && hint === first.hint))
      for (const outcome of same) hints.set(outcome, first.hint);
  }
  return tables.map((outcome) => {
    const hint = hints.get(outcome);
    return outcome.error && hint !== undefined ? { ...outcome, error: { ...outcome.error, hint } } : outcome;
  });
}

interface Combination {
  readonly names: readonly string[];
  /** Whether these are all destinations of the pipeline. */
  readonly isEverywhere: boolean;
  readonly startedAt: Date;
}

/** Grouped by destination, in the order of the configuration. */
function combined(
  summaries: readonly RunSummary[],
  { names, isEverywhere, startedAt }: Combination,
): RunSummary {
  const [first] = summaries;
  if (!first) throw asIncrepError(new Error('no summary'));
  const tables = withSharedSteps(
    summaries.flatMap((summary) => summary.tables),
    isEverywhere ? names : [],
  );
  const interrupted = summaries.find(({ error }) => error?.code === 'INTERRUPTED')?.error;
  const isFailed = summaries.every(({ status }) => status === 'failed');
  const isOk = summaries.every(({ status }) => status === 'ok');
  return {
    ...first,
    status: interrupted || isFailed ? 'failed' : isOk ? 'ok' : 'partial',
    startedAt,
    finishedAt: new Date(),
    tables,
    error: interrupted,
    ...(first.waiting && { waiting: summaries.flatMap(({ waiting = [] }) => waiting) }),
    destinations: summaries.map(({ status, error }, index) => ({
      name: names[index] ?? '',
      status,
      error,
    })),
  };
}
