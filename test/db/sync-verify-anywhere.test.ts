/** `sync --verify` of rows that were found by who wrote them: the destination has transactions of its own. */
import { expect, test } from 'vitest';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn } from '../support/tier.ts';

const EVENTS = { name: 'events', replication_key: 'id', unique_cols: ['id'] };
const BURN = `DO $$ BEGIN FOR i IN 1..2000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$`;

async function eventsPair(): Promise<Pair> {
  const pair = await freshPair({
    tables: [{ ...EVENTS, deletes: 'hard', deletes_every: '24h' }],
    sourceSql: `CREATE TABLE events (id bigserial PRIMARY KEY, note text);
      INSERT INTO events (note) SELECT 'x' FROM generate_series(1, 100)`,
  });
  await sync(pair);
  return pair;
}

for (const side of ['source', 'destination'] as const)
  for (const [what, sql, left] of oneIn(3, [
    [
      'a restarted sequence',
      `TRUNCATE events RESTART IDENTITY; INSERT INTO events (note) VALUES ('a'), ('b')`,
      2,
    ],
    ['deleted newest rows', 'DELETE FROM events WHERE id > 90', 90],
    [
      'deleted newest rows and a low one',
      `DELETE FROM events WHERE id > 90; INSERT INTO events VALUES (-5, 'low')`,
      91,
    ],
  ] as const))
    test(`passes after ${what}, where the ${side} counts more transactions`, async () => {
      await using pair = await eventsPair();
      await pair[side].query(BURN);
      await pair.source.query(sql);
      await sync(pair, '--verify');
      const { rowCount } = await pair.source.query('SELECT FROM events');
      expect(rowCount).toBe(left);
      await sync(pair, '--verify --deletes --force');
      await expectSameRows(pair, 'events');
    });

test('still fails where a row that was written anywhere did not arrive as it is', async () => {
  await using pair = await eventsPair();
  await pair.destination.query(`CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS
      $$BEGIN new.note := 'meddled'; RETURN new; END$$;
    CREATE TRIGGER meddle BEFORE INSERT OR UPDATE ON events FOR EACH ROW EXECUTE FUNCTION meddle()`);
  await pair.source.query(`DELETE FROM events WHERE id > 90; INSERT INTO events VALUES (-5, 'low')`);
  const failed = await trySync(pair, '--verify');
  expect(failed.table().error).toMatchObject({ code: 'VERIFY_FAILED' });
});
