/** Changes of the shape of orders, and queries of the people who built objects on the destination table. */
import { runSql } from './pair-databases.ts';
import type { Pair } from './pair.ts';

export const query = async (pair: Pair, sql: string) =>
  (await pair.destination.query<Record<string, unknown>>(sql)).rows;

export const asWriter = (pair: Pair, sql: string) =>
  runSql(pair.login('destination', 'increp'), sql, 'public');

export const asBoss = (pair: Pair, sql: string) => runSql(pair.login('destination'), sql, 'public');

/** A change of a type, which ALTER TABLE would have to rewrite rows for. */
export const WIDER = 'ALTER TABLE orders ALTER COLUMN total TYPE numeric(14,3)';

export const MORE = 'ALTER TABLE orders ADD COLUMN more int DEFAULT 7';

export const TOTAL_AS_TEXT = `ALTER TABLE orders ALTER COLUMN total TYPE text`;
