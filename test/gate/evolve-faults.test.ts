/** A change in place that breaks off anywhere: old shape, old rows and old cursor, or all of the new ones. */
import { expect, test } from 'vitest';
import { kindNamed, type Kind } from '../faults/kinds.ts';
import { sent, type LoneStep } from '../faults/steps.ts';
import { readAllTheTime, stateOf } from '../support/copy-reader.ts';
import { startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { oneIn } from '../support/tier.ts';

const ROWS = 5000;

const ORDERS = {
  tables: [{ ...ORDERS_CONFIG, initial_load: 'copy', on_schema_change: 'evolve' }],
  sourceSql: `${ORDERS_SQL}; INSERT INTO orders (id, total, note, updated_at)
    SELECT i, 1, 'note ' || i, timestamptz '2026-01-01' + i * interval '1 min' FROM generate_series(1, ${ROWS}) i`,
};

/** Old rows too show what they have in a column that is new: 3 each, and 5 those that a run has to merge. */
const CONTENT = `total + coalesce((to_jsonb(orders) ->> 'more')::numeric, 0)`;

async function prepare(pair: Pair): Promise<void> {
  await sync(pair);
  await pair.destination.query(`CREATE VIEW v AS SELECT total FROM orders;
    CREATE MATERIALIZED VIEW mv AS SELECT sum(total) AS s FROM v; GRANT SELECT ON v, mv TO PUBLIC`);
  const { user } = pair.login('destination', 'increp');
  await pair.destination.query(`ALTER VIEW v OWNER TO ${user}; ALTER MATERIALIZED VIEW mv OWNER TO ${user}`);
  await pair.source.query(`
    ALTER TABLE orders ADD COLUMN more int NOT NULL DEFAULT 3, ALTER total TYPE numeric(14,3), DROP COLUMN note;
    UPDATE orders SET more = 5, updated_at = now() WHERE id % 100 = 0`);
}

const STEPS: readonly LoneStep[] = [
  { side: 'source', phase: 'compare', trigger: sent('AS digest') },
  { side: 'source', phase: 'fill', trigger: sent('COPY (SELECT "id", "more"') },
  { side: 'source', phase: 'letting go', trigger: sent('COMMIT', 'COPY (SELECT "id", "more"') },
  { side: 'destination', phase: 'compare', trigger: sent('AS digest') },
  { side: 'destination', phase: 'fill table', trigger: sent('TABLE "public"."orders_increp_fill"') },
  { side: 'destination', phase: 'fill', trigger: sent('COPY "public"."orders_increp_fill"') },
  { side: 'destination', phase: 'lock', trigger: sent('SAVEPOINT increp_lock') },
  { side: 'destination', phase: 'views', trigger: sent('DROP MATERIALIZED VIEW') },
  { side: 'destination', phase: 'alter', trigger: sent('ADD COLUMN "more"') },
  { side: 'destination', phase: 'views again', trigger: sent('CREATE MATERIALIZED VIEW') },
  { side: 'destination', phase: 'values', trigger: sent('FROM "public"."orders_increp_fill"') },
  { side: 'destination', phase: 'merge', trigger: sent('MERGE INTO') },
  { side: 'destination', phase: 'not null', trigger: sent('SAVEPOINT increp_tighten') },
  { side: 'destination', phase: 'refresh', trigger: sent('REFRESH MATERIALIZED VIEW') },
  { side: 'destination', phase: 'commit', trigger: sent('_increp_state" AS state') },
];

/** Killed at each step, and every other fault at some. */
const CASES: readonly (readonly [name: string, step: LoneStep, kind: Kind])[] = STEPS.flatMap((step, place) =>
  ['SIGKILL', ...(place % 2 === 0 ? [['cut', 'the reply lost'][(place / 2) % 2] ?? 'cut'] : [])].map(
    (name) => [`${name} at the ${step.side}, ${step.phase}`, step, kindNamed(name)] as const,
  ),
);

// From the end, so that the lost reply to the commit is tried every day.
test.each(oneIn(12, CASES.toReversed()))(
  '%s',
  async (_name, step, { fault, meanwhile, ends, stallTimeout }) => {
    await using pair = await freshPair(ORDERS);
    await prepare(pair);
    await using proxy = await faultProxy(pair.login(step.side));
    const prefix = step.side === 'source' ? 'SOURCE' : 'DEST';
    await pair.setEnv({ [`${prefix}_PORT`]: String(proxy.port), STALL_TIMEOUT: stallTimeout });
    const before = await stateOf(pair.destination, 'orders', CONTENT);
    const after = await stateOf(pair.source, 'orders', CONTENT);
    const reader = await readAllTheTime(pair, 'orders', CONTENT);

    proxy.when({ ...step.trigger, fault: fault ?? 'cut' });
    await using running = startIncrep('sync --json', pair, { timeout: 60_000 });
    await proxy.waitUntilFired();
    await meanwhile?.({ pair, proxy, running, step: { ...step, jobs: [] } });
    const result = await running.wait();
    if (ends === 'killed') expect(result.signal).toBe('SIGKILL');
    else expect(result.exitCode, result.stderr).toBe(0);
    expect(result.stderr).not.toContain('"reset"');

    await proxy[Symbol.asyncDispose]();
    await pair.setEnv({ [`${prefix}_PORT`]: String(pair.login(step.side).port), STALL_TIMEOUT: undefined });
    expect((await sync(pair, '--wait-lock 10s')).table().action).toBe('incremental');
    await reader.stop();
    // The sum as numeric(12,2) has a digit less.
    const plain = (state: string) => state.replace(/\.0+$/, '');
    const states = [before, after].map(plain);
    expect(reader.looks).toBeGreaterThan(5);
    expect(states).toEqual(expect.arrayContaining(reader.seen.map(plain)));
    await expectSameRows(pair, 'orders');
    const { rows } = await pair.destination.query(
      `SELECT (SELECT s::float8 FROM mv) AS s, to_regclass('orders_increp_fill') AS fill,
       (SELECT array_agg(relacl::text ~ '=r/' ORDER BY relname) FROM pg_class WHERE relname IN ('v', 'mv')) AS granted`,
    );
    expect(rows).toEqual([{ s: ROWS, fill: null, granted: [true, true] }]);
  },
);
