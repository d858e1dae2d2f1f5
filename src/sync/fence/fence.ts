/** Takes the fence of schema/fence-rules.ts at the source: first the mark, then the list of transactions, then the wait. */
import * as z from 'zod';
import type { Database } from '../../postgres/database.ts';
import { sleep } from '../../backoff.ts';
import { formatAge } from '../../report/age.ts';
import { chooseMark, integerMarkSchema, type ChosenMark } from '../../schema/integer-mark.ts';
import type { KeyType } from '../../schema/keys.ts';
import { sourceColumn } from '../../schema/selection.ts';
import type { ServerInstance } from '../../schema/state-record.ts';
import { highWaterMark, IN_FLIGHT, KEEP_ACTIVITY, READ_CLOCK, type MarkedRows } from '../../sql/fence.ts';
import { keyOrigin } from '../../sql/key-origin.ts';
import { serverInstance } from '../../sql/session.ts';
import type { TableFacts } from '../facts/facts.ts';
import type { KeyedPlan } from '../plan/plan.ts';
import { ensureSameServer, instanceOf } from '../facts/server-instance.ts';
import type { RunContext } from '../context/run-context.ts';
import { startNow, type Start } from '../context/start.ts';
import { markInGroups } from './mark-in-groups.ts';

type FenceWait = Pick<RunContext, 'source' | 'waitBudget' | 'timing' | 'signal' | 'emit'>;

export const transactionRow = z.object({
  transaction: z.string(),
  pid: z.number().nullable(),
  user: z.string().nullable(),
  application: z.string().nullable(),
  /** Null without pg_read_all_stats, like the age. */
  startedAt: z.string().nullable(),
  ageSeconds: z.number().nullable(),
});
export type InFlight = Readonly<z.infer<typeof transactionRow>>;

export const clockRow = z.object({
  at: z.string(),
  workSeconds: z.number(),
  oldestXid: z.string(),
  nextXid: z.string(),
});
const highRow = z.object({ high: z.string().nullable() });

/** Parses the row of `highWaterMark`. */
export const readMark = (keyType: KeyType, row: unknown): ChosenMark =>
  keyType === 'integer'
    ? chooseMark(integerMarkSchema.parse(row))
    : { ...highRow.parse(row), isUncertain: false };

export const originRow = z.object({ hasPool: z.boolean(), isSubscribed: z.boolean(), isCopied: z.boolean() });
/** Why new rows may have keys below those of existing rows. */
export type KeyOrigin = Readonly<z.infer<typeof originRow>>;
export const OWN_WRITES: KeyOrigin = { hasPool: false, isSubscribed: false, isCopied: false };

export interface RaisedFence {
  /** The high-water mark. Null if no row has a plausible key. */
  readonly high: string | null;
  /** Whether the mark of an integer key may be too high. */
  readonly isUncertain: boolean;
  readonly origin: KeyOrigin;
  /** The oldest running transaction ID (xid8) at that moment. */
  readonly oldestXid: string;
  /** The next transaction ID that the server would assign. */
  readonly nextXid: string;
  /** The source's clock at that moment. */
  readonly sourceTime: string;
  /** The clock of this machine when increp asked for the source's clock. */
  readonly fencedAt: Date;
  /** The time of the question and its answer on the network. */
  readonly networkSeconds: number;
  /** The transactions that were still open at the end of the wait. */
  readonly remaining: readonly InFlight[];
}

interface FenceTarget extends MarkedRows {
  /** The name of the table in the settings. */
  readonly name: string;
  /** The server instance that was planned with. */
  readonly instance: ServerInstance;
}

export const markedRows = (
  { sourceName, sourceRows, settings }: TableFacts,
  { source, replicationKey, keyType }: KeyedPlan,
): MarkedRows => ({
  rows: sourceRows,
  table: source.kind === 'query' ? undefined : sourceName,
  keyColumn: sourceColumn(settings.selection, replicationKey),
  replicationKey,
  keyType,
});

export const fenceTarget = (facts: TableFacts, plan: KeyedPlan): FenceTarget => ({
  name: facts.settings.name,
  instance: instanceOf(facts),
  ...markedRows(facts, plan),
});

/** Called when the answer has come. */
function clockAt({ at: fencedAt, ticks }: Start, row: unknown) {
  const { at: sourceTime, workSeconds, ...transactionIds } = clockRow.parse(row);
  const networkSeconds = Math.max(0, (performance.now() - ticks) / 1000 - workSeconds);
  return { ...transactionIds, sourceTime, fencedAt, networkSeconds };
}

export const raiseFence = async (context: FenceWait, target: FenceTarget): Promise<RaisedFence> =>
  waitForListed(context, target, await listFence(context, target));

