/** Several workers on the tables of one source. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { controlPlace, type ControlPlace } from '../support/service.ts';
import { ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';

const SERVE = 'serve --no-worker --listen 127.0.0.1:0';
const [TABLES, ROUNDS, LIMIT] = [200, 10, 4];
/** Tables with new rows in each round. The others must be seen, too. */
const WRITTEN = 30;

const nameOf = (number: number) => `t${number}`;
const names = Array.from({ length: TABLES }, (_, number) => nameOf(number));

async function manyTables(limit: number): Promise<Pair> {
  const pair = await freshPair({
    sourceSql: names
      .map((name) => `${ORDERS_SQL.replaceAll('orders', name)}; INSERT INTO ${name} (id) VALUES (1)`)
      .join(';'),
  });
  await pair.writeTables({
    ...{ schedule: { every: '1s' }, jobs: limit },
    tables: names.map((name) => ({ ...ORDERS_CONFIG, name, initial_load: 'copy' })),
  });
  return pair;
}

/** Tables of the source that are being synced, as the queue and as the servers see it. */
async function watchLimits(control: ControlPlace, pair: Pair) {
  const seen = { jobs: 0, holders: 0, twice: 0 };
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      const [jobs] = await control.rows<{ count: number }>(
        `SELECT count(*)::int AS count FROM job WHERE state = 'active' AND group_id IS NOT NULL`,
      );
      seen.jobs = Math.max(seen.jobs, jobs?.count ?? 0);
      const [twice] = await control.rows<{ count: number }>(
        `SELECT count(*)::int AS count FROM (SELECT FROM job WHERE state = 'active' GROUP BY singleton_key HAVING count(*) > 1) s`,
      );
      seen.twice += twice?.count ?? 0;
      const { rows } = await pair.destination.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      );
      seen.holders = Math.max(seen.holders, rows[0]?.count ?? 0);
      await sleep(50);
    }
  })();
  return {
    seen,
    [Symbol.asyncDispose]: async () => {
      isOver = true;
      await watching;
    },
  };
}

test(
  `3 workers, ${TABLES} tables, ${LIMIT} of them at a time, with writes and kills for ${ROUNDS} rounds`,
  { timeout: 900_000 },
  async () => {
    await using pair = await manyTables(LIMIT);
    await using control = await controlPlace();
    await control.add('shop', pair);
    control.start(SERVE);
    await control.until('SELECT FROM schedules');
    await using limits = await watchLimits(control, pair);
    const workers = [1, 2, 3].map(() => control.spawn('work --jobs 3'));
    await control.until(`SELECT count(*) = ${TABLES} FROM tables WHERE last_success_at IS NOT NULL`, 300_000);
    for (let round = 1; round <= ROUNDS; round += 1) {
      await pair.source.query(
        Array.from({ length: WRITTEN }, (_, place) => nameOf((round * WRITTEN + place) % TABLES))
          .map(
            (name) =>
              `INSERT INTO ${name} (id, note) SELECT ${round} * 1000 + i, 'new' FROM generate_series(1, 50) i`,
          )
          .join(';'),
      );
      const { 0: since } = await control.rows<{ now: string }>('SELECT now()::text AS now');
      await control.until(`SELECT FROM attempts WHERE state = 'running' AND table_name IS NOT NULL`);
      workers.splice(round % 3, 1, control.spawn('work --jobs 3'))[0]?.kill('SIGKILL');
      await control.until(
        `SELECT count(*) = ${TABLES} FROM tables WHERE state = 'ok' AND last_success_at > '${since?.now}'`,
        300_000,
      );
    }
    expect(limits.seen).toEqual({
      jobs: LIMIT,
      holders: expect.toSatisfy((count: number) => count <= LIMIT),
      twice: 0,
    });
    await control.until(
      `SELECT count(*) = 0 FROM job WHERE state <= 'active' AND group_id IS NOT NULL`,
      60_000,
    );
    for (const name of names) await expectSameRows(pair, name);
  },
);
