/** The pair of databases that one test needs, its own, and gone after it unless it failed. */
import process from 'node:process';
import { inject, onTestFinished } from 'vitest';
import { expectNoSecretLeft } from './no-secret-left.ts';
import { openPair } from './open-pair.ts';
import { recycledSides, type SidePool } from './recycled-sides.ts';
import type { Pair, PairOptions, PairPlace } from './open-pair.ts';
import { ordersPreset } from './shop.ts';

export type { Pair, PairOptions, TableConfig } from './open-pair.ts';
export type { Login, Side } from './pair-databases.ts';

/**
 * `freshPair('orders')` has the orders table of shop.ts with ten rows and its configuration. On the servers of the
 * test run unless told.
 */
export async function freshPair(
  options: PairOptions | 'orders' = {},
  servers: Partial<PairPlace> = {},
): Promise<Pair> {
  const { pair, close, cleanUp } = await openPair(options === 'orders' ? ordersPreset : options, {
    sourceServerUrl: inject('sourceServerUrl'),
    destinationServerUrl: inject('destinationServerUrl'),
    workspace: inject('workspace'),
    sides: sharedSides(),
    ...servers,
  });
  const keep = () => markKept(pair);
  const isCleanedLater = cleanUpAfterTest({ cleanUp, message: () => keptMessage(pair), keep, close });
  const end = isCleanedLater ? close : cleanUp;
  return {
    ...pair,
    [Symbol.asyncDispose]: async () => {
      try {
        await expectNoSecretLeft(pair);
      } finally {
        await end();
      }
    },
  };
}

let sides: SidePool | undefined;

/** One pool a worker, whose databases serve one test file after the other. */
export const sharedSides = (): SidePool =>
  (sides ??= recycledSides({
    serverUrls: [inject('sourceServerUrl'), inject('destinationServerUrl')],
    prefix: inject('workspace').slice(-4),
    doServersStay: inject('doServersStay'),
  }));

interface Endings {
  readonly cleanUp: () => Promise<void>;
  readonly message: () => string;
  readonly keep: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** The end of the test run drops every other database of it. */
async function markKept({ source, destination }: Pick<Pair, 'source' | 'destination'>): Promise<void> {
  for (const pool of [source, destination]) {
    const sql = `DO $$ BEGIN EXECUTE format('COMMENT ON DATABASE %I IS ''kept''', current_database()); END $$`;
    await pool.query(sql).catch(() => undefined);
  }
}

/**
 * `await using` ends before vitest knows that the test has failed, so the databases are dropped in a later hook.
 * False outside of a test.
 */
function cleanUpAfterTest({ cleanUp, message, keep, close }: Endings): boolean {
  try {
    onTestFinished(async ({ task }) => {
      if (task.result?.state !== 'fail') return cleanUp();
      await keep();
      await close();
      process.stderr.write(message());
    });
    return true;
  } catch {
    return false;
  }
}

const keptMessage = (pair: Pick<Pair, 'directory' | 'sourceUrl' | 'destinationUrl'>) =>
  inject('doServersStay')
    ? `kept for you:\n  directory    ${pair.directory}\n  source       psql ${pair.sourceUrl()}\n` +
      `  destination  psql ${pair.destinationUrl()}\n`
    : 'INCREP_TEST_KEEP=1 keeps the databases of failed tests, and the servers.\n';
