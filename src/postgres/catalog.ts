/** Reads rows of the catalogs and validates them. */
import type pg from 'pg';
import * as z from 'zod';
import { columnSchema, type Column } from '../schema/columns.ts';
import { tableKey, type TableName } from '../schema/names.ts';
import type { KeepingExtension, Relation, RelationKind } from '../schema/relations.ts';
import {
  DESCRIBE_TYPES,
  describeRelationsNamed,
  describeSchemasNamed,
  describeTypesOf,
  findTablesLike,
  RELATION_NAMES,
  type LikePattern,
} from '../sql/catalog.ts';
import { STAGING_MARK } from '../sql/destination.ts';
import { DISTRIBUTED_TABLES, HYPERTABLES } from '../sql/extension-tables.ts';
import { OWN_TABLES } from '../sql/state.ts';
import { askAll, type CatalogQuestion } from './catalog-question.ts';

const KINDS: Record<string, RelationKind> = {
  r: 'table',
  p: 'partitioned table',
  v: 'view',
  m: 'materialized view',
  f: 'foreign table',
};

const names = z.array(z.string());

const typeUse = z.object({ type: z.string(), modifier: z.number() });
type TypeUse = z.infer<typeof typeUse>;

const madeOf = columnSchema.pick({ base: true, typeDetail: true });
const madeRow = typeUse.extend({ made: madeOf });
type MadeOf = Readonly<z.infer<typeof madeOf>>;

const typeRow = typeUse.extend({ name: z.string(), base: madeOf.shape.base.nullable() });

/** In the order of the statement. Its type and modifier are a `TypeUse`. */
const { shape } = columnSchema;
const columnRow = z.tuple([
  shape.name,
  shape.position,
  typeUse.shape.type,
  typeUse.shape.modifier,
  shape.isNotNull,
  shape.collation,
  shape.generated,
  shape.expression,
  shape.identity,
]);
type ColumnRow = z.infer<typeof columnRow>;

const relationRow = z
  .object({
    schema: z.string(),
    table: z.string(),
    oid: z.string(),
    stamp: z.string(),
    kind: z.enum(['r', 'p', 'v', 'm', 'f']),
    isUnlogged: z.boolean(),
    hasRules: z.boolean(),
    hasRowTriggers: z.boolean(),
    hasChildren: z.boolean(),
    hasForeignRows: z.boolean(),
    hasOwnStorage: z.boolean(),
    hasHypertables: z.boolean(),
    hasDistributedTables: z.boolean(),
    canSelectTable: z.boolean(),
    comment: z.string().nullable(),
    owner: z.string(),
    canSelect: z.boolean(),
    filtersRows: z.boolean(),
    partitions: z
      .object({
        locks: z.number(),
        room: z.number(),
        areReadable: z.boolean(),
        keys: z.array(z.string().nullable()),
      })
      .nullable(),
    references: names,
    files: names,
    estimatedRows: z.number().nullable(),
    bytes: z.number().nullable(),
    columns: z.array(columnRow),
    unreadableColumns: names,
    demandedColumns: names,
    uniqueKeys: z.array(z.object({ index: z.string(), columns: names })),
    indexedColumns: names,
    ownedSequences: z.array(z.object({ schema: z.string(), table: z.string() })),
  })
  .transform(({ schema, table, kind, estimatedRows, bytes, ...rest }) => ({
    ...rest,
    name: { schema, table },
    kind: KINDS[kind] ?? 'table',
    estimatedRows: estimatedRows ?? undefined,
    bytes: bytes ?? 0,
  }));

/** If a table is dropped while the catalog is read, the privilege functions return NULL for it. */
const goneRow = z.union([z.object({ canSelectTable: z.null() }), z.object({ canSelect: z.null() })]);

type FoundRelation = Readonly<z.infer<typeof relationRow>>;

interface CatalogType {
  readonly use: TypeUse;
  readonly name: string;
  /** Undefined for a type that is not plain. */
  readonly made: MadeOf | undefined;
}

/** By `typeUseKey`. */
type FoundTypes = ReadonlyMap<string, CatalogType>;

interface FoundTables {
  readonly relations: readonly FoundRelation[];
  readonly types: FoundTypes;
}

/** The rows of the existing relations, for `completeTables`. Ask with an empty search_path. */
export const tablesQuestion = (tables: readonly TableName[]): CatalogQuestion<FoundTables> => ({
  statement: tables.length === 0 ? undefined : describeRelationsNamed(tables),
  second: describeTypesOf(tables),
  read: (rows, types = []) => ({ relations: rows.flatMap(readRelation), types: readTypes(types) }),
});

/** Columns of the same type share its description, because thousands of tables have many thousand columns. */
const readTypes = (rows: readonly unknown[]): FoundTypes =>
  new Map(
    z
      .array(typeRow)
      .parse(rows)
      .map(({ name, base, ...use }) => [
        typeUseKey(use),
        { use, name, made: base ? { base, typeDetail: null } : undefined },
      ]),
  );

/** Thousands of tables are there, and few are gone. zod takes long to refuse a row, because it makes an error for each field. */
function readRelation(row: unknown): FoundRelation[] {
  const { data, error } = relationRow.safeParse(row);
  if (data) return [data];
  if (goneRow.safeParse(row).success) return [];
  throw error;
}

