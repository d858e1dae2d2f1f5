/** The last chapter compares both sides in two ways that share no code. */
import { formatBytes, formatCount } from '../format.ts';
import { compareBytes, isSameContent, type Compared } from './oracle.ts';
import { runIncrep } from './program.ts';
import { SHOP_SCHEMA, SHOP_TABLES } from './shop.ts';
import type { Scene } from './stage.ts';

/** The exit code of `increp verify` if rows differ. */
const DIFFERENT = 2;

export async function compareDatabases(scene: Scene): Promise<boolean> {
  const { story, sourceClient, destinationClient } = scene;
  story.heading('Are both databases equal?');
  const { exitCode } = await runIncrep(scene, story, ['verify'], [0, DIFFERENT]);
  story.print('And without increp: the sorted COPY output of each table, on both sides.');
  const compared: Compared[] = [];
  for (const { name, unique_cols: mergeKey } of SHOP_TABLES) {
    compared.push(
      await compareBytes(sourceClient, destinationClient, { schema: SHOP_SCHEMA, name, mergeKey }),
    );
  }
  story.table(compared.map(comparedRow));
  return exitCode === 0 && compared.every(isSameContent);
}

const comparedRow = (compared: Compared): string[] => {
  const { name, source, destination } = compared;
  if (isSameContent(compared))
    return [
      `= ${name}`,
      'equal',
      `${formatCount(source.rows)} rows, ${formatBytes(source.bytes)}, SHA-256 ${source.sha256.slice(0, 12)}`,
    ];
  const [here, there] = [source, destination].map(
    ({ rows, bytes, sha256 }) => `${formatCount(rows)} rows, ${formatCount(bytes)} B, ${sha256.slice(0, 12)}`,
  );
  return [`! ${name}`, 'DIFFERENT', `source: ${here}; destination: ${there}`];
};

/** For the test: it proves that the comparison finds a single changed value. */
export async function sabotage({ story, destinationClient }: Scene): Promise<void> {
  story.print('INCREP_DEMO_SABOTAGE is set: one row of the destination table orders is now changed.');
  await destinationClient.query(`UPDATE shop.orders SET note = 'sabotage' WHERE id = 30000`);
}
