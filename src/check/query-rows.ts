import type pg from 'pg';
import * as z from 'zod';

export async function queryRows<T>(
  client: pg.ClientBase,
  row: z.ZodType<T>,
  sql: string,
  values: readonly unknown[] = [],
): Promise<T[]> {
  return z.array(row).parse((await client.query(sql, [...values])).rows);
}
