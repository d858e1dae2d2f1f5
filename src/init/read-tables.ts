/** Reads the source tables for `init`, from the catalog only. */
import type pg from 'pg';
import * as z from 'zod';
import { describeRelations, describeSchema, relationNames } from '../postgres/catalog.ts';
import type { Database } from '../postgres/database.ts';
import type { TableHints } from '../schema/key-candidates.ts';
import { isReadableTable, type Relation } from '../schema/relations.ts';
import { PARTITIONS, SCHEMA_RIGHTS, SCHEMAS, TABLE_HINTS, writersOf } from '../sql/init.ts';
import { stagingMark } from '../sql/destination.ts';
import { readSourceStates, type SourceStates } from '../sync/facts/swapped-sides.ts';
import { WITHOUT_UPDATE_TRIGGER, WRITABLE_TABLES } from '../sql/inspect.ts';
import { OWN_TABLES, stateTable } from '../sql/state.ts';
import { proposeOptions, type TableProposal } from './propose-options.ts';

export interface SchemaSummary {
  readonly name: string;
  readonly tables: number;
  readonly views: number;
}

const schemaRows = z.array(z.object({ name: z.string(), tables: z.number(), views: z.number() }));

export const readSchemas = (source: Database): Promise<SchemaSummary[]> =>
  source.withReading(async (client) => schemaRows.parse((await client.query(SCHEMAS)).rows));

const rightsRow = z.object({ canCreateSchema: z.boolean(), writable: z.array(z.string()) });

/** Where the role may create tables. */
export type SchemaRights = Readonly<z.infer<typeof rightsRow>>;

export const readSchemaRights = (destination: Database): Promise<SchemaRights> =>
  destination.withReading(async (client) => rightsRow.parse((await client.query(SCHEMA_RIGHTS)).rows[0]));

export interface SourceTables {
  /** By name. */
  readonly tables: readonly TableProposal[];
  /** The partitioned tables, by partition. */
  readonly partitions: ReadonlyMap<string, string>;
  readonly role: string;
  /** Tables that the role of increp could write to. It never needs to. */
  readonly writable: readonly string[];
  /** The pipelines that write these tables, by table. The source is the destination of these pipelines. */
  readonly writers: ReadonlyMap<string, string>;
  readonly states: SourceStates;
}

const hintRow = z
  .object({
    oid: z.string(),
    primaryKey: z.array(z.string()).nullable(),
    defaults: z.array(z.tuple([z.string(), z.string()])),
    updateTriggers: z.array(z.object({ name: z.string(), source: z.string(), args: z.array(z.string()) })),
    unanalyzedBytes: z.number().nullable(),
  })
  .transform(({ oid, primaryKey, defaults, updateTriggers, unanalyzedBytes }) => ({
    oid,
    unanalyzedBytes: unanalyzedBytes ?? 0,
    hints: {
      primaryKey: primaryKey ?? undefined,
      defaults: new Map(defaults),
      updateTriggers,
    } satisfies TableHints,
  }));

const oidRows = z.array(z.object({ oid: z.string() }));
const writableRows = z.array(z.object({ table: z.string() }));

/** Undefined if the schema does not exist, or the role of increp may not use it. */
export async function readTables(source: Database, addingCommand: string): Promise<SourceTables | undefined> {
  const { schema } = source.settings;
  return source.withReading(async (client) => {
    const { exists, canUse, role } = await describeSchema(client, schema);
    if (!exists || !canUse) return undefined;
    const names = (await relationNames(client, [schema])).map(({ table }) => table);
    const found = await describeRelations(client, schema, names);
    const relations = [...found.values()].filter(
      ({ name: { table }, comment }) =>
        !OWN_TABLES.includes(table) && comment !== stagingMark(table.replace(/_stg$/, '')),
    );
    const oids = relations.map(({ oid }) => oid);
    const hints = z
      .array(hintRow)
      .parse((await client.query(TABLE_HINTS, [oids])).rows)
      .map((row) => [row.oid, row] as const);
    const byOid = new Map(hints);
    const withoutTrigger = new Set(
      oidRows.parse((await client.query(WITHOUT_UPDATE_TRIGGER, [oids])).rows).map(({ oid }) => oid),
    );
    const writable = writableRows.parse((await client.query(WRITABLE_TABLES, [oids])).rows);
    return {
      role,
      partitions: await readPartitions(client, schema),
      writable: writable.map(({ table }) => table),
      writers: await readWriters(client, found.get(stateTable(schema).table)),
      states: await readSourceStates(client),
      tables: relations
        .flatMap((relation) => {
          const described = byOid.get(relation.oid);
          return described
            ? [
                {
                  relation,
                  hints: described.hints,
                  bytes: relation.bytes + described.unanalyzedBytes,
                  lacksUpdateTrigger: withoutTrigger.has(relation.oid),
                },
              ]
            : [];
        })
        .map((described) => proposeOptions(described, { role, addingCommand }))
        .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    };
  });
}

const partitionRows = z.array(z.object({ name: z.string(), root: z.string() }));

async function readPartitions(client: pg.ClientBase, schema: string): Promise<ReadonlyMap<string, string>> {
  const { rows } = await client.query(PARTITIONS, [schema]);
  return new Map(partitionRows.parse(rows).map(({ name, root }) => [name, root]));
}

const writerRows = z.array(z.object({ table: z.string(), pipeline: z.string() }));

/** A table of the user may have the name of the state table. */
async function readWriters(
  client: pg.ClientBase,
  state: Relation | undefined,
): Promise<ReadonlyMap<string, string>> {
  const isState = ['table_name', 'pipeline'].every((column) =>
    state?.columns.some(({ name }) => name === column),
  );
  if (!state || !isState || !isReadableTable(state)) return new Map();
  const { rows } = await client.query(writersOf(state.name));
  return new Map(writerRows.parse(rows).map(({ table, pipeline }) => [table, pipeline]));
}
