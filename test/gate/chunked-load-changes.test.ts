/** Loads in chunks that continue although the table gets columns or partitions. */
import { describe, expect, test } from 'vitest';
import {
  big,
  BIG,
  chunked,
  fill,
  goThrough,
  killAfter,
  SLOWLY,
  STAMP,
  waitForChunks,
  RESUMED,
} from '../support/chunked.ts';
import { startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { sync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

describe('a column that is added in the middle of a load', () => {
  const ADDED = `ALTER TABLE big ADD plain text, ADD extra int DEFAULT 7, ADD mood mood DEFAULT 'calm';
    UPDATE big SET plain = 'new', updated_at = now() WHERE id % 100 = 1`;
  const withMood = () => ({
    ...big({ on_schema_change: 'evolve' }),
    sourceSql: `CREATE TYPE mood AS ENUM ('calm', 'wild'); ${BIG}`,
  });

  const expectEvolved = async (pair: Pair) => {
    const columns = ['id', 'note', 'updated_at'];
    await expectSameRows(pair, 'big', { columns });
    const { action, reason } = (await sync(pair)).table();
    expect(action, reason).toBe('incremental');
    await expectSameRows(pair, 'big');
  };

  test('between two runs is left to the next sync', async () => {
    await using pair = await freshPair(withMood());
    await killAfter(pair, 3);
    await pair.source.query(ADDED);
    await killAfter(pair, 8);
    const { reason } = (await sync(pair)).table();
    expect(reason).toMatch(RESUMED);
    expect(reason).toMatch(/the next sync adds the columns "plain", "extra", "mood"/);
    await expectEvolved(pair);
  });

  slowTest('during a run is left to the next sync', async () => {
    await using pair = await freshPair(withMood());
    await using proxy = await faultProxy(pair.login('source'));
    await goThrough(pair, 'source', proxy);
    proxy.throttle(SLOWLY);
    await using running = startIncrep('sync --json', pair);
    await waitForChunks(pair, 3);
    await pair.source.query(ADDED);
    await proxy.resume();
    const result = await running.wait();
    expect(result.exitCode, result.stderr).toBe(0);
    expect(result.stdout).toMatch(/the next sync adds the columns/);
    await expectEvolved(pair);
  });

  slowTest('with a value of its own for each row rewrites the table, so the load starts over', async () => {
    await using pair = await freshPair(big({ on_schema_change: 'evolve' }));
    await killAfter(pair, 3);
    await pair.source.query('ALTER TABLE big ADD drawn float8 DEFAULT random()');
    expect((await sync(pair)).table().reason).toMatch(/rewritten meanwhile/);
    await expectSameRows(pair, 'big');
  });
});

slowTest('partitions that come and go do not stop it', async () => {
  await using pair = await freshPair({
    tables: [chunked('big')],
    sourceSql: `CREATE TABLE big (id bigint, note text, ${STAMP}, PRIMARY KEY (id)) PARTITION BY RANGE (id);
      CREATE TABLE big_1 PARTITION OF big FOR VALUES FROM (0) TO (4000);
      CREATE TABLE big_2 PARTITION OF big FOR VALUES FROM (4000) TO (8000);
      CREATE TABLE big_3 PARTITION OF big FOR VALUES FROM (8000) TO (30000); ${fill('big')}`,
  });
  await killAfter(pair, 4);
  await pair.source.query(`DROP TABLE big_1; ALTER TABLE big DETACH PARTITION big_2;
    CREATE TABLE big_4 (LIKE big INCLUDING ALL); ${fill('big_4', 2000, 50_000)};
    ALTER TABLE big ATTACH PARTITION big_4 FOR VALUES FROM (40000) TO (60000)`);
  expect((await sync(pair)).table().reason).toMatch(/continues an interrupted load/);
  await expectSameRows(pair, 'big');
});
