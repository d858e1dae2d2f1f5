/** Which tables of the destination have rows of ours, and which still have those of others. */
import type pg from 'pg';
import { z } from 'zod';
import type { TableSettings } from '../../config/settings.ts';
import { queryUsually } from '../../postgres/usual-path.ts';
import { tableKey, type TableName } from '../../schema/names.ts';
import { OWN_TYPES, SOURCE } from '../../schema/metadata-columns.ts';
import type { Relation } from '../../schema/relations.ts';
import { isShared } from '../../schema/row-identity.ts';
import { ident, literal } from '../../sql/identifiers.ts';
import { DIFFERS_FROM, EQUALS } from '../../sql/search-path.ts';
import { countUpTo, HELD_TABLES, whichHaveRows, type TableRows } from '../../sql/window.ts';

/** All of its rows, unless they are told apart by their pipeline. */
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

/** Ours, not one of people that is only called so. */
export const hasSource = (relation: Relation | undefined): boolean =>
  relation?.columns.some(({ name, type }) => name === SOURCE && type === OWN_TYPES[SOURCE]) === true;

/** By `tableKey`. A table that someone holds for himself alone counts as filled: whoever works on it will find out. */
export async function filledTables(
  client: pg.ClientBase,
  tables: readonly TableRows[],
): Promise<Set<string>> {
  if (tables.length === 0) return new Set();
  const schemas = [...new Set(tables.map(({ table: { schema } }) => schema))];
  const held = keysIn(await client.query(HELD_TABLES, [schemas]));
  const free = tables.filter(({ table }) => !held.includes(tableKey(table)));
  const filled = free.length === 0 ? [] : keysIn(await queryUsually(client, whichHaveRows(free)));
  return new Set([...held, ...filled]);
}

export const keysIn = ({ rows }: pg.QueryResult): string[] =>
  z
    .array(z.object({ schema: z.string(), table: z.string() }))
    .parse(rows)
    .map(tableKey);

export interface CountedRows {
  /** Undefined where somebody holds the table for himself alone. */
  readonly rows: number | undefined;
  /** There are more than that. */
  readonly isMore: boolean;
}

/** Enough to see what kind of table it is; more are not worth waiting for. */
const MOST_COUNTED = 1_000_000;

/** In the order of the tables. */
export async function countedRows(
  client: pg.ClientBase,
  tables: readonly TableName[],
): Promise<CountedRows[]> {
  const held = keysIn(await client.query(HELD_TABLES, [[...new Set(tables.map(({ schema }) => schema))]]));
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
