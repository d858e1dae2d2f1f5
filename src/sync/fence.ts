/** Raises the fence of schema/fences.ts at the source: the mark, then the list, then the wait. */
import { z } from 'zod';
import type { Database } from '../postgres/database.ts';
import { sleep } from '../retry.ts';
import type { KeyType } from '../schema/keys.ts';
import { highWaterMark, IN_FLIGHT, KEEP_ACTIVITY, MOMENT } from '../sql/fence.ts';
import type { RowSource } from '../sql/row-source.ts';
import type { TableFacts } from './facts.ts';
import type { Work } from './work.ts';

type Waiting = Pick<Work, 'source' | 'settle' | 'timing' | 'signal' | 'emit'>;

const transactionRow = z.object({
  transaction: z.string(),
  pid: z.number().nullable(),
  user: z.string().nullable(),
  application: z.string().nullable(),
  /** Null, like its age, without pg_read_all_stats. */
  startedAt: z.string().nullable(),
  ageSeconds: z.number().nullable(),
});
export type InFlight = Readonly<z.infer<typeof transactionRow>>;

const markRow = z.object({
  high: z.string().nullable(),
  at: z.string(),
  oldestXid: z.string(),
  nextXid: z.string(),
});

export interface RaisedFence {
  /** The high-water mark; null where no row has a plausible key. */
  readonly high: string | null;
  /** The oldest transaction with a number (xid8) at that moment. */
  readonly oldestXid: string;
  /** The number that no transaction had yet. */
  readonly nextXid: string;
  /** The source's clock at that moment. */
  readonly sourceTime: string;
  /** This machine's, at the same moment. */
  readonly fencedAt: Date;
  /** Those of the list that had not ended when the budget was spent. */
  readonly remaining: readonly InFlight[];
}

interface FenceTarget {
  /** As in the settings. */
  readonly name: string;
  readonly rows: RowSource;
  readonly replicationKey: string;
  readonly keyType: KeyType;
}

export const fenceTarget = (
  { settings, sourceRows }: TableFacts,
  { replicationKey, keyType }: Pick<FenceTarget, 'replicationKey' | 'keyType'>,
): FenceTarget => ({ name: settings.name, rows: sourceRows, replicationKey, keyType });

export async function raiseFence(work: Waiting, target: FenceTarget): Promise<RaisedFence> {
  const { timeZone } = await work.source.identity();
  const fencedAt = new Date();
  const [mark, , listed] = await work.source.readAtOnce([
    highWaterMark(target.rows, target.replicationKey, target.keyType, timeZone),
    KEEP_ACTIVITY,
    IN_FLIGHT,
  ]);
  const { high, at, ...numbers } = markRow.parse(mark?.rows[0]);
  const inFlight = z.array(transactionRow).parse(listed?.rows);
  return {
    high,
    ...numbers,
    sourceTime: at,
    fencedAt,
    remaining: await waitFor(work, target.name, inFlight),
  };
}

const momentRow = markRow.omit({ high: true });

/** For a table that is read as a whole: nothing of it can come late, so nobody is waited for. */
export async function lookAtClock(work: Pick<Work, 'source'>): Promise<RaisedFence> {
  const fencedAt = new Date();
  // The oldest number of the server may be that of a transaction in another database, which writes nothing here.
  const [moment, listed] = await work.source.readAtOnce([MOMENT, IN_FLIGHT]);
  const { at, ...numbers } = momentRow.parse(moment?.rows[0]);
  const remaining = z.array(transactionRow).parse(listed?.rows);
  return { high: null, ...numbers, sourceTime: at, fencedAt, remaining };
}

async function waitFor(
  { source, settle, timing, signal, emit }: Waiting,
  table: string,
  listed: readonly InFlight[],
): Promise<readonly InFlight[]> {
  let remaining = listed;
  let isTold = false;
  let pause = timing.transactionPoll.base;
  // When all is spent, one more look still tells what merely passed by from what stays.
  let mayLook = remaining.some(({ transaction }) => !settle.hasOutlasted(transaction));
  while (remaining.length > 0 && (!settle.isSpent || mayLook)) {
    const before = performance.now();
    await sleep(pause, signal);
    const alive = new Set((await listInFlight(source)).map(({ transaction }) => transaction));
    remaining = remaining.filter(({ transaction }) => alive.has(transaction));
    settle.spend((performance.now() - before) / 1000);
    const [first] = remaining;
    // Most are over before the first look: those that are not are worth a word.
    if (first && !isTold && !settle.isSpent) {
      isTold = true;
      await emit({ type: 'phase-started', table, phase: 'fence', waitsFor: describeOpen(first, remaining) });
    }
    pause = Math.min(pause * 2, timing.transactionPoll.max);
    mayLook = false;
  }
  settle.remember(remaining.map(({ transaction }) => transaction));
  return remaining;
}

async function listInFlight(source: Database): Promise<InFlight[]> {
  const [listed] = await source.readAtOnce([IN_FLIGHT]);
  return z.array(transactionRow).parse(listed?.rows);
}

const describeOpen = (first: InFlight, { length }: readonly InFlight[]): string =>
  `${length === 1 ? 'an open transaction' : `${length} open transactions`}: ${describeInFlight(first)}`;

/** For the log and the summary: who holds things up, as far as it can be seen. */
export function describeInFlight({ pid, user, application, ageSeconds, transaction }: InFlight): string {
  const who =
    pid === null ? `a prepared transaction (${transaction})` : `pid ${pid} of ${user ?? 'an unknown role'}`;
  const what = application === null || application === '' ? '' : `, ${application}`;
  const age = ageSeconds === null ? '' : `, open for ${Math.round(ageSeconds)} s`;
  return `${who}${what}${age}`;
}
