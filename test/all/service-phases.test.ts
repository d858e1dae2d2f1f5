/** `kill -9` of a worker in a phase of a sync. service-steps.test.ts does it at each step. */
import { expect, test } from 'vitest';
import { fill } from '../support/chunked.ts';
import { expectSameRows } from '../support/oracle.ts';
import { changedOrders, ROWS, untilPhase, type Scene } from '../support/service-scene.ts';
import { slowTest } from '../support/tier.ts';
import type { TimingChanges } from '../support/timing.ts';

interface PhaseCase {
  readonly phase: string;
  readonly options?: object;
  readonly timing?: TimingChanges;
  /** Keeps the first worker in the phase. */
  readonly hold: (scene: Scene) => unknown;
}

const AFTER_COPY = { from: 'client', after: 'FROM STDIN' } as const;

const PHASES: readonly PhaseCase[] = [
  {
    phase: 'commit',
    // The server commits, and the answer never comes.
    hold: ({ destination }) => destination.when({ ...AFTER_COPY, seen: 'COMMIT', fault: 'mute' }),
  },
  {
    phase: 'merge',
    hold: ({ destination }) => {
      for (const seen of ['MERGE INTO', 'INSERT INTO "public"."orders"'])
        destination.when({ ...AFTER_COPY, seen, fault: 'stall' });
    },
  },
  {
    phase: 'deletes',
    options: { deletes: 'hard', deletes_every: '0s', delete_limit: 1 },
    hold: ({ destination }) => destination.when({ ...AFTER_COPY, seen: 'DELETE FROM', fault: 'stall' }),
  },
  {
    phase: 'fence',
    timing: { transactionWait: 60 },
    hold: async ({ pair }) => {
      const open = await pair.source.connect();
      await open.query('BEGIN; SELECT FROM orders');
      return open;
    },
  },
];

const cases = PHASES.flatMap((each) =>
  (each.phase === 'deletes' ? ['incremental-deduped'] : ['incremental-deduped', 'incremental-append']).map(
    (mode, index) => ({ ...each, mode, isSlow: each.phase !== 'commit' || index > 0 }),
  ),
);

for (const { phase, mode, isSlow, options, timing, hold } of cases)
  (isSlow ? slowTest : test)(
    `kill -9 of a worker in the phase "${phase}" (${mode}): another worker syncs the table, and no row comes twice`,
    async () => {
      await using scene = await changedOrders({ table: { mode, ...options } });
      const { pair, control, env } = scene;
      if (options) await pair.source.query('DELETE FROM orders WHERE id = 2');
      const held: unknown = await hold(scene);
      const first = control.spawn('work', { env, ...(timing && { timing }) });
      await untilPhase(control, phase);
      first.kill('SIGKILL');
      if (held && typeof held === 'object' && 'release' in held)
        (held as { release: (end: boolean) => void }).release(true);
      const killedAt = Date.now();
      control.spawn('work');
      await control.until(`SELECT FROM attempts a WHERE table_name = 'orders' AND state = 'done'`, 60_000);
      expect(Date.now() - killedAt).toBeLessThan(60_000);
      expect(
        await control.rows(`SELECT state, phase FROM attempts WHERE table_name = 'orders' ORDER BY id`),
      ).toMatchObject([{ state: 'crashed', phase }, { state: 'done' }]);
      const { rows } = await pair.destination.query<object>(
        'SELECT count(*)::int AS rows, count(DISTINCT id)::int AS ids FROM orders WHERE id <> 2',
      );
      expect(rows).toEqual([{ rows: ROWS + 1, ids: ROWS + 1 }]);
      if (options) await expectSameRows(pair, 'orders');
    },
  );

slowTest(
  'kill -9 of a worker during a load in chunks: the next attempt keeps the committed chunks',
  async () => {
    await using scene = await changedOrders({
      table: { initial_load: 'copy', chunk: '256kB', lookback: '50ms' },
    });
    const { pair, control, source, env } = scene;
    await pair.source.query(fill('orders', 20_000, 10_000));
    await pair.destination.query('DROP TABLE orders, _increp_state CASCADE');
    source.throttle(1_000_000);
    const first = control.spawn('work', { env });
    await untilPhase(control, 'copy');
    const chunks = async () =>
      (await pair.destination.query('SELECT FROM _increp_chunks').catch(() => undefined))?.rowCount ?? 0;
    await expect.poll(chunks, { timeout: 30_000 }).toBeGreaterThan(3);
    first.kill('SIGKILL');
    const { rows: now } = await pair.destination.query<{ id: string }>(
      'SELECT pg_current_xact_id()::text AS id',
    );
    control.spawn('work');
    await control.until(`SELECT FROM attempts WHERE table_name = 'orders' AND state = 'done'`, 60_000);
    // The first worker has written these rows.
    const { rows } = await pair.destination.query<{ kept: number }>(
      `SELECT count(*)::int AS kept FROM orders WHERE xmin::text::bigint < $1`,
      [now[0]?.id],
    );
    expect(rows[0]?.kept).toBeGreaterThan(1000);
    await expectSameRows(pair, 'orders');
  },
);
