/** `kill -9` of a worker at each step of each kind of sync: a proxy holds it there. */
import { expect, test } from 'vitest';
import { ordersFor, prepare } from '../faults/run-faults.ts';
import { JOBS, sent, STEPS, type Job, type LoneStep } from '../faults/steps.ts';
import { requestRun } from '../../src/serve/trigger.ts';
import type { Pair } from '../support/pair.ts';
import { hasPgDump } from '../support/pg-dump-here.ts';
import { openControl, type ControlPlace } from '../support/service.ts';
import { changedOrders, expectVerified, forgetLostWorkers, type Scene } from '../support/service-scene.ts';
import { sync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

interface StepCase {
  readonly name: string;
  readonly step: LoneStep;
  readonly job: Job;
  readonly table?: object;
  readonly prepare?: (pair: Pair) => Promise<unknown>;
  readonly isQuick?: boolean;
}

/** Each step in one of the kinds of sync that have it. */
const SYNCS: readonly StepCase[] = STEPS.flatMap((step, place) => {
  const jobs = step.jobs.filter((job) => !job.endsWith('pg_dump') || hasPgDump());
  const job = jobs[place % jobs.length] ?? JOBS[0];
  return { name: `${job}: ${step.phase} at the ${step.side}`, step, job, isQuick: step.phase === 'swap' };
});

async function changeShape(pair: Pair): Promise<void> {
  await sync(pair);
  await pair.destination.query('CREATE MATERIALIZED VIEW v AS SELECT total FROM orders');
  const { user } = pair.login('destination', 'increp');
  await pair.destination.query(`ALTER MATERIALIZED VIEW v OWNER TO ${user}`);
  await pair.source
    .query(`ALTER TABLE orders ADD COLUMN more int NOT NULL DEFAULT 3, ALTER total TYPE numeric(14,3);
    UPDATE orders SET more = 5, updated_at = now() WHERE id % 100 = 0`);
}

const SHAPES: readonly StepCase[] = [
  { side: 'destination' as const, phase: 'alter', trigger: sent('ADD COLUMN "more"') },
  { side: 'destination' as const, phase: 'views again', trigger: sent('CREATE MATERIALIZED VIEW') },
  { side: 'source' as const, phase: 'compare', trigger: sent('AS digest') },
  { side: 'source' as const, phase: 'fill', trigger: sent('COPY (SELECT "id", "more"') },
].map((step) => ({
  name: `change in place: ${step.phase} at the ${step.side}`,
  ...{ step, job: 'incremental' as const, prepare: changeShape, table: { on_schema_change: 'evolve' } },
}));

/** Starts a worker whose networks fail at the step, and kills it there. */
async function killAt(
  { control, env, source, destination }: Scene,
  { side, trigger }: LoneStep,
): Promise<void> {
  const proxy = { source, destination }[side];
  proxy.when({ ...trigger, fault: 'stall' });
  const worker = control.spawn('work', { env });
  await proxy.waitUntilFired();
  worker.kill('SIGKILL');
  // The kernel closes the sockets of a killed process.
  proxy.reset();
  await forgetLostWorkers(control);
}

for (const { name, step, job, table, prepare: change, isQuick } of [...SYNCS, ...SHAPES])
  (isQuick === true ? test : slowTest)(`${name}: another worker syncs the table after the kill`, async () => {
    await using scene = await changedOrders({
      ...{ data: ordersFor(job, 20), prepare: change ?? ((pair) => prepare(pair, job)) },
      ...(table && { table }),
    });
    const { pair, control } = scene;
    await killAt(scene, step);
    const killedAt = Date.now();
    control.spawn('work');
    await control.until(`SELECT FROM runs WHERE state = 'ok'`, 60_000);
    expect(Date.now() - killedAt).toBeLessThan(60_000);
    expect(
      await control.rows(`SELECT count(*) FILTER (WHERE state = 'crashed')::int AS crashed,
        count(*) FILTER (WHERE state = 'running')::int AS running FROM attempts`),
    ).toEqual([{ crashed: 1, running: 0 }]);
    expect(await control.rows('SELECT state, crashes FROM tables')).toEqual([{ state: 'ok', crashes: 0 }]);
    await expectVerified(pair);
  });

async function requestVerify(control: ControlPlace): Promise<void> {
  await using opened = await openControl(control);
  await opened.control.transaction((session) =>
    requestRun(session, opened.queue, { pipeline: 'shop', kind: 'verify', origin: 'request', by: 'test' }),
  );
}

slowTest('verify at the source: another worker verifies after the kill', async () => {
  await using scene = await changedOrders({
    data: ordersFor('incremental', 20),
    prepare: (pair) => sync(pair),
  });
  const { control } = scene;
  const first = control.start('work --drain 0s');
  await control.until(`SELECT FROM runs WHERE state = 'ok'`);
  await first.stop();
  await requestVerify(control);
  await killAt(scene, { side: 'source', phase: 'verify', trigger: sent('AS digest') });
  control.spawn('work');
  await control.until(`SELECT FROM runs WHERE kind = 'verify' AND state = 'ok'`);
  expect(await control.rows(`SELECT state FROM attempts WHERE run_id IS NOT NULL ORDER BY id`)).toEqual([
    { state: 'crashed' },
    { state: 'done' },
  ]);
});
