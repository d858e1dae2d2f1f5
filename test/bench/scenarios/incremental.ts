/** A tenth of the large table changes, and every copy of it follows. */
import { Client } from 'pg';
import { formatCount } from '../../../src/format.ts';
import { binaryLoad, binaryMerge, MERGES, type MergeName } from '../by-hand.ts';
import type { Copy } from '../copies.ts';
import { changeRows, type Change } from '../data.ts';
import { memoryLimit, sync, tableOf } from '../increp.ts';
import { dropSubscription, prepareSubscriber, subscribe, waitForRow } from '../logical.ts';
import { measureCommand, measureWork, runCommand } from '../measure.ts';
import { expectSameRows, type Contestant, type ScenarioKind } from '../scenario.ts';
import { LARGE, type Stage } from '../stage.ts';
import type { Amount } from '../statistics.ts';
import { hasAll } from '../tools.ts';

const EVERY = 10;
const CATCH_UP = 'logical replication';
const TARGETS: Readonly<Record<string, number>> = { 'psql and ON CONFLICT': 1.2, [CATCH_UP]: 0.9 };

export const incremental: ScenarioKind = {
  name: 'incremental',
  title: ({ rows }) => `${formatCount(rows / EVERY)} of ${formatCount(rows)} rows changed`,
  open: async (stage) => {
    const subscriber = await stage.copies.get('subscriber');
    const byHand = hasAll(stage.tools, 'bash', 'psql') ? await makeCopies(stage) : [];
    await stage.configure({ initial_load: 'copy' });
    await sync(stage.pair, [LARGE], stage.servers);
    await prepareSubscriber(stage, subscriber);
    await subscribe(stage, subscriber);
    const pools = [subscriber, ...byHand.map(({ copy }) => copy)].map(({ pool }) => pool);
    // Else the copy with the most churn would be the slowest one in the next round.
    const vacuum = async () => {
      for (const pool of [stage.pair.source, stage.pair.destination, ...pools]) {
        await pool.query(`VACUUM ${LARGE}`);
      }
    };
    await vacuum();
    const changes = changesOf(stage);
    const increp = followByIncrep(stage, changes);
    // The first of them: what it waits for begins with the commit, and the others must not meet it.
    const logical = followBySubscription(stage, subscriber, changes);
    const psql = byHand.map(({ merge, copy }) => followByHand(stage, copy, merge, changes));
    return {
      contestants: [logical, increp, ...psql],
      comparisons: [...psql, logical].map(({ name }) => ({
        subject: increp.name,
        reference: name,
        ...(TARGETS[name] === undefined ? {} : { target: TARGETS[name] }),
      })),
      beforeRound: changes.begin,
      afterRound: vacuum,
      amount: increp.amount,
      findLimits: (of) => memoryLimit(of(increp.name)),
      notes: [
        'logical replication is timed from the commit until the subscriber shows the change. Its decoding while the ' +
          'transaction is open is in neither its time nor its CPU.',
      ],
      end: () => dropSubscription(subscriber),
    };
  },
};

interface ByHand {
  readonly merge: MergeName;
  readonly copy: Copy;
}

/** A copy for each way to merge, since all must do the same changes. */
async function makeCopies(stage: Stage): Promise<ByHand[]> {
  const made: ByHand[] = [];
  for (const [number, merge] of (Object.keys(MERGES) as MergeName[]).entries()) {
    const copy = await stage.copies.get(`by_merge_${number}`);
    await runCommand(binaryLoad(stage, copy));
    await copy.pool.query(`VACUUM ANALYZE ${LARGE}`);
    made.push({ merge, copy });
  }
  return made;
}

interface Changes {
  /** Makes them in a transaction that stays open. */
  readonly begin: () => Promise<void>;
  /** Once; later calls do nothing. */
  readonly commit: () => Promise<void>;
  /** A row that is among them. */
  readonly changedId: () => number;
}

function changesOf(stage: Stage): Changes {
  let open: Client | undefined;
  let change: Change | undefined;
  return {
    begin: async () => {
      change = { table: LARGE, rows: stage.size.rows, every: EVERY, hour: stage.nextHour() };
      open = new Client(stage.pair.login('source'));
      // An interrupted benchmark ends its servers first.
      open.on('error', () => undefined);
      await open.connect();
      await open.query('BEGIN');
      await open.query(changeRows(change));
    },
    commit: async () => {
      const client = open;
      open = undefined;
      await client?.query('COMMIT');
      await client?.end();
    },
    changedId: () => ((change?.hour ?? 0) % EVERY) + EVERY,
  };
}

function followByIncrep(stage: Stage, changes: Changes): Contestant & { readonly amount: () => Amount } {
  const { pair, servers, size } = stage;
  let amount: Amount = { rows: null, bytes: null };
  let updated = 0;
  return {
    name: 'increp',
    prepare: changes.commit,
    run: async () => {
      const { figures, summary } = await sync(pair, [LARGE], servers);
      const table = tableOf(summary, LARGE);
      amount = { rows: table.rows_read, bytes: table.bytes };
      updated = table.rows_updated;
      return figures;
    },
    check: async () => {
      if (updated !== size.rows / EVERY) throw new Error(`increp updated ${updated} rows`);
      await expectSameRows(pair.source, pair.destination, LARGE, 'increp');
    },
    amount: () => amount,
  };
}

function followByHand(stage: Stage, copy: Copy, merge: MergeName, changes: Changes): Contestant {
  const name = `psql and ${merge}`;
  let cursor = '';
  return {
    name,
    prepare: async () => {
      await changes.commit();
      const { rows } = await copy.pool.query<{ cursor: string }>(
        `SELECT max(updated_at)::text AS cursor FROM ${LARGE}`,
      );
      cursor = rows[0]?.cursor ?? '';
    },
    run: async () => (await measureCommand(binaryMerge(stage, copy, merge, cursor), stage.servers)).figures,
    check: () => expectSameRows(stage.pair.source, copy.pool, LARGE, name),
  };
}

const followBySubscription = (stage: Stage, copy: Copy, changes: Changes): Contestant => ({
  name: CATCH_UP,
  prepare: () => Promise.resolve(),
  run: () =>
    measureWork(async () => {
      await changes.commit();
      await waitForRow(stage, copy, changes.changedId());
    }, stage.servers),
  check: () => expectSameRows(stage.pair.source, copy.pool, LARGE, CATCH_UP),
});
