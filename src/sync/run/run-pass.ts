/** One pass over the tables of a run: the sync of one table, and the tables that wait for each other because of foreign keys. */
import { NO_ROWS, type TableOutcome } from '../../events.ts';
import { isUnknown, type TableFacts, type TableFailure } from '../facts/facts.ts';
import { openWorkers } from '../load/chunks/workers.ts';
import { copyObjectsAfter, withoutRefusingObjects } from './copy-objects.ts';
import { combined, parentsFirst, waitsForOthers } from './foreign-keys.ts';
import { syncInOneSnapshot } from './one-snapshot.ts';
import type { DraftPlan } from '../plan/plan.ts';
import { planTable } from '../plan/plan-table.ts';
import { gatherAgain, syncTable, syncUnknown } from './sync-table.ts';
import type { nextFacts } from './next-facts.ts';
import type { TableOutline } from './table-outline.ts';
import { isSameTable } from '../write/violations.ts';
import type { RunContext } from '../context/run-context.ts';
import { deferred } from './table-outcome.ts';
import type { RunRequest } from './run-request.ts';

export interface RunPass {
  readonly context: RunContext;
  readonly request: RunRequest;
  readonly tables: readonly TableOutline[];
  readonly connected: ReadonlyMap<TableOutline, ReadonlySet<TableOutline>>;
  readonly factsFor: ReturnType<typeof nextFacts>;
  /** Tables that this run may sync again, with their results so far. */
  readonly held: Map<TableOutline, TableOutcome>;
  /** Tables that are being synced, with the ends of their syncs. No table is synced by two jobs at the same time. */
  readonly active: Map<TableOutline, Promise<unknown>>;
  /** Adds a warning to the summary. */
  readonly warn: (message: string) => void;
  /** Syncs of referenced tables take turns, because two of them may need the same table. */
  referencedTurn: Promise<unknown>;
}

/** Each table of a run, or a table whose facts could not be gathered. */
export const isOutline = (table: TableOutline | TableFailure): table is TableOutline => !('error' in table);

export const syncNext = (
  pass: RunPass,
  table: TableOutline | TableFailure,
  context: RunContext,
): Promise<TableOutcome> =>
  isOutline(table)
    ? syncOnce(pass, table, context)
    : withFanOut(context, table.settings.name, (together) => syncUnknown(together, table, pass.request));

async function syncOnce(pass: RunPass, table: TableOutline, context: RunContext): Promise<TableOutcome> {
  for (let other = pass.active.get(table); other; other = pass.active.get(table)) await other;
  return whileActive(pass, table, () => syncAlone(pass, table, context));
}

async function whileActive<T>({ active }: RunPass, table: TableOutline, work: () => Promise<T>): Promise<T> {
  const { promise, resolve } = Promise.withResolvers<void>();
  active.set(table, promise);
  try {
    return await work();
  } finally {
    active.delete(table);
    resolve();
  }
}

async function syncAlone(pass: RunPass, table: TableOutline, context: RunContext): Promise<TableOutcome> {
  const { held, factsFor } = pass;
  const { settings } = table;
  const before = held.get(table);
  const first = await withFanOut(context, settings.name, async (together) => {
    if (hasNoTime(together, table)) return deferred(together, table);
    const facts = await (before ? gatherAgain(together, settings) : factsFor(together, table));
    return syncGathered(pass, table, together, facts);
  });
  const alone = withoutOthers(context);
  const outcome = waitsForOthers(first)
    ? first
    : await withoutRefusingObjects(alone, settings, first, async () =>
        syncGathered(pass, table, alone, await gatherAgain(alone, settings)),
      );
  return copyObjectsAfter(context, settings, before ? combined(before, outcome) : outcome);
}

const syncGathered = (
  pass: RunPass,
  table: TableOutline,
  context: RunContext,
  facts: TableFacts | TableFailure,
): Promise<TableOutcome> =>
  isUnknown(facts)
    ? syncUnknown(context, facts, pass.request)
    : syncTable({ ...context, syncReferenced: referencedSync(pass, [table]) }, facts, pass.request);

