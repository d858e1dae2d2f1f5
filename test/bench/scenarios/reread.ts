/** Rows that are read again and have not changed: what their destination has to write. */
import type { Pool } from 'pg';
import { formatCount } from '../../../src/format.ts';
import { waitUntil } from '../../support/activity.ts';
import { changeRows, touchRows, type Change } from '../data.ts';
import { sync, tableOf } from '../increp.ts';
import { expectSameRows, type ScenarioKind } from '../scenario.ts';
import { LARGE } from '../stage.ts';
import { limit, type Amount } from '../statistics.ts';

const EVERY = 10;
/** That of the cursor, of the history, and of the catalog for the staging table; none for the rows. */
const LOG_TARGET = 32_000;

export const reread: ScenarioKind = {
  name: 'reread',
  title: ({ rows }) => `${formatCount(rows / EVERY)} unchanged rows read again`,
  open: async (stage) => {
    const { pair, servers, size } = stage;
    const change: Change = { table: LARGE, rows: size.rows, every: EVERY, hour: stage.nextHour() };
    // All of the batch is younger than the cursor less this.
    await stage.configure({ initial_load: 'copy', lookback: '61m' });
    await pair.source.query(changeRows(change));
    await sync(pair, [LARGE], servers);
    const tuples: number[] = [];
    const log: number[] = [];
    let amount: Amount = { rows: null, bytes: null };
    const increp = {
      name: 'increp',
      prepare: async () => {
        await pair.source.query(touchRows(change));
        // Dead rows of the former batch would be cleared away by whoever reads their pages, and that is logged.
        for (const pool of [pair.source, pair.destination]) await pool.query(`VACUUM ${LARGE}`);
      },
      run: async () => {
        const before = await writtenAt(pair.destination);
        const { figures, summary } = await sync(pair, [LARGE], servers);
        await waitUntil('the end of the sessions of increp', () => hasNoSession(pair.destination));
        const after = await writtenAt(pair.destination);
        tuples.push(after.tuples - before.tuples);
        log.push(after.log - before.log);
        const { rows_unchanged, bytes } = tableOf(summary, LARGE);
        if (rows_unchanged < size.rows / EVERY)
          throw new Error(`increp found ${rows_unchanged} rows unchanged`);
        amount = { rows: rows_unchanged, bytes };
        return figures;
      },
      check: () => expectSameRows(pair.source, pair.destination, LARGE, 'increp'),
    };
    return {
      contestants: [increp],
      comparisons: [],
      amount: () => amount,
      findLimits: () => [
        limit('tuples written at the destination, at most', 'rows', Math.max(...tuples), 0),
        limit('write-ahead log at the destination, at most', 'bytes', Math.max(...log), LOG_TARGET),
      ],
    };
  },
};

interface Written {
  readonly tuples: number;
  /** Bytes of write-ahead log. */
  readonly log: number;
}

async function writtenAt(pool: Pool): Promise<Written> {
  const { rows } = await pool.query<Written>(
    `SELECT (SELECT n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables WHERE relname = '${LARGE}')::float8 AS tuples,
       (pg_current_wal_lsn() - '0/0')::float8 AS log`,
  );
  const [found] = rows;
  if (!found) throw new Error('the destination keeps no statistics');
  return found;
}

/** A backend tells what it has written when it ends, a moment after its client. */
async function hasNoSession(pool: Pool): Promise<boolean> {
  const { rows } = await pool.query(
    `SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'increp %'`,
  );
  return rows.length === 0;
}
