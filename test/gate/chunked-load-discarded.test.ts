/** Loads in chunks that are broken off and not continued: they start over, or are forgotten. */
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
import { increp, startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { sync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const STARTED_OVER = /starts again, because an interrupted load cannot be continued: /;

describe('a load that was broken off starts over', () => {
  const CASES: readonly [string, 'source' | 'destination', string, RegExp][] = [
    ['VACUUM FULL', 'source', 'VACUUM FULL big', /rewritten meanwhile/],
    ['TRUNCATE and new rows', 'source', `TRUNCATE big; ${fill('big', 15_000)}`, /rewritten meanwhile/],
    ['another shape', 'source', 'ALTER TABLE big RENAME note TO remark', /altered meanwhile/],
    ['another table', 'source', `DROP TABLE big; ${BIG}`, /altered meanwhile/],
    ['a dropped staging table', 'destination', 'DROP TABLE big_stg', /staging table was dropped/],
    ['an emptied staging table', 'destination', 'TRUNCATE big_stg', /emptied/],
    [
      'a state of another version',
      'destination',
      `UPDATE _increp_loads SET header = '{"format": 2}'`,
      /another version/,
    ],
  ];
  test.each(oneIn(8, CASES))('after %s', async (_what, side, sql, why) => {
    await using pair = await freshPair(big());
    await killAfter(pair, 3);
    await pair[side].query(sql);
    const { reason } = (await sync(pair)).table();
    expect(reason).toMatch(STARTED_OVER);
    expect(reason).toMatch(why);
    await expectSameRows(pair, 'big');
  });

  slowTest('when the table is rewritten while it runs', async () => {
    await using pair = await freshPair(big());
    await using proxy = await faultProxy(pair.login('source'));
    await goThrough(pair, 'source', proxy);
    proxy.throttle(SLOWLY);
    await using running = startIncrep('sync --json', pair);
    await waitForChunks(pair, 3);
    await pair.source.query('DELETE FROM big WHERE id < 3000');
    await pair.source.query('VACUUM FULL big');
    await proxy.resume();
    const result = await running.wait();
    expect(result.exitCode, result.stderr).toBe(0);
    expect(result.stderr).toMatch(/was rewritten at the source/);
    await expectSameRows(pair, 'big');
  });

  slowTest('when a materialized view is refreshed', async () => {
    await using pair = await freshPair({
      tables: [chunked('big')],
      sourceSql: `CREATE TABLE base (id bigint, note text, ${STAMP}); ${fill('base')};
        CREATE MATERIALIZED VIEW big AS SELECT * FROM base`,
    });
    await killAfter(pair, 3);
    await pair.source.query('DELETE FROM base WHERE id < 3000; REFRESH MATERIALIZED VIEW big');
    expect((await sync(pair)).table().reason).toMatch(/rewritten meanwhile/);
    await expectSameRows(pair, 'big');
  });
});

describe('a load that was broken off is forgotten', () => {
  const loads = async (pair: Pair) => (await pair.destination.query('TABLE _increp_loads')).rowCount;

  test('by "increp reset"', async () => {
    await using pair = await freshPair(big());
    await killAfter(pair, 3);
    expect(await loads(pair)).toBe(1);
    await increp('reset big', pair);
    expect(await loads(pair)).toBe(0);
    const staging = await pair.destination.query(`SELECT to_regclass('big_stg') IS NULL AS "isGone"`);
    expect(staging.rows).toEqual([{ isGone: true }]);
    expect((await sync(pair)).table().reason).toMatch(/there is no destination table yet; in 13 chunks/);
    await expectSameRows(pair, 'big');
  });

  slowTest('by a load in one go', async () => {
    await using pair = await freshPair(big());
    await killAfter(pair, 3);
    await pair.writeTables([chunked('big', { chunk: undefined })]);
    const { reason, warnings } = (await sync(pair)).table();
    expect(reason).toBe('there is no destination table yet');
    expect(warnings).toEqual([
      expect.stringMatching(/^this sync discarded an interrupted load in chunks \(/),
    ]);
    expect(await loads(pair)).toBe(0);
    await expectSameRows(pair, 'big');
  });

  slowTest('by an incremental sync, which needs the staging table', async () => {
    await using pair = await freshPair(big());
    await sync(pair);
    const stopped = await killAfter(pair, 3, 'sync --full-refresh', 'SIGTERM');
    // A sync that is not asked for a full refresh would forget the chunks.
    expect(stopped.stdout).toMatch(
      /of 13 chunks are kept .*\n +next: +The next sync without --full-refresh discards this load; to continue with the remaining chunks:\n +increp sync --full-refresh$/m,
    );
    const plan = await increp('plan --full-refresh', pair);
    expect(plan.stdout).toMatch(RESUMED);
    expect((await increp('plan', pair)).stdout).toContain('this sync discards an interrupted full refresh');
    await pair.source.query(`UPDATE big SET note = 'changed', updated_at = now() WHERE id = 5`);
    const { warnings, ...synced } = (await sync(pair)).table();
    expect(synced).toMatchObject({ action: 'incremental', rows_updated: 1 });
    expect(warnings).toEqual([
      expect.stringMatching(
        /^this sync discarded an interrupted full refresh \(\d+ of 13 chunks were done\); to load the table from the start, run "increp sync big --full-refresh"$/,
      ),
    ]);
    expect(await loads(pair)).toBe(0);
    expect((await sync(pair, '--full-refresh')).table().reason).toMatch(/; in 13 chunks/);
    await expectSameRows(pair, 'big');
  });
});
