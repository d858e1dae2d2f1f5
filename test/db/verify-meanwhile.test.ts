/** `verify` while others write or hold a table. It writes nothing itself and needs no right to write. */
import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { increp, startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { insertOrders } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';
import { EQUAL, oldOrders, verify } from '../support/verify.ts';

test('what open transactions may still bring is no difference, once they have brought it', async () => {
  await using pair = await freshPair(oldOrders(30, { lookback: '0s' }));
  await sync(pair);
  const late = await pair.source.connect();
  await late.query('BEGIN; SELECT now()');
  await insertOrders(pair, 2);
  await sync(pair, '--wait-transactions 50ms');
  await late.query(
    `INSERT INTO orders VALUES (700, 1, 'late', now()); UPDATE orders SET note = 'late', updated_at = now() WHERE id = 3; COMMIT`,
  );
  late.release();
  expect(await verify(pair)).toMatchObject(EQUAL);
  await sync(pair);
  expect(await verify(pair)).toMatchObject(EQUAL);
});

slowTest('no false alarm while both sides are written', { timeout: 120_000 }, async () => {
  await using pair = await freshPair(oldOrders(3000));
  await sync(pair);
  let isOver = false;
  const write = async (writer: number) => {
    const client = await pair.source.connect();
    for (let round = 1; !isOver; round += 1) {
      await client.query('BEGIN');
      await client.query(`INSERT INTO orders (id, note) VALUES (${writer * 1_000_000 + round}, 'new');
        UPDATE orders SET note = 'round ${round}', updated_at = now() WHERE id % 400 = ${(round * 7 + writer) % 400}`);
      await client.query(`SELECT pg_sleep(random() * 0.05)`);
      await client.query(round % 10 === 0 ? 'ROLLBACK' : 'COMMIT');
    }
    client.release();
  };
  const keepSyncing = async () => {
    while (!isOver) await sync(pair, '--wait-transactions 100ms --wait-lock 10s');
  };
  const company = [write(1), write(2), write(3), write(4), keepSyncing()];
  try {
    for (let run = 1; run <= 10; run += 1) expect(await verify(pair), `run ${run}`).toMatchObject(EQUAL);
  } finally {
    isOver = true;
    await Promise.allSettled(company);
  }
  await Promise.all(company);
  await sync(pair);
  await expectSameRows(pair, 'orders');
});

slowTest('--repair gives way to a run, and says so', async () => {
  await using pair = await freshPair(oldOrders(30));
  await sync(pair);
  await pair.destination.query('DELETE FROM orders WHERE id = 3');
  await insertOrders(pair, 1);
  const open = await pair.source.connect();
  await open.query('BEGIN; SELECT FROM orders');
  await using running = startIncrep('sync -v --wait-transactions 40s', pair);
  await running.waitForPhase('fence');
  const { exitCode, table } = await verify(pair, '--repair');
  expect({ exitCode, code: table?.error?.code }).toEqual({ exitCode: 2, code: 'RUN_LOCKED' });
  await open.query('COMMIT');
  open.release();
  await running.wait();
  expect(await verify(pair, '--repair')).toMatchObject(EQUAL);
});

/** Everything of the destination that a command could leave a trace in. */
async function tracesOf(pair: Pair) {
  const { rows } = await pair.destination.query(`
    SELECT (SELECT json_agg(row(relname, oid, relfilenode) ORDER BY oid) FROM pg_class WHERE relnamespace = 'public'::regnamespace) AS relations,
      (SELECT json_agg(row(relname, n_tup_ins, n_tup_upd, n_tup_del) ORDER BY relid) FROM pg_stat_user_tables) AS writes,
      (SELECT json_agg(nspname ORDER BY 1) FROM pg_namespace WHERE nspname !~ '^pg_') AS schemas`);
  return { ...rows[0], files: await readdir(pair.directory, { recursive: true }) };
}

slowTest('plan, check, status and verify write nothing, before the first sync and after it', async () => {
  await using pair = await freshPair('orders');
  const commands = ['plan', 'check', 'status', 'verify', 'sync --dry-run', 'plan --full-refresh --deletes'];
  for (const isSynced of [false, true]) {
    if (isSynced) await sync(pair);
    await insertOrders(pair, 1);
    const before = await tracesOf(pair);
    for (const command of commands) {
      const { exitCode, stderr } = await increp(command, pair);
      expect(exitCode, `${command}: ${stderr}`).toBe(command === 'verify' && !isSynced ? 1 : 0);
      expect(await tracesOf(pair), command).toEqual(before);
    }
  }
});

slowTest('they need no right to write, and check says that sync does', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  const { database } = pair.login('destination', 'increp');
  await pair.destination.query(`CREATE ROLE looker_${database} LOGIN PASSWORD 'style';
    GRANT SELECT ON ALL TABLES IN SCHEMA public TO looker_${database}`);
  try {
    await pair.setEnv({ DEST_USERNAME: `looker_${database}`, DEST_PASSWORD: 'style' });
    expect(await verify(pair)).toMatchObject(EQUAL);
    for (const command of ['plan', 'status']) {
      const result = await increp(command, pair);
      expect(result.exitCode, `${command}: ${result.stdout} ${result.stderr}`).toBe(0);
    }
    const checked = await increp('check --json', pair);
    expect(checked.exitCode).toBe(77);
    expect(checked.json<{ findings: object[] }>().findings).toContainEqual(
      expect.objectContaining({ level: 'error', code: 'PRIVILEGE_MISSING', table: 'orders' }),
    );
  } finally {
    await pair.destination.query(`DROP OWNED BY looker_${database}; DROP ROLE looker_${database}`);
  }
});

test('the session that holds a table is named', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  const holder = await pair.source.connect();
  await holder.query(`SET application_name = 'nightly'; BEGIN; LOCK TABLE orders`);
  const { stdout, stderr } = await increp('verify', pair, { timing: { lockTimeout: 0.2 } });
  await holder.query('ROLLBACK');
  expect(stdout, stderr).toMatch(
    /held by pid \d+ \(nightly\) of \w+ .*with AccessExclusiveLock on orders at the source/,
  );
});
