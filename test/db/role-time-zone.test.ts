/** Which rows are from the future is told by the zone of those who write, whatever zone the role of increp has set for itself. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import { sync } from '../support/sync.ts';
import { oneIn } from '../support/tier.ts';

/** Far ahead of UTC and far behind it. */
const ZONES = ['Pacific/Auckland', 'Pacific/Honolulu'];

for (const type of ['timestamp', 'date'] as const)
  for (const zone of oneIn(8, ZONES))
    for (const where of oneIn(2, ['IN DATABASE', '']))
      test(`a ${type} key, and a role in ${zone} ${where}`, async () => {
        const now = `(now() AT TIME ZONE current_setting('log_timezone'))`;
        await using pair = await freshPair({
          tables: [{ name: 'log', replication_key: 'at', unique_cols: ['id'], lookback: '0s' }],
          sourceSql: `CREATE TABLE log (id int PRIMARY KEY, at ${type} NOT NULL); CREATE INDEX ON log (at);
            INSERT INTO log SELECT g, ${now} - g * interval '1 day' FROM generate_series(0, 10) g`,
        });
        const { user, database } = pair.login('source', 'increp');
        await pair.source.query(
          `ALTER ROLE "${user}" ${where === '' ? '' : `IN DATABASE "${database}"`} SET timezone = '${zone}'`,
        );
        const ahead = type === 'date' ? '1 day' : '6 hours';
        await pair.source.query(`INSERT INTO log VALUES (100, ${now} + interval '${ahead}')`);
        await sync(pair);
        await pair.source.query(`INSERT INTO log VALUES (200, ${now})`);
        expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1 });
        await expectSameRows(pair, 'log');
        expect((await increp('check --json', pair)).stdout).toContain('"FUTURE_KEYS"');
      });
