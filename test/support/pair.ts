/** The pair of databases that one test needs, its own, and gone after it unless it failed. */
import process from 'node:process';
import { inject, onTestFinished } from 'vitest';
import { expectNoSecretLeft } from './no-secret-left.ts';
import { openPair } from './open-pair.ts';
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
    ...servers,
  });
  const isCleanedLater = cleanUpAfterTest(cleanUp, () => keptMessage(pair), close);
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

/**
 * `await using` ends before vitest knows that the test has failed, so the databases are dropped in a later hook.
 * False outside of a test.
 */
function cleanUpAfterTest(
  cleanUp: () => Promise<void>,
  message: () => string,
  close: () => Promise<void>,
): boolean {
  try {
    onTestFinished(async ({ task }) => {
      if (task.result?.state !== 'fail') return cleanUp();
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
