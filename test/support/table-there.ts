/** A destination table with rows that increp did not write. */
import { freshPair } from './pair.ts';
import type { Pair } from './pair.ts';
import { ORDERS_SQL, ordersPreset } from './shop.ts';

export const ONLY_HERE = `INSERT INTO orders VALUES (100000, 1, 'only here', now())`;

export const THERE = `${ORDERS_SQL}; ${ONLY_HERE}`;

export const withTable = (options: object = {}) =>
  freshPair({ ...ordersPreset, destinationSql: THERE, ...options });

export const rowsThere = async (pair: Pair, table = 'orders') =>
  (await pair.destination.query<{ id: string }>(`SELECT id FROM ${table} ORDER BY id`)).rows.map(
    ({ id }) => id,
  );
