/**
 * Every fault at every step of every kind of sync, on either side. By default a part of that product in which each step
 * and each fault has its turn; `npm run test:all` runs all of it.
 */
import { expect, test } from 'vitest';
import { waitUntil } from '../support/activity.ts';
import { readAllTheTime, stateOf } from '../support/copy-reader.ts';
import { startIncrep, type IncrepResult } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair, type Pair, type Side } from '../support/pair.ts';
import { hasPgDump } from '../support/pg-dump-here.ts';
import { faultProxy } from '../support/proxy.ts';
import { ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { isWhole } from '../support/tier.ts';
import { KINDS, type Kind } from './kinds.ts';
import { JOBS, STEPS, type Job, type Step } from './steps.ts';

const ROWS = 12_000;

/** What there is to do for the sync that is harmed. */
export async function prepare(pair: Pair, job: Job): Promise<void> {
  if (job.startsWith('first')) return;
  await sync(pair);
  await pair.source.query(`
    DELETE FROM orders WHERE id % 10 = 0;
    UPDATE orders SET total = 2, updated_at = now() WHERE id % 2 = 0;
    INSERT INTO orders (id, total, note) SELECT i, 3, repeat('more ', 20) || i
      FROM generate_series(${ROWS + 1}, ${ROWS + 3000}) i`);
  if (job === 'swap') await pair.source.query('ALTER TABLE orders ADD COLUMN more int DEFAULT 5');
}

interface Case {
  readonly job: Job;
  readonly step: Step;
  readonly kind: Kind;
}

/** What a network in between takes in at once must not be all there is, where a statement has to be still at work. */
const wordsFor = ({ ends }: Kind): number => (ends === 'cancelled' ? 400 : 20);

/** A pipeline for this kind of sync, with notes of so many words. */
export const ordersFor = (job: Job, words: number) => ({
  tables: [
    {
      ...ORDERS_CONFIG,
      deletes: 'hard',
      deletes_every: '0s',
      delete_limit: 1,
      initial_load: job.endsWith('pg_dump') ? 'pg_dump' : 'copy',
    },
  ],
  sourceSql: `${ORDERS_SQL}; INSERT INTO orders (id, total, note)
    SELECT i, 1, repeat('note ', ${words}) || i FROM generate_series(1, ${ROWS}) i`,
});

const product: readonly Case[] = JOBS.flatMap((job) =>
  STEPS.filter(({ jobs }) => jobs.includes(job)).flatMap((step) =>
    KINDS.filter(({ isFor }) => isFor?.(step) ?? true).map((kind) => ({ job, step, kind })),
  ),
).filter(({ job }) => !job.endsWith('pg_dump') || hasPgDump());

/** Each step once, in a job whose turn it is; the kind is the one that was met least so far. */
const eachStep: readonly Case[] = STEPS.map((step, place) => ({
  step,
  job: step.jobs[place % step.jobs.length],
})).reduce<Case[]>((chosen, { step, job }) => {
  const met = (kind: Kind) => chosen.filter((each) => each.kind === kind).length;
  const cases = product.filter((each) => each.step === step && each.job === job);
  const [rarest] = cases.toSorted((one, other) => met(one.kind) - met(other.kind));
  return rarest ? [...chosen, rarest] : chosen;
}, []);

/** Each step once, and then what no step has met: each kind and each job. */
const part: readonly Case[] = [
  ...KINDS.map((kind) => (each: Case) => each.kind === kind),
  ...JOBS.map((job) => (each: Case) => each.job === job),
].reduce(
  (chosen, isWanted) =>
    chosen.some(isWanted) ? chosen : [...chosen, ...product.filter(isWanted).slice(0, 1)],
  eachStep,
);

/** Steps and kinds that the part misses: none. */
export const missedByPart = (): (Step | Kind)[] =>
  [...STEPS, ...KINDS].filter((wanted) => !part.some(({ step, kind }) => step === wanted || kind === wanted));

/** Registers the tests of one kind of sync: one file each, so that several workers share them. */
export function testFaults(wanted: Job): void {
  const cases = (isWhole ? product : part).filter((each) => each.job === wanted);
  test.skipIf(cases.length === 0)(`faults of a ${wanted} are tried where its programs are installed`, () => {
    expect(new Set(cases.map(({ step }) => step)).size).toBeGreaterThan(2);
  });
  test.each(cases.map((each) => [nameOf(each), each] as const))('%s', async (_, { job, step, kind }) => {
    await using pair = await freshPair(ordersFor(job, wordsFor(kind)));
    await prepare(pair, job);
    await using proxy = await faultProxy(pair.login(step.side));
    const prefix = step.side === 'source' ? 'SOURCE' : 'DEST';
    await pair.setEnv({ [`${prefix}_PORT`]: String(proxy.port), STALL_TIMEOUT: kind.stallTimeout });
    const before = await stateOf(pair.destination, 'orders', 'total');
    const after = await stateOf(pair.source, 'orders', 'total');
    const reader = await readAllTheTime(pair, 'orders', 'total');

    if (kind.fault) proxy.when({ ...step.trigger, fault: kind.fault });
    await using running = startIncrep('sync --json', pair, { timeout: 30_000 });
    if (kind.fault) await Promise.race([proxy.waitUntilFired(), running.wait().then(thatWasAll(step))]);
    await kind.meanwhile?.({ pair, proxy, running, step });
    const result = await running.wait();
    expect(result.isTimedOut, result.stderr).toBe(false);
    if (kind.ends === 'killed') expect(result.signal).toBe('SIGKILL');
    else expect(result.exitCode, result.stderr).toBe(kind.ends === 'healed' ? 0 : 1);
    if (kind.ends === 'cancelled') expect(result.stdout).toContain('"code":"TIMEOUT"');
    if (kind.ends === 'healed') expect(result.stderr).not.toContain('"level":"error"');

    await proxy[Symbol.asyncDispose]();
    await pair.setEnv({ [`${prefix}_PORT`]: String(pair.login(step.side).port), STALL_TIMEOUT: undefined });
    await sync(pair, '--wait-lock 10s');
    await reader.stop();
    expect(reader.looks).toBeGreaterThan(5);
    expect([before, after]).toEqual(expect.arrayContaining([...reader.seen]));
    await expectSameRows(pair, 'orders');
    for (const side of ['source', 'destination'] as const) await expectNothingLeft(pair, side);
  });
}

const thatWasAll = (step: Step) => (result: IncrepResult) => {
  // A retry may be over before this looks.
  if (!result.stderr.includes('again'))
    throw new Error(`no sign of ${JSON.stringify(step.trigger)}: ${result.stderr}`);
};

function nameOf({ job, step, kind }: Case): string {
  return `${job}: ${kind.name} at the ${step.side}, ${step.phase}`;
}

async function expectNothingLeft(pair: Pair, side: Side): Promise<void> {
  const sessions = async () => {
    const { rows } = await pair[side].query(
      'SELECT application_name, state, query FROM pg_stat_activity WHERE usename = $1',
      [pair.login(side, 'increp').user],
    );
    return rows;
  };
  await waitUntil(`no session is left at the ${side}`, async () => (await sessions()).length === 0, 5000);
  const { rows } = await pair[side].query<{ name: string }>(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'`,
  );
  const expected = ['orders', 'orders_stg', '_increp_state', '_increp_runs'];
  expect(expected).toEqual(expect.arrayContaining(rows.map(({ name }) => name)));
}
