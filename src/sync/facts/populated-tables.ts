/** Finds destination tables with rows of this pipeline, and with rows of other pipelines. */
import type pg from 'pg';
import * as z from 'zod';
import type { TableSettings } from '../../config/settings.ts';
import { askAll, type CatalogQuestion } from '../../postgres/catalog-question.ts';
import { queryUsually } from '../../postgres/user-search-path.ts';
import { tableKey, type TableName } from '../../schema/names.ts';
import { METADATA_COLUMN_TYPES, SOURCE } from '../../schema/metadata-columns.ts';
import type { Relation } from '../../schema/relations.ts';
import { isShared } from '../../schema/row-identity.ts';
import { ident, literal } from '../../sql/identifiers.ts';
import { DIFFERS_FROM, EQUALS, onTables } from '../../sql/search-path.ts';
import { countUpTo, heldTables, whichHaveRows, type TableRows } from '../../sql/window.ts';

/** All rows of the table, or only those of this pipeline if a column names the pipeline. */
export const ownRows = (
  table: TableName,
  settings: TableSettings,
  relation: Relation | undefined,
  pipeline: string,
): TableRows => ({
  table,
  where: isShared(settings) && hasSource(relation) ? [`${ident(SOURCE)} ${EQUALS} ${literal(pipeline)}`] : [],
});

export const othersRows = (table: TableName, pipeline: string): TableRows => ({
  table,
  where: [`${ident(SOURCE)} ${DIFFERS_FROM} ${literal(pipeline)}`],
});

/** Checks the type as well, because a user's column may have the same name. */
export const hasSource = (relation: Relation | undefined): boolean =>
  relation?.columns.some(({ name, type }) => name === SOURCE && type === METADATA_COLUMN_TYPES[SOURCE]) ===
  true;

/** By `tableKey`. */
export const heldQuestion = (schemas: readonly string[]): CatalogQuestion<readonly string[]> => ({
  statement: schemas.length === 0 ? undefined : heldTables(schemas),
  read: keysOf,
});

/** By `tableKey`. A table under an exclusive lock counts as filled: its sync waits for the lock and reports it. */
export function filledQuestion(
  tables: readonly TableRows[],
  held: readonly string[],
): CatalogQuestion<ReadonlySet<string>> {
  const isHeld = new Set(held);
  const keys = tables.map(({ table }) => tableKey(table)).filter((key) => isHeld.has(key));
  const free = tables.filter(({ table }) => !isHeld.has(tableKey(table)));
  return {
    statement: free.length === 0 ? undefined : onTables(whichHaveRows(free)),
    read: (rows) => new Set([...keys, ...keysOf(rows)]),
  };
}

const keysOf = (rows: readonly unknown[]): string[] =>
  z
    .array(z.object({ schema: z.string(), table: z.string() }))
    .parse(rows)
    .map(tableKey);

export interface CountedRows {
  /** Undefined if another session holds an exclusive lock on the table. */
  readonly rows: number | undefined;
  /** Whether the table has more rows than that. */
  readonly isMore: boolean;
}

/** Enough to judge the size of the table. An exact count would take longer. */
const MOST_COUNTED = 1_000_000;

/** In the order of the tables. */
export async function countedRows(
  client: pg.ClientBase,
  tables: readonly TableName[],
): Promise<CountedRows[]> {
  const schemas = [...new Set(tables.map(({ schema }) => schema))];
  const [held] = await askAll(client, [heldQuestion(schemas)]);
  const counted: CountedRows[] = [];
  for (const table of tables) {
    if (held.includes(tableKey(table))) {
      counted.push({ rows: undefined, isMore: false });
      continue;
    }
    const { rows: found } = await queryUsually(client, countUpTo(table, MOST_COUNTED + 1));
    const { rows } = z.object({ rows: z.number() }).parse(found[0]);
    counted.push({ rows: Math.min(rows, MOST_COUNTED), isMore: rows > MOST_COUNTED });
  }
  return counted;
}
