/**
 * Tables and indexes of a schema share one namespace. So the index that increp creates for a unique key may have the name
 * that a new table needs, and a table may have the name that the index needs.
 */
import type pg from 'pg';
import * as z from 'zod';
import { derivedName, stagingName, type TableName } from '../../schema/names.ts';
import { COPY_MARK, INDEX_CALLED, IS_NAME_TAKEN, renameIndex } from '../../sql/destination.ts';

/** The name that Postgres would choose; if it is taken, a name with the OID of the table. */
export async function indexNameFor(client: pg.ClientBase, { schema, table }: TableName): Promise<string> {
  const { rows } = await client.query<{ oid: string | null }>(IS_NAME_TAKEN, [
    schema,
    derivedName(table, '_pkey'),
    table,
  ]);
  const oid = rows[0]?.oid;
  return typeof oid === 'string' ? derivedName(table, `_increp_${oid}`) : derivedName(table, '_pkey');
}

const indexRow = z.object({ table: z.string(), oid: z.string(), comment: z.string().nullable() });

/** Renames an index of increp that has the name of a new table. Other indexes keep their names. */
export async function makeRoomFor(client: pg.ClientBase, { schema, table }: TableName): Promise<void> {
  const { rows } = await client.query(INDEX_CALLED, [schema, table]);
  for (const { table: owner, oid, comment } of z.array(indexRow).parse(rows)) {
    const ownNames = [owner, stagingName(owner)].map((name) => derivedName(name, '_pkey'));
    if (ownNames.includes(table) || comment?.startsWith(COPY_MARK) === true)
      await client.query(renameIndex(schema, table, derivedName(owner, `_increp_${oid}`)));
  }
}
