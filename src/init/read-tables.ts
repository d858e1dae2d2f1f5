/** Reads the source tables for `init`, from the catalog only. */
import { z } from 'zod';
import { describeRelations, describeSchema, relationNames } from '../postgres/catalog.ts';
import type { Database } from '../postgres/database.ts';
import type { TableHints } from '../schema/key-candidates.ts';
import { SCHEMAS, TABLE_HINTS } from '../sql/init.ts';
import { stagingMark } from '../sql/destination.ts';
import { WRITABLE_TABLES } from '../sql/inspect.ts';
import { OWN_TABLES } from '../sql/state.ts';
import { proposeOptions, type TableProposal } from './propose-options.ts';

export interface SchemaSummary {
  readonly name: string;
  readonly tables: number;
}

const schemaRows = z.array(z.object({ name: z.string(), tables: z.number() }));

export const readSchemas = (source: Database): Promise<SchemaSummary[]> =>
  source.withReading(async (client) => schemaRows.parse((await client.query(SCHEMAS)).rows));

export interface SourceTables {
  /** By name. */
  readonly tables: readonly TableProposal[];
  readonly role: string;
  /** Tables that the role of increp could write to. It never needs to. */
  readonly writable: readonly string[];
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

const writableRows = z.array(z.object({ table: z.string() }));

/** Undefined if the schema does not exist, or the role of increp may not use it. */
export async function readTables(source: Database): Promise<SourceTables | undefined> {
  const { schema } = source.settings;
  return source.withReading(async (client) => {
    const { exists, canUse, role } = await describeSchema(client, schema);
    if (!exists || !canUse) return undefined;
    const names = (await relationNames(client, [schema]))
      .map(({ table }) => table)
      .filter((name) => !OWN_TABLES.includes(name));
    const relations = [...(await describeRelations(client, schema, names)).values()].filter(
      ({ name: { table }, comment }) => comment !== stagingMark(table.replace(/_stg$/, '')),
    );
    const oids = relations.map(({ oid }) => oid);
    const hints = z
      .array(hintRow)
      .parse((await client.query(TABLE_HINTS, [oids])).rows)
      .map((row) => [row.oid, row] as const);
    const byOid = new Map(hints);
    const writable = writableRows.parse((await client.query(WRITABLE_TABLES, [oids])).rows);
    return {
      role,
      writable: writable.map(({ table }) => table),
      tables: relations
        .flatMap((relation) => {
          const found = byOid.get(relation.oid);
          return found
            ? [{ relation, hints: found.hints, bytes: relation.bytes + found.unanalyzedBytes }]
            : [];
        })
        .map((described) => proposeOptions(described, role))
        .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    };
  });
}
