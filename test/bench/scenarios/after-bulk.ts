/** One table without changes, and one with none or a few changes seconds after a bulk update, which must not be read again. */
import { formatCount } from '../../../src/format.ts';
import { fillTable } from '../data.ts';
import { sync, tableOf } from '../increp.ts';
import { expectSameRows, type Contestant, type ScenarioKind } from '../scenario.ts';
import type { Size, Stage } from '../stage.ts';
import { limit } from '../statistics.ts';

const TABLE = 'bulky';
/** Nothing ever changes in it. */
const STILL = 'still';
const CHANGED = 1000;
const QUIET_TARGET = 0.2;
const CHANGED_TARGET = 0.3;

const rowsOf = ({ rows }: Size): number => Math.round(rows / 3);
const bulkOf = (size: Size): number => rowsOf(size) / 10;

export const afterBulk: ScenarioKind = {
  name: 'after-bulk',
  title: (size) => `A table of ${formatCount(rowsOf(size))} rows, and a bulk update`,
  open: async (stage) => {
    const tables = [TABLE, STILL].map((name) => ({
      ...{ name, unique_cols: ['id'], replication_key: 'updated_at', initial_load: 'copy' },
    }));
    const { pair, cleanUp } = await stage.openAnother({ tables });
    for (const { name } of tables)
      for (const statement of fillTable(name, rowsOf(stage.size))) await pair.source.query(statement);
    const run = (table: string) => sync(pair, [table], stage.servers);
    for (const { name } of tables) await run(name);
    const contestant = (
      name: string,
      { table, expected, prepare }: Pick<Contestant, 'prepare'> & { table: string; expected: number },
    ): Contestant => ({
      name,
      prepare,
      run: async () => {
        const { figures, summary } = await run(table);
        const updated = tableOf(summary, table).rows_updated;
        if (updated !== expected) throw new Error(`increp updated ${updated} rows of ${table}`);
        return figures;
      },
      check: () => expectSameRows(pair.source, pair.destination, table, name),
    });
    const bulk = bulkOf(stage.size);
    const syncBulk = async () => {
      await pair.source.query(touchNow(`id <= ${bulk}`));
      await run(TABLE);
    };
    const quiet = contestant('increp, nothing changed', {
      ...{ table: STILL, expected: 0 },
      prepare: async () => void (await run(STILL)),
    });
    const quietAfter = contestant(`increp, nothing changed after ${formatCount(bulk)}`, {
      ...{ table: TABLE, expected: 0, prepare: syncBulk },
    });
    const changed = contestant(`increp, ${formatCount(CHANGED)} rows changed after ${formatCount(bulk)}`, {
      ...{ table: TABLE, expected: CHANGED },
      prepare: async () => {
        await syncBulk();
        await pair.source.query(touchNow(`id % ${rowsOf(stage.size) / CHANGED} = 0`));
      },
    });
    return {
      contestants: [quiet, quietAfter, changed],
      comparisons: [],
      beforeRound: () => vacuum({ pair }),
      amount: () => ({ rows: null, bytes: null }),
      findLimits: (of) => [
        limit('nothing changed', 's', of(quiet.name).median.wall_s, QUIET_TARGET),
        limit('a few rows changed', 's', of(changed.name).median.wall_s, CHANGED_TARGET),
      ],
      end: cleanUp,
    };
  },
};

/** All rows of one statement get one time. */
const touchNow = (condition: string): string =>
  `UPDATE ${TABLE} SET amount = amount + 1, updated_at = now() WHERE ${condition}`;

async function vacuum({ pair }: Pick<Stage, 'pair'>): Promise<void> {
  for (const pool of [pair.source, pair.destination]) await pool.query(`VACUUM ${TABLE}`);
}
