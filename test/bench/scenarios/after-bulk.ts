/** One table without changes, and with a few changes seconds after a bulk update, which must not be read again. */
import { formatCount } from '../../../src/format.ts';
import { fillTable } from '../data.ts';
import { sync, tableOf } from '../increp.ts';
import { expectSameRows, type Contestant, type ScenarioKind } from '../scenario.ts';
import type { Size, Stage } from '../stage.ts';
import { limit } from '../statistics.ts';

const TABLE = 'bulky';
const CHANGED = 1000;
const QUIET_TARGET = 0.2;
const CHANGED_TARGET = 0.3;

const rowsOf = ({ rows }: Size): number => Math.round(rows / 3);
const bulkOf = (size: Size): number => rowsOf(size) / 10;

export const afterBulk: ScenarioKind = {
  name: 'after-bulk',
  title: (size) => `A table of ${formatCount(rowsOf(size))} rows, and a bulk update`,
  open: async (stage) => {
    const table = { name: TABLE, unique_cols: ['id'], replication_key: 'updated_at', initial_load: 'copy' };
    const { pair, cleanUp } = await stage.openAnother({ tables: [table] });
    for (const statement of fillTable(TABLE, rowsOf(stage.size))) await pair.source.query(statement);
    const run = () => sync(pair, [TABLE], stage.servers);
    await run();
    const contestant = (name: string, expected: number, prepare: Contestant['prepare']): Contestant => ({
      name,
      prepare,
      run: async () => {
        const { figures, summary } = await run();
        const updated = tableOf(summary, TABLE).rows_updated;
        if (updated !== expected) throw new Error(`increp updated ${updated} rows of ${TABLE}`);
        return figures;
      },
      check: () => expectSameRows(pair.source, pair.destination, TABLE, name),
    });
    const bulk = bulkOf(stage.size);
    const quiet = contestant('increp, nothing changed', 0, async () => void (await run()));
    const changed = contestant(
      `increp, ${formatCount(CHANGED)} rows changed after ${formatCount(bulk)}`,
      CHANGED,
      async () => {
        await pair.source.query(touchNow(`id <= ${bulk}`));
        await run();
        await pair.source.query(touchNow(`id % ${rowsOf(stage.size) / CHANGED} = 0`));
      },
    );
    return {
      contestants: [quiet, changed],
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
