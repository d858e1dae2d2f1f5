/** A load of a table that keeps deleted rows breaks off anywhere: readers see all rows in the old shape or in the new shape. */
import { expect, test } from 'vitest';
import { kindNamed, type Kind } from '../faults/kinds.ts';
import { sent, type LoneStep } from '../faults/steps.ts';
import { readAllTheTime, stateOf } from '../support/copy-reader.ts';
import { startIncrep } from '../support/increp.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { oneIn } from '../support/tier.ts';

const ROWS = 3000;
const PRUNED = 2000;

/** The text of a total is the same before and after the change of its type. */
const CONTENT = `total::numeric + coalesce((to_jsonb(orders) ->> 'more')::numeric, 0)`;

const ordersPair = (options: object): Promise<Pair> =>
  freshPair({
    tables: [{ ...ORDERS_CONFIG, initial_load: 'copy', deletes: 'keep', ...options }],
    sourceSql: `${ORDERS_SQL}; INSERT INTO orders (id, total, note, updated_at)
      SELECT i, 1, 'note ' || i, timestamptz '2026-01-01' + i * interval '1 min' FROM generate_series(1, ${ROWS}) i`,
  });

async function prepare(pair: Pair): Promise<void> {
  await sync(pair);
  const { user } = pair.login('destination', 'increp');
  await pair.destination.query(`CREATE VIEW v AS SELECT total FROM orders; ALTER VIEW v OWNER TO ${user}`);
  await pair.source.query(`DELETE FROM orders WHERE id <= ${PRUNED};
    ALTER TABLE orders ADD COLUMN more int NOT NULL DEFAULT 3, ALTER total TYPE text, DROP COLUMN note`);
}

const STEPS: readonly LoneStep[] = [
  { side: 'destination', phase: 'rehearsal', trigger: sent('SAVEPOINT increp_in_place') },
  { side: 'destination', phase: 'early check', trigger: sent('SAVEPOINT increp_convert') },
  { side: 'destination', phase: 'copy', trigger: sent('FROM STDIN') },
  {
    side: 'destination',
    phase: 'check of kept rows',
    trigger: sent('NOT EXISTS (SELECT FROM', 'FROM STDIN'),
  },
  { side: 'destination', phase: 'lock', trigger: sent('SAVEPOINT increp_lock', 'FROM STDIN') },
  { side: 'destination', phase: 'views', trigger: sent('DROP VIEW', 'NOT EXISTS (SELECT FROM') },
  { side: 'destination', phase: 'alter', trigger: sent('USING "total"::text', 'NOT EXISTS (SELECT FROM') },
  { side: 'destination', phase: 'check of the conversion', trigger: sent('"updated_at" OPERATOR') },
  { side: 'destination', phase: 'merge', trigger: sent('MERGE INTO', 'USING "total"::text') },
  { side: 'destination', phase: 'commit', trigger: sent('_increp_state" AS state') },
];

const CASES: readonly (readonly [name: string, step: LoneStep, kind: Kind, options: object])[] =
  STEPS.flatMap((step, place) =>
    ['SIGKILL', ...(place % 2 === 1 ? [['the reply lost', 'cut'][((place - 1) / 2) % 2] ?? 'cut'] : [])].map(
      (name, which) => {
        const options = (place + which) % 2 === 0 ? {} : { chunk: '64kB' };
        const way = 'chunk' in options ? 'in chunks' : 'at once';
        return [`${name}: ${step.phase}, ${way}`, step, kindNamed(name), options] as const;
      },
    ),
  );

// From the end, so that the lost reply to the commit is tried every day.
test.each(oneIn(10, CASES.toReversed()))(
  '%s',
  async (_name, step, { fault, meanwhile, ends, stallTimeout }, options) => {
    await using pair = await ordersPair(options);
    await prepare(pair);
    await using proxy = await faultProxy(pair.login('destination'));
    await pair.setEnv({ DEST_PORT: String(proxy.port), STALL_TIMEOUT: stallTimeout });
    const before = await stateOf(pair.destination, 'orders', CONTENT);
    const reader = await readAllTheTime(pair, 'orders', CONTENT);

    proxy.when({ ...step.trigger, fault: fault ?? 'cut' });
    await using running = startIncrep('sync --json', pair, { timeout: 60_000 });
    await proxy.waitUntilFired();
    await meanwhile?.({ pair, proxy, running, step: { ...step, jobs: [] } });
    const result = await running.wait();
    if (ends === 'killed') expect(result.signal).toBe('SIGKILL');
    else expect(result.exitCode, result.stderr).toBe(0);

    await proxy[Symbol.asyncDispose]();
    await pair.setEnv({ DEST_PORT: String(pair.login('destination').port), STALL_TIMEOUT: undefined });
    await sync(pair, '--wait-lock 10s');
    await reader.stop();
    const after = await stateOf(pair.destination, 'orders', CONTENT);
    expect([before, after]).toEqual(expect.arrayContaining([...reader.seen]));
    const { rows } = await pair.destination.query(
      `SELECT count(*)::int AS n, count(note)::int AS notes, sum(total::numeric)::text AS total, count(more)::int AS more FROM orders`,
    );
    expect(rows).toEqual([{ n: ROWS, notes: ROWS, total: `${ROWS}.00`, more: ROWS - PRUNED }]);
    expect((await pair.destination.query('SELECT FROM v')).rowCount).toBe(ROWS);
  },
);
