/** What happens around the programs: networks fail, the control database crashes, people reset and continue tables. */
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import { startIncrep } from '../../support/increp-process.ts';
import type { OpenPair } from '../../support/open-pair.ts';
import type { FaultProxy } from '../../support/proxy.ts';
import { isLost } from '../lost-connection.ts';
import type { Side } from '../../support/pair-databases.ts';
import type { Random } from '../random.ts';
import { endSessions } from '../runner.ts';
import { pipelineOf } from '../spoke.ts';

export interface Surroundings {
  /** A superuser's connections to the control database. */
  readonly control: Pool;
  /** Between each program and the control database. */
  readonly toControl: readonly [FaultProxy, ...FaultProxy[]];
  /** Between all workers and the destinations. */
  readonly toDestination: FaultProxy;
  readonly pairs: readonly [OpenPair['pair'], ...OpenPair['pair'][]];
  /** The pipeline whose table \`big\` is loaded in chunks. */
  readonly big: OpenPair['pair'];
}

const noTroubles = () => ({
  controlNetwork: 0,
  destinationNetwork: 0,
  controlCrashed: 0,
  disconnected: 0,
  reset: 0,
  continued: 0,
});
type Troubles = ReturnType<typeof noTroubles>;

interface TroubleOptions {
  readonly random: Random;
  readonly signal: AbortSignal;
  /** Seconds between two troubles, and of a network that is gone: the longest of each. */
  readonly longest: { readonly calm: number; readonly gone: number };
}

export async function makeTroubles(
  { control, toControl, toDestination, pairs, big }: Surroundings,
  { random, signal, longest }: TroubleOptions,
): Promise<Troubles> {
  const counts = noTroubles();
  const wait = (seconds: number) => sleep(seconds * 1000, undefined, { signal }).catch(() => undefined);
  const troubles: readonly [keyof Troubles, () => Promise<unknown>][] = [
    [
      'controlNetwork',
      () => fail(random.pick(toControl), random, () => wait(random.between(3, longest.gone))),
    ],
    [
      'destinationNetwork',
      () => fail(toDestination, random, () => wait(random.between(1, longest.gone / 2))),
    ],
    ['controlCrashed', () => crashServer(control)],
    ['disconnected', () => disconnect(random.pick(pairs), random)],
    ['reset', () => reset(big)],
  ];
  const [first, ...others] = troubles;
  while (!signal.aborted && first) {
    await wait(random.between(2, longest.calm));
    if (signal.aborted) break;
    const [name, make] = random.pick([first, ...others]);
    counts[name] += 1;
    await make();
    counts.continued += await continueTables(control);
  }
  counts.continued += await continueTables(control);
  return counts;
}

/** Refused or silent. */
async function fail(proxy: FaultProxy, random: Random, wait: () => Promise<unknown>): Promise<void> {
  if (random.chance(0.5)) proxy.stall();
  else {
    proxy.reset();
    await proxy.refuse();
  }
  await wait();
  await proxy.resume();
}

/** A server whose backend is killed ends all sessions and recovers, as after a crash of the machine. */
async function crashServer(control: Pool): Promise<void> {
  const client = await control.connect();
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const gone = new Promise((resolve) => client.once('end', resolve).once('error', resolve));
  process.kill(rows[0]?.pid ?? 0, 'SIGKILL');
  await gone;
  client.release(true);
}

async function disconnect(pair: OpenPair['pair'], random: Random): Promise<void> {
  const side = random.pick<Side>(['source', 'destination']);
  const { user } = pair.login(side, 'increp');
  await endSessions(pair[side], user, pipelineOf(pair));
}

/** The next look finds the table without a state, so it is loaded in chunks again. */
async function reset(big: OpenPair['pair']): Promise<void> {
  await using resetting = startIncrep('reset big', big);
  await resetting.wait();
}

/** As docs/service.md says, after five crashes at one table. */
async function continueTables(control: Pool): Promise<number> {
  try {
    const { rowCount } = await control.query(`DELETE FROM increp_serve.pauses WHERE reason = 'crashed'`);
    return rowCount ?? 0;
  } catch (error) {
    if (!isLost(error)) throw error;
    return 0;
  }
}
