/** Which tables of the destination have rows of ours, and which still have those of others. */
import type pg from 'pg';
import { z } from 'zod';
import type { TableSettings } from '../config/settings.ts';
import { OWN_TYPES, SOURCE } from '../schema/own-columns.ts';
import type { Relation } from '../schema/relations.ts';
import { isShared } from '../schema/row-identity.ts';
import { ident, literal } from '../sql/identifiers.ts';
import { HELD_TABLES, whichHaveRows } from '../sql/window.ts';

type TableRows = Parameters<typeof whichHaveRows>[1][number];

/** All of its rows, unless they are told apart by their pipeline. */
export const ownRows = (
  table: TableSettings,
  relation: Relation | undefined,
  pipeline: string,
): TableRows => ({
  table: table.destinationName,
  where: isShared(table) && hasSource(relation) ? [`${ident(SOURCE)} = ${literal(pipeline)}`] : [],
});

export const othersRows = (table: TableSettings, pipeline: string): TableRows => ({
  table: table.destinationName,
  where: [`${ident(SOURCE)} <> ${literal(pipeline)}`],
});

/** Ours, not one of people that is only called so. */
export const hasSource = (relation: Relation | undefined): boolean =>
  relation?.columns.some(({ name, type }) => name === SOURCE && type === OWN_TYPES[SOURCE]) === true;

/** A table that someone holds for himself alone counts as filled: whoever works on it will find out. */
export async function filledTables(
  client: pg.ClientBase,
  schema: string,
  tables: readonly TableRows[],
): Promise<Set<string>> {
  if (tables.length === 0) return new Set();
  const held = namesIn(await client.query(HELD_TABLES, [schema]));
  const free = tables.filter(({ table }) => !held.includes(table));
  const filled = free.length === 0 ? [] : namesIn(await client.query(whichHaveRows(schema, free)));
  return new Set([...held, ...filled]);
}

const namesIn = ({ rows }: pg.QueryResult): string[] =>
  z
    .array(z.object({ table: z.string() }))
    .parse(rows)
    .map(({ table }) => table);
