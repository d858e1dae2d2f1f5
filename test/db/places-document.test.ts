/** What docs/places.md shows is what happens. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { PROJECT } from '../support/project.ts';
import { addSourceSchema } from '../support/schemas.ts';
import { sync } from '../support/sync.ts';
import { oneIn } from '../support/tier.ts';

const text = await readFile(join(PROJECT, 'docs', 'places.md'), 'utf8');
const [schemas, patterns] = [...text.matchAll(/^```json\n(.*?)^```/gms)].map(
  ([, json = '']) => JSON.parse(json) as Readonly<Record<string, unknown>>,
);
const blocks = [...text.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block = '']) => block).join('');
const commands = [...blocks.matchAll(/^increp (.*)$/gm)].map(([, words = '']) =>
  [...words.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? ''),
);

const tablesSql = (...names: readonly string[]) =>
  names
    .map((name) => `CREATE TABLE ${name} (id int PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now())`)
    .join(';');

const copiesOf = async (pair: Pair): Promise<string[]> => {
  const { rows } = await pair.destination.query<{ name: string }>(
    `SELECT schemaname || '.' || tablename AS name FROM pg_tables
     WHERE schemaname !~ '^(pg_|information_schema)' AND tablename !~ '^_increp' ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
};

/** The last two cells of the rows of the table: with DEST_SCHEMA, and without. */
const told = [...text.matchAll(/`([\w.]+)` +\| +`([\w.]+)` +\|$/gm)];

test.each(
  oneIn(2, [
    ['lake', 1],
    [undefined, 2],
  ] as const),
)('copies go where it says, with DEST_SCHEMA %s', async (DEST_SCHEMA, cell) => {
  await using pair = await freshPair({ sourceSql: tablesSql('orders') });
  await addSourceSchema(pair, 'billing', tablesSql('orders'));
  await addSourceSchema(pair, 'crm', tablesSql('contacts'));
  await pair.setEnv({ DEST_SCHEMA });
  await pair.writeTables(schemas ?? {});
  await sync(pair);
  expect(told).toHaveLength(3);
  expect(await copiesOf(pair)).toEqual(told.map((row) => row[cell] ?? '').toSorted());
  expect(commands.slice(0, 2)).toHaveLength(2);
  for (const words of commands.slice(0, 2))
    expect((await increp(words, pair)).exitCode, words.join(' ')).toBe(0);
});

test('patterns stand for the tables that it says', async () => {
  await using pair = await freshPair({
    sourceSql: tablesSql('events_archive', 'events_2023_01', 'events_2024_01'),
  });
  await addSourceSchema(pair, 'crm', tablesSql('contacts', 'deals'));
  await pair.writeTables(patterns ?? {});
  const [, , first, second] = commands;
  expect((await increp(first ?? [], pair)).exitCode).toBe(0);
  expect(await copiesOf(pair)).toEqual(['public.events_2024_01']);
  await sync(pair);
  expect(await copiesOf(pair)).toEqual([
    'public.crm_contacts',
    'public.crm_deals',
    'public.events_2023_01',
    'public.events_2024_01',
  ]);
  const { stdout } = await increp(second ?? [], pair);
  expect(stdout).toContain('crm.contacts');
  expect(stdout).not.toContain('events_2024_01');
});
