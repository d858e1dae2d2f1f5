/** Catalog rows, checked and in our own words. */
import type pg from 'pg';
import { z } from 'zod';
import { columnSchema } from '../schema/columns.ts';
import type { Relation, RelationKind } from '../schema/relations.ts';
import { DESCRIBE_RELATIONS, DESCRIBE_SCHEMA, RELATION_NAMES } from '../sql/catalog.ts';

const KINDS: Record<string, RelationKind> = {
  r: 'table',
  p: 'partitioned table',
  v: 'view',
  m: 'materialized view',
  f: 'foreign table',
};

const names = z.array(z.string());

const relationRow = z
  .object({
    schema: z.string(),
    table: z.string(),
    oid: z.string(),
    stamp: z.string(),
    kind: z.enum(['r', 'p', 'v', 'm', 'f']),
    isUnlogged: z.boolean(),
    hasRules: z.boolean(),
    hasChildren: z.boolean(),
    hasForeignRows: z.boolean(),
    canSelectTable: z.boolean(),
    comment: z.string().nullable(),
    canSelect: z.boolean(),
    filtersRows: z.boolean(),
    estimatedRows: z.number().nullable(),
    bytes: z.number().nullable(),
    columns: z.array(columnSchema),
    unreadableColumns: names,
    uniqueKeys: z.array(z.object({ index: z.string(), columns: names })),
    indexedColumns: names,
    ownedSequences: z.array(z.object({ schema: z.string(), table: z.string() })),
  })
  .transform(({ schema, table, kind, estimatedRows, bytes, ...rest }): Relation => ({
    ...rest,
    name: { schema, table },
    kind: KINDS[kind] ?? 'table',
    estimatedRows: estimatedRows ?? undefined,
    bytes: bytes ?? 0,
  }));

/** The relations of a schema that have one of these names, by name. Run it under an empty search_path. */
export async function describeRelations(
  client: pg.ClientBase,
  schema: string,
  tables: readonly string[],
): Promise<Map<string, Relation>> {
  const { rows } = await client.query(DESCRIBE_RELATIONS, [schema, tables]);
  return new Map(
    rows.map((row) => relationRow.parse(row)).map((relation) => [relation.name.table, relation]),
  );
}

export async function relationNames(client: pg.ClientBase, schema: string): Promise<string[]> {
  const { rows } = await client.query(RELATION_NAMES, [schema]);
  return z
    .array(z.object({ name: z.string() }))
    .parse(rows)
    .map(({ name }) => name);
}

const schemaRow = z.object({
  exists: z.boolean(),
  canUse: z.boolean(),
  canCreate: z.boolean(),
  canCreateSchema: z.boolean(),
  role: z.string(),
});

export type SchemaAccess = Readonly<z.infer<typeof schemaRow>>;

export async function describeSchema(client: pg.ClientBase, schema: string): Promise<SchemaAccess> {
  return schemaRow.parse((await client.query(DESCRIBE_SCHEMA, [schema])).rows[0]);
}
