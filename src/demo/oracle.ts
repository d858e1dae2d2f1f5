/** An independent comparison: the sorted COPY output of both sides, without the SQL of sync and verify. */
import { createHash } from 'node:crypto';
import type pg from 'pg';
import { startCopyOut } from '../postgres/copy-pipe.ts';
import { ident, identList } from '../sql/identifiers.ts';

export interface Printed {
  readonly rows: number;
  readonly bytes: number;
  readonly sha256: string;
}

export interface Compared {
  readonly name: string;
  readonly source: Printed;
  readonly destination: Printed;
}

export const isSameContent = ({ source, destination }: Compared): boolean =>
  source.bytes === destination.bytes && source.sha256 === destination.sha256;

interface Table {
  readonly schema: string;
  readonly name: string;
  readonly mergeKey: readonly string[];
}

/** The columns are those of the source. If the destination table lacks one, its server reports an error. */
export async function compareBytes(
  source: pg.Client,
  destination: pg.Client,
  table: Table,
): Promise<Compared> {
  const columns = await columnsOf(source, table);
  const query = /* sql */ `COPY (SELECT ${identList(columns)} FROM ${ident(table.schema)}.${ident(table.name)}
    ORDER BY ${identList([...table.mergeKey])}) TO STDOUT`;
  const sides = await Promise.all([print(source, query), print(destination, query)]);
  return { name: table.name, source: sides[0], destination: sides[1] };
}

async function columnsOf(client: pg.Client, { schema, name }: Table): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    /* sql */ `SELECT attname AS name FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
      WHERE relname = $2 AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)
        AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [schema, name],
  );
  return rows.map((row) => row.name);
}

/** One line per row, because line breaks inside a value are printed as \n. */
async function print(client: pg.Client, query: string): Promise<Printed> {
  const hash = createHash('sha256');
  const { data, sent } = startCopyOut(client, query);
  let bytes = 0;
  for await (const chunk of data as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { rows: await sent, bytes, sha256: hash.digest('hex') };
}
