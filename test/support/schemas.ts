/** Schemas beside the one of the pair, and two tables of one name. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { escapeIdentifier } from 'pg';
import { freshPair, type Pair } from './pair.ts';
import { ORDERS_CONFIG, ORDERS_SQL, ordersPreset } from './shop.ts';

/** Makes a schema at the source that increp may read, with `sql` in it. */
export async function addSourceSchema(pair: Pair, schema: string, sql = ''): Promise<void> {
  const name = escapeIdentifier(schema);
  const reader = escapeIdentifier(pair.login('source', 'increp').user);
  await pair.source.query(`
    CREATE SCHEMA ${name}; GRANT USAGE ON SCHEMA ${name} TO ${reader};
    ALTER DEFAULT PRIVILEGES IN SCHEMA ${name} GRANT SELECT ON TABLES TO ${reader};
    SET search_path = ${name}; ${sql}; RESET search_path`);
}

/** For `expectSameRows`: the tables of one schema, and their copies in another. */
export const inSchema = (pair: Pair, schema: string): Pair => ({ ...pair, schema });

export const ROWS = `INSERT INTO orders (id, total, note) SELECT i, i, 'bill ' || i FROM generate_series(1, 4) i`;

/** orders of "public", ten of them, and orders of "billing", of which there are four. */
export async function twoSchemas(
  billing: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<Pair> {
  const pair = await freshPair(ordersPreset);
  await addSourceSchema(pair, 'billing', `${ORDERS_SQL}; ${ROWS}`);
  await pair.setEnv(env);
  await pair.writeTables([ORDERS_CONFIG, { ...ORDERS_CONFIG, schema: 'billing', ...billing }]);
  return pair;
}

export const UNSET = { DEST_SCHEMA: undefined };

export const tablesIn = async (pair: Pair, schema: string): Promise<string[]> => {
  const { rows } = await pair.destination.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = to_regnamespace($1) AND relkind = 'r' ORDER BY 1`,
    [escapeIdentifier(schema)],
  );
  return rows.map(({ name }) => name);
};

export const stateFiles = async (pair: Pair): Promise<string[]> =>
  (await readdir(join(pair.directory, 'sync-state'))).filter((name) => name.endsWith('.json')).toSorted();