/** Syncs again the tables that a foreign key held up, as long as that helps at least one of them. */
export async function syncAgain(pass: RunPass): Promise<void> {
  const { context, request, held } = pass;
  const waiting = () => [...held.keys()].filter((table) => waitsForOthers(held.get(table)));
  for (let hasProgress = true; hasProgress;) {
    hasProgress = false;
    for (const table of waiting()) {
      if (request.mayGoOn?.() === false || hasNoTime(context, table)) return;
      const outcome = await syncOnce(pass, table, withoutOthers(context));
      held.set(table, outcome);
      hasProgress ||= !waitsForOthers(outcome);
      context.signal?.throwIfAborted();
    }
  }
  const stuck = waiting();
  const connected = [...held.keys()].filter((table) =>
    stuck.some((other) => table === other || pass.connected.get(table)?.has(other)),
  );
  if (connected.length < 2 || connected.some((table) => hasNoTime(context, table))) return;
  await syncInOneSnapshot(withoutOthers(context), parentsFirst(connected), request, (table, change) => {
    const before = held.get(table);
    if (before) held.set(table, combined(before, change({ ...before, ...NO_ROWS })));
  });
}

/** A copied foreign key that still refuses rows is dropped, so that it costs no sync. */
export async function syncWithoutForeignKeys(pass: RunPass): Promise<void> {
  const context = withoutOthers(pass.context);
  for (const [table, outcome] of [...pass.held]) {
    if (!waitsForOthers(outcome) || hasNoTime(context, table)) continue;
    const again = () => syncOnce(pass, table, context);
    pass.held.set(table, await withoutRefusingObjects(context, table.settings, outcome, again));
  }
}

/** Syncs a referenced table over separate connections, while the referring table keeps its transaction open. */
const referencedSync =
  (pass: RunPass, chain: readonly TableOutline[]): NonNullable<RunContext['syncReferenced']> =>
  async (destination) => {
    const table = pass.tables.find(({ destinationName }) => isSameTable(destinationName, destination));
    if (!table || !table.settings.isEnabled || chain.includes(table)) return false;
    const work = async () => {
      // Another job would have to wait for this one, and this one for the other.
      if (pass.active.has(table)) return false;
      return whileActive(pass, table, () => syncAside(pass, [...chain, table], table));
    };
    if (chain.length > 1) return work();
    const turn = pass.referencedTurn.then(work);
    pass.referencedTurn = turn.catch(() => undefined);
    return turn;
  };

/** Returns false if the table was not synced. */
async function syncAside(
  pass: RunPass,
  chain: readonly TableOutline[],
  table: TableOutline,
): Promise<boolean> {
  await using workers = openWorkers(withoutOthers(pass.context), 1);
  const [aside] = workers.contexts;
  if (!aside) throw new Error('there are no connections for a referenced table');
  const context: RunContext = {
    ...aside,
    emit: async (event) => {
      if (event.type === 'warning' || event.type === 'retrying') await pass.context.emit(event);
    },
    syncReferenced: referencedSync(pass, chain),
  };
  const now = await gatherAgain(context, table.settings);
  if (isUnknown(now)) return false;
  const request = { ...pass.request, isFullRefresh: false };
  // A change of shape also needs exclusive locks on the referring tables, and the waiting transaction has locked one.
  if (takesShape(planTable(now, request))) return false;
  const outcome = await syncTable(context, now, request);
  const before = pass.held.get(table);
  pass.held.set(table, before ? combined(before, outcome) : outcome);
  return outcome.status !== 'skipped';
}

const takesShape = (plan: DraftPlan): boolean =>
  plan.kind === 'load' ? plan.way === 'swap' : plan.kind === 'incremental' && plan.evolution !== undefined;

function withoutOthers(context: RunContext): RunContext {
  const { fanOut: _, group: __, ...rest } = context;
  return rest;
}

/** A disabled table is skipped in any case, so it is not deferred. */
const hasNoTime = ({ timeLimit }: RunContext, { settings }: TableOutline): boolean =>
  timeLimit.isOver && settings.isEnabled;

/** Syncs one table, together with the other destinations that have reached it. */
async function withFanOut<T>(
  context: RunContext,
  table: string,
  sync: (context: RunContext) => Promise<T>,
): Promise<T> {
  const group = await context.fanOut?.meetAt(table);
  if (!group) return sync(context);
  try {
    return await sync({ ...context, group });
  } finally {
    group.leave();
  }
}