/** The first two steps: the mark, then the list. All listed transactions count as open. */
export async function listFence(
  context: Pick<FenceWait, 'source'>,
  target: FenceTarget,
): Promise<RaisedFence> {
  const identity = await context.source.identity();
  const { table, keyType, rows } = target;
  const marked = rows.inGroups ? await markInGroups(context.source, target, rows.inGroups) : target;
  const asked = startNow();
  const [instance, mark, , listed, origin] = await context.source.readAtOnce([
    serverInstance(identity),
    highWaterMark(marked, identity.timeZone),
    KEEP_ACTIVITY,
    IN_FLIGHT,
    ...(table ? [keyOrigin({ ...target, table })] : []),
  ]);
  const clock = clockAt(asked, mark?.rows[0]);
  ensureSameServer(target.instance, instance?.rows[0]);
  const inFlight = z.array(transactionRow).parse(listed?.rows);
  return {
    ...readMark(keyType, mark?.rows[0]),
    origin: origin ? originRow.parse(origin.rows[0]) : OWN_WRITES,
    ...clock,
    remaining: inFlight,
  };
}

/** The third step. */
export const waitForListed = async (
  context: FenceWait,
  { name }: FenceTarget,
  listed: RaisedFence,
): Promise<RaisedFence> => ({ ...listed, remaining: await waitFor(context, name, listed.remaining) });

/** For a table that is read as a whole. It has no late commits, so there is no wait. */
export async function readClock(
  context: Pick<RunContext, 'source'>,
  planned: ServerInstance,
): Promise<RaisedFence> {
  // The list shows whether transactions of this database are open. The oldest ID may belong to another database.
  const statements = [serverInstance(await context.source.identity()), READ_CLOCK, IN_FLIGHT];
  const asked = startNow();
  const [instance, answer, listed] = await context.source.readAtOnce(statements);
  const clock = clockAt(asked, answer?.rows[0]);
  ensureSameServer(planned, instance?.rows[0]);
  const remaining = z.array(transactionRow).parse(listed?.rows);
  return {
    high: null,
    isUncertain: false,
    origin: OWN_WRITES,
    ...clock,
    remaining,
  };
}

async function waitFor(
  { source, waitBudget, timing, signal, emit }: FenceWait,
  table: string,
  listed: readonly InFlight[],
): Promise<readonly InFlight[]> {
  let remaining = listed;
  let isReported = false;
  let pause = timing.transactionPoll.base;
  // After the budget is spent, one check still separates short transactions from those that stay open.
  let mayCheck = remaining.some(({ transaction }) => !waitBudget.hasOutlasted(transaction));
  while (remaining.length > 0 && (!waitBudget.isSpent || mayCheck)) {
    const before = performance.now();
    await sleep(pause, signal);
    const stillOpen = new Set((await listInFlight(source)).map(({ transaction }) => transaction));
    remaining = remaining.filter(({ transaction }) => stillOpen.has(transaction));
    waitBudget.spend((performance.now() - before) / 1000);
    const [first] = remaining;
    // Most transactions end before the first check. Only the others are reported.
    if (first && !isReported && !waitBudget.isSpent) {
      isReported = true;
      await emit({ type: 'phase-started', table, phase: 'fence', waitsFor: describeOpen(first, remaining) });
    }
    pause = Math.min(pause * 2, timing.transactionPoll.max);
    mayCheck = false;
  }
  waitBudget.remember(remaining.map(({ transaction }) => transaction));
  return remaining;
}

export async function listInFlight(source: Database): Promise<InFlight[]> {
  const [listed] = await source.readAtOnce([IN_FLIGHT]);
  return z.array(transactionRow).parse(listed?.rows);
}

const describeOpen = (first: InFlight, { length }: readonly InFlight[]): string =>
  `${length === 1 ? 'an open transaction' : `${length} open transactions`}: ${describeInFlight(first)}`;

/**
 * For the log and the summary: a transaction, with the details that the role of increp may see.
 * @param leastSeconds the age that earlier runs show
 */
export function describeInFlight(
  { pid, user, application, ageSeconds, transaction }: InFlight,
  leastSeconds = 0,
): string {
  const session =
    pid === null
      ? `prepared transaction ${transaction}`
      : `pid ${pid}, ${user === null ? 'unknown user' : `user ${user}`}`;
  const program = application === null || application === '' ? '' : `, ${application}`;
  const age =
    ageSeconds !== null
      ? `, open for ${formatAge(ageSeconds)}`
      : leastSeconds >= 1
        ? `, open for more than ${formatAge(leastSeconds)}`
        : '';
  return `${session}${program}${age}`;
}
