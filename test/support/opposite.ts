/** A second pipeline, in the opposite direction. */
import type { TableConfig } from './open-pair.ts';
import { freshPair, type Pair } from './pair.ts';

/** From the destination back to the source. */
export async function oppositeOf(pair: Pair, ...tables: readonly TableConfig[]): Promise<Pair> {
  const back = await freshPair({ tables: [...tables] });
  const [from, to] = [pair.login('destination'), pair.login('source')];
  await back.setEnv({
    PIPELINE_NAME: 'back',
    ...{ SOURCE_HOST: from.host, SOURCE_PORT: String(from.port), SOURCE_DB: from.database },
    ...{ SOURCE_USERNAME: from.user, SOURCE_PASSWORD: from.password },
    ...{ DEST_HOST: to.host, DEST_PORT: String(to.port), DEST_DB: to.database },
    ...{ DEST_USERNAME: to.user, DEST_PASSWORD: to.password },
  });
  return { ...back, source: pair.destination, destination: pair.source };
}
