/** Reads the dependent objects of a destination table from its catalog. */
import type pg from 'pg';
import * as z from 'zod';
import {
  DESCRIBE_DEFAULTS,
  DESCRIBE_INDEXES,
  DESCRIBE_OBSTACLES,
  DESCRIBE_RELATIONS_ABOVE,
  type DependentDefinitions,
  type BuiltRelation,
} from '../sql/dependent-object-definitions.ts';
import { DESCRIBE_ITEMS } from '../sql/dependent-object-items.ts';
import { GRANTED_BY_DEFAULT } from '../sql/reshape.ts';

const names = z.array(z.string());
const KINDS = { r: 'table', v: 'view', m: 'materialized view' } as const;

const relationRow = z
  .object({
    oid: z.string(),
    schema: z.string(),
    table: z.string(),
    kind: z.enum(['r', 'v', 'm']),
    owner: z.string(),
    isOurs: z.boolean(),
    definition: z.string().nullable(),
    options: names,
    isPopulated: z.boolean(),
    tablespace: z.string().nullable(),
    dependsOn: names,
  })
  .transform(({ schema, table, kind, ...rest }): BuiltRelation => ({
    ...rest,
    name: { schema, table },
    kind: KINDS[kind],
  }));

const itemRow = z.object({
  oid: z.string(),
  stage: z.enum(['staging', 'renamed', 'dropped']),
  what: z.string(),
  columns: names,
  sql: z.string(),
  rehearsal: z.string().nullable(),
  undo: z.string().nullable(),
  lock: z.string().nullable(),
  other: z.object({ schema: z.string(), table: z.string() }).nullable(),
});

const indexRow = z.object({ name: z.string(), head: z.string(), definition: z.string(), columns: names });

/** `ownIndex` is the index that increp created for the unique key. Run it with an empty search_path. */
export async function readDependentDefinitions(
  client: pg.ClientBase,
  oid: string,
  ownIndex: string,
): Promise<DependentDefinitions> {
  const read = async (sql: string, values: unknown[]) => (await client.query(sql, values)).rows as unknown[];
  const [table, ...views] = z.array(relationRow).parse(await read(DESCRIBE_RELATIONS_ABOVE, [oid]));
  if (!table) throw new Error(`there is no table ${oid}`);
  const oids = [table, ...views].map((relation) => relation.oid);
  const defaults = z
    .array(z.object({ column: z.string(), expression: z.string() }))
    .parse(await read(DESCRIBE_DEFAULTS, [oid]));
  return {
    table,
    views,
    items: z.array(itemRow).parse(await read(DESCRIBE_ITEMS, [oids, ownIndex])),
    indexes: z.array(indexRow).parse(await read(DESCRIBE_INDEXES, [oid, ownIndex])),
    defaults: Object.fromEntries(defaults.map(({ column, expression }) => [column, expression])),
    obstacles: z
      .array(z.object({ what: z.string() }))
      .parse(await read(DESCRIBE_OBSTACLES, [oid]))
      .map(({ what }) => what),
  };
}

/** Null means PUBLIC. */
export async function grantedByDefault(
  client: pg.ClientBase,
  { schema, table }: BuiltRelation['name'],
): Promise<(string | null)[]> {
  const { rows } = await client.query(GRANTED_BY_DEFAULT, [schema, table]);
  return z
    .array(z.object({ grantee: z.string().nullable() }))
    .parse(rows)
    .map(({ grantee }) => grantee);
}
