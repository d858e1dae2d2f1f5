/** The source and the usual answers of a dialogue with `increp init`. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ENTER, type startDialogue } from './dialogue.ts';
import type { Pair, Side } from './pair.ts';
import { ordersPreset } from './shop.ts';

export const SHOP = /* sql */ `${String(ordersPreset.sourceSql)};
  CREATE TABLE log (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text);
  CREATE TABLE notes (note text, at timestamptz);
  CREATE TABLE words (word text PRIMARY KEY); ANALYZE`;

type Dialogue = ReturnType<typeof startDialogue>;

export async function answerAddress(
  dialogue: Dialogue,
  pair: Pair,
  which: Side,
  password: string,
): Promise<void> {
  const { host, port, user, database } = pair.login(which, 'increp');
  await dialogue.answer(`Host of the ${which}`, `${host}${ENTER}`);
  await dialogue.answer('Port', `${port}${ENTER}`);
  await dialogue.answer('Database', `${database}${ENTER}`);
  await dialogue.answer('User', `${user}${ENTER}`);
  await dialogue.answer('Password', `${password}${ENTER}`);
  await dialogue.answer('Encryption', ENTER);
}

export const passwordOf = (pair: Pair, which: Side) => pair.login(which, 'increp').password;
export const settled = (pair: Pair) => ({
  SOURCE_URL: pair.sourceUrl('increp'),
  SOURCE_SCHEMA: 'public',
  DEST_URL: pair.destinationUrl('increp'),
  DEST_SCHEMA: 'public',
});

export const tablesIn = async (pair: Pair): Promise<unknown> =>
  JSON.parse(await readFile(join(pair.directory, 'new', 'tables-config.json'), 'utf8'));
