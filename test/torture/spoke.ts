/** A second pipeline, that reads from the destination of the first one, under the very role that fills it. */
import type { OpenPair, Pair } from '../support/open-pair.ts';
import { configOf } from './tables.ts';
import type { Place } from './runner.ts';

type Sides = Omit<Pair, typeof Symbol.asyncDispose>;

export const pipelineOf = (pair: Sides): string => `pipeline_${pair.login('source').database}`;

/** Settings and a destination of its own for a pair whose source is the hub. */
export async function joinHub(hub: Sides, spoke: OpenPair['pair'], hasDeletes: boolean): Promise<Place> {
  const { host, port, user, password, database } = hub.login('destination', 'increp');
  await spoke.setEnv({
    SOURCE_HOST: host,
    SOURCE_PORT: String(port),
    SOURCE_USERNAME: user,
    SOURCE_PASSWORD: password,
    SOURCE_DB: database,
  });
  await spoke.writeTables(configOf(hasDeletes));
  return {
    directory: spoke.directory,
    pipeline: pipelineOf(spoke),
    source: hub.destination,
    destination: spoke.destination,
    login: (side, role) =>
      side === 'source' ? hub.login('destination', role) : spoke.login('destination', role),
  };
}
