/** The two tables of increp for loads in chunks: the active load, and its committed chunks. */
import { bySchema, type TableName } from '../schema/names.ts';
import { literal, qualified } from './identifiers.ts';

export const loadsTable = (schema: string): TableName => ({ schema, table: '_increp_loads' });
export const chunksTable = (schema: string): TableName => ({ schema, table: '_increp_chunks' });

/**
 * One row per chunk, so that jobs never wait for each other. Because of the foreign key, a chunk of an abandoned load
 * cannot be committed. A run that abandons a load waits for a chunk that is being committed. Each table is useless
 * without the other, so if one was dropped, the other is dropped too.
 */
export const createLoadTables = (schema: string): string => /* sql */ `
  DROP TABLE IF EXISTS ${qualified(chunksTable(schema))}, ${qualified(loadsTable(schema))};
  CREATE TABLE ${qualified(loadsTable(schema))} (
    table_name text PRIMARY KEY,
    load_id text NOT NULL UNIQUE,
    pipeline text NOT NULL,
    began_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    chunks int NOT NULL,
    header jsonb NOT NULL);
  CREATE TABLE ${qualified(chunksTable(schema))} (
    load_id text NOT NULL REFERENCES ${qualified(loadsTable(schema))} (load_id) ON DELETE CASCADE,
    chunk int NOT NULL,
    rows bigint,
    bytes bigint,
    done_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    PRIMARY KEY (load_id, chunk));
  COMMENT ON TABLE ${qualified(loadsTable(schema))} IS 'increp: loads in chunks that are under way or were broken off';
  COMMENT ON TABLE ${qualified(chunksTable(schema))} IS 'increp: the chunks of those loads that are in the staging table'`;

export const haveLoadTables = (schema: string): string => /* sql */ `
  SELECT to_regclass(${literal(qualified(loadsTable(schema)))}) IS NOT NULL
     AND to_regclass(${literal(qualified(chunksTable(schema)))}) IS NOT NULL AS "areThere"`;

/** Each of these destination schemas must have both tables. */
export const readLoads = (tables: readonly TableName[]): string =>
  [...bySchema(tables)].map(([schema, names]) => readLoadsIn(schema, names)).join(' UNION ALL ');

const readLoadsIn = (schema: string, tables: readonly string[]): string => /* sql */ `
  SELECT ${literal(schema)} AS schema, l.table_name AS "table", l.load_id AS id, l.header,
         (SELECT pg_relation_filenode(c.oid)::text FROM pg_class c
          WHERE c.oid::text = l.header #>> '{staging,oid}') AS "stagingFilenode",
         coalesce((SELECT json_agg(d.chunk ORDER BY d.chunk) FROM ${qualified(chunksTable(schema))} d
                   WHERE d.load_id = l.load_id), '[]') AS done,
         greatest(l.began_at, (SELECT max(d.done_at) FROM ${qualified(chunksTable(schema))} d
                               WHERE d.load_id = l.load_id)) AS "lastAt"
  FROM ${qualified(loadsTable(schema))} l WHERE l.table_name = ANY (ARRAY[${tables.map(literal).join(', ')}])`;

/** $1 destination table name, $2 load id, $3 pipeline, $4 number of chunks, $5 header. */
export const writeLoad = (schema: string): string => /* sql */ `
  INSERT INTO ${qualified(loadsTable(schema))} (table_name, load_id, pipeline, chunks, header) VALUES ($1, $2, $3, $4, $5)`;

/** $1 destination table name. */
export const forgetLoad = (schema: string): string => /* sql */ `
  DELETE FROM ${qualified(loadsTable(schema))} WHERE table_name = $1`;

/**
 * $1 load id, $2 chunk. Run before the rows of the chunk are copied. If the backend of a killed run is still
 * committing the same chunk, this statement waits for it and then inserts nothing.
 */
export const claimChunk = (schema: string): string => /* sql */ `
  INSERT INTO ${qualified(chunksTable(schema))} (load_id, chunk) VALUES ($1, $2) ON CONFLICT DO NOTHING`;

/** $1 load id, $2 chunk, $3 rows, $4 bytes. */
export const finishChunk = (schema: string): string => /* sql */ `
  UPDATE ${qualified(chunksTable(schema))} SET rows = $3, bytes = $4, done_at = pg_catalog.clock_timestamp()
  WHERE load_id = $1 AND chunk = $2`;

/** $1 load id, $2 chunks to leave out. */
export const sumChunks = (schema: string): string => /* sql */ `
  SELECT count(*)::int AS chunks, coalesce(sum(rows), 0)::float8 AS rows, coalesce(sum(bytes), 0)::float8 AS bytes
  FROM ${qualified(chunksTable(schema))} WHERE load_id = $1 AND chunk <> ALL ($2::int[])`;

/** The oid and the file of a table of increp. */
export const storageOf = (table: TableName): string => /* sql */ `
  SELECT oid::text, pg_relation_filenode(oid)::text AS filenode
  FROM pg_class WHERE oid = to_regclass(${literal(qualified(table))})`;