/** The existing relations among these, by `tableKey`. Run it with an empty search_path. */
export async function describeTables(
  client: pg.ClientBase,
  tables: readonly TableName[],
): Promise<Map<string, Relation>> {
  const [found] = await askAll(client, [tablesQuestion(tables)]);
  return completeTables(client, tables, found);
}

/** Asks for what only a few relations need: types that are not built in, and extensions that keep rows. */
export async function completeTables(
  client: pg.ClientBase,
  tables: readonly TableName[],
  found: FoundTables,
): Promise<Map<string, Relation>> {
  const types = await withMade(client, found.types);
  const keepers = await findKeepers(client, found.relations);
  const relations = new Map<string, Relation>();
  for (const { hasHypertables: _1, hasDistributedTables: _2, ...row } of found.relations) {
    const columns = row.columns.map((column) => columnOf(column, types));
    // The column was added or dropped with its type between the statements.
    if (!columns.every((column) => column !== undefined)) return describeTables(client, tables);
    relations.set(tableKey(row.name), { ...row, columns, keptBy: keepers.get(row.oid) ?? null });
  }
  return relations;
}

const oidRows = z.array(z.object({ oid: z.string() }));

/** By oid, the extension that keeps the rows of the relation. Asks only if the server has such an extension. */
async function findKeepers(
  client: pg.ClientBase,
  relations: readonly Pick<FoundRelation, 'oid' | 'hasHypertables' | 'hasDistributedTables'>[],
): Promise<ReadonlyMap<string, KeepingExtension>> {
  const oids = relations.map(({ oid }) => oid);
  const keepers = new Map<string, KeepingExtension>();
  const add = async (statement: string, extension: KeepingExtension) => {
    for (const { oid } of oidRows.parse((await client.query(statement, [oids])).rows))
      keepers.set(oid, extension);
  };
  if (relations.some(({ hasHypertables }) => hasHypertables)) await add(HYPERTABLES, 'TimescaleDB');
  if (relations.some(({ hasDistributedTables }) => hasDistributedTables))
    await add(DISTRIBUTED_TABLES, 'Citus');
  return keepers;
}

const typeUseKey = ({ type, modifier }: TypeUse): string => `${type} ${modifier}`;

/** Asks what the types are made of that are not plain. */
async function withMade(client: pg.ClientBase, types: FoundTypes): Promise<FoundTypes> {
  const uses = [...types.values()].flatMap(({ use, made }) => (made ? [] : [use]));
  if (uses.length === 0) return types;
  const { rows } = await client.query(DESCRIBE_TYPES, [
    uses.map(({ type }) => type),
    uses.map(({ modifier }) => modifier),
  ]);
  const completed = new Map(types);
  for (const { made, ...use } of z.array(madeRow).parse(rows)) {
    const key = typeUseKey(use);
    const found = types.get(key);
    if (found) completed.set(key, { ...found, made });
  }
  return completed;
}

function columnOf(row: ColumnRow, types: FoundTypes): Column | undefined {
  const [name, position, type, modifier, isNotNull, collation, generated, expression, identity] = row;
  const found = types.get(typeUseKey({ type, modifier }));
  if (!found?.made) return undefined;
  const { base, typeDetail } = found.made;
  return {
    ...{ name, position, type: found.name, base, typeDetail },
    ...{ isNotNull, collation, generated, expression, identity },
  };
}

/** The relations of one schema with one of these names, by name. */
export async function describeRelations(
  client: pg.ClientBase,
  schema: string,
  tables: readonly string[],
): Promise<Map<string, Relation>> {
  const found = await describeTables(
    client,
    tables.map((table) => ({ schema, table })),
  );
  return new Map([...found.values()].map((relation) => [relation.name.table, relation]));
}

const nameRow = z.object({ schema: z.string(), table: z.string() });

/** Sorted by name. */
export async function relationNames(client: pg.ClientBase, schemas: readonly string[]): Promise<TableName[]> {
  const { rows } = await client.query(RELATION_NAMES, [schemas]);
  return z.array(nameRow).parse(rows);
}

/** Tables whose name matches, without the tables of increp. Not sorted. */
export const findRelations = (wanted: readonly LikePattern[]): CatalogQuestion<TableName[]> => ({
  statement: findTablesLike(wanted, { names: OWN_TABLES, comment: STAGING_MARK }),
  read: (rows) => z.array(nameRow).parse(rows),
});

const schemaRow = z.object({
  exists: z.boolean(),
  canUse: z.boolean(),
  canCreate: z.boolean(),
  canCreateSchema: z.boolean(),
  /** If increp cannot create tables in the schema yet, the schemas where it can. */
  otherSchemas: names,
  role: z.string(),
  database: z.string(),
});

export type SchemaAccess = Readonly<z.infer<typeof schemaRow>>;

/** For each of these schemas, whether it exists or not. */
export const schemasQuestion = (
  schemas: readonly string[],
): CatalogQuestion<(schema: string) => SchemaAccess> => ({
  statement: schemas.length === 0 ? undefined : describeSchemasNamed(schemas),
  read: (rows) => {
    const found = new Map(
      z
        .array(schemaRow.extend({ name: z.string() }))
        .parse(rows)
        .map(({ name, ...access }) => [name, access]),
    );
    return (schema) => {
      const access = found.get(schema);
      if (!access) throw new Error(`schema ${schema} was not described`);
      return access;
    };
  },
});

export const describeSchema = async (client: pg.ClientBase, schema: string): Promise<SchemaAccess> =>
  (await askAll(client, [schemasQuestion([schema])]))[0](schema);
