/** A few changes cost the same, however large the table is. */
import { formatCount } from '../../../src/format.ts';
import { changeRows } from '../data.ts';
import { sync, tableOf } from '../increp.ts';
import { expectSameRows, type Contestant, type ScenarioKind } from '../scenario.ts';
import { LARGE, SMALL, type Stage } from '../stage.ts';

const CHANGED = 1000;
const TARGET = 1.3;

export const smallChange: ScenarioKind = {
  name: 'small-change',
  title: () => `${formatCount(CHANGED)} rows changed, by the size of the table`,
  open: async (stage) => {
    const { rows, smallRows } = stage.size;
    await stage.configure({ initial_load: 'copy' });
    await sync(stage.pair, [LARGE, SMALL], stage.servers);
    const [large, small] = [followed(stage, LARGE, rows), followed(stage, SMALL, smallRows)];
    return {
      contestants: [large, small],
      comparisons: [{ subject: large.name, reference: small.name, target: TARGET }],
      beforeRound: async () => {
        const hour = stage.nextHour();
        for (const [table, count] of [
          [LARGE, rows],
          [SMALL, smallRows],
        ] as const) {
          const change = { table, rows: count, every: count / CHANGED, hour };
          await stage.pair.source.query(changeRows(change));
          await stage.pair.source.query(`VACUUM ${table}`);
        }
      },
      amount: () => ({ rows: CHANGED, bytes: null }),
    };
  },
};

function followed(stage: Stage, table: string, rows: number): Contestant {
  const { pair, servers } = stage;
  let updated = 0;
  return {
    name: `increp, ${formatCount(rows)} rows`,
    prepare: async () => void (await pair.destination.query(`VACUUM ${table}`)),
    run: async () => {
      const { figures, summary } = await sync(pair, [table], servers);
      updated = tableOf(summary, table).rows_updated;
      return figures;
    },
    check: async () => {
      if (updated !== CHANGED) throw new Error(`increp updated ${updated} rows of ${table}`);
      await expectSameRows(pair.source, pair.destination, table, 'increp');
    },
  };
}
