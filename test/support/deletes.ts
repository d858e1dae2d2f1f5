/** Tables whose deleted rows increp removes or marks. */
import type { Pair, PairOptions } from './pair.ts';
import { ORDERS_CONFIG, ordersPreset } from './shop.ts';

export const HARD = { deletes: 'hard', deletes_every: '0s' };

/** The ten orders. */
export const orders = (more: object): PairOptions => ({
  ...ordersPreset,
  tables: [{ ...ORDERS_CONFIG, ...more }],
});

export const idsAtDestination = async (pair: Pair, table = 'orders') =>
  (await pair.destination.query<{ id: string }>(`SELECT id::text FROM ${table} ORDER BY id`)).rows.map(
    ({ id }) => id,
  );
