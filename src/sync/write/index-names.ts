/**
 * Tables and indexes share one space of names: the index that we make for a merge key may have the name that a table
 * of the source brings along, or find its own taken by one.
 */
import type pg from 'pg';
import { z } from 'zod';
import { derivedName, stagingName, type TableName } from '../../schema/names.ts';
import { INDEX_CALLED, IS_NAME_TAKEN, renameIndex } from '../../sql/destination.ts';

/** What Postgres would call it; where that is taken, a name that only this table can have. */
export async function indexNameFor(client: pg.ClientBase, { schema, table }: TableName): Promise<string> {
  const { rows } = await client.query<{ oid: string | null }>(IS_NAME_TAKEN, [
    schema,
    derivedName(table, '_pkey'),
    table,
  ]);
  const oid = rows[0]?.oid;
  return typeof oid === 'string' ? derivedName(table, `_increp_${oid}`) : derivedName(table, '_pkey');
}

const indexRow = z.object({ table: z.string(), oid: z.string() });

/** An index of ours that has the name of a table to come gives way; nobody else's does. */
export async function makeRoomFor(client: pg.ClientBase, { schema, table }: TableName): Promise<void> {
  const { rows } = await client.query(INDEX_CALLED, [schema, table]);
  for (const { table: owner, oid } of z.array(indexRow).parse(rows)) {
    const ours = [owner, stagingName(owner)].map((name) => derivedName(name, '_pkey'));
    if (ours.includes(table))
      await client.query(renameIndex(schema, table, derivedName(owner, `_increp_${oid}`)));
  }
}
