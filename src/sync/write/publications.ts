/**
 * A destination that is published. A publication of all tables, or of a schema, takes each table that is made from the first
 * row on, and a subscriber stops for good at a table that it does not have. So there a new table is made under its own name,
 * and rows come to it from a staging table that is not logged, which no publication takes.
 */
import type pg from 'pg';
import { z } from 'zod';
import { describeRelations } from '../../postgres/catalog.ts';
import { queryUsually } from '../../postgres/usual-path.ts';
import { copyKey } from '../../schema/row-identity.ts';
import type { Relation } from '../../schema/relations.ts';
import { createMergeKey, createTable, identifyByRow } from '../../sql/destination.ts';
import { publicationsOfAll } from '../../sql/publications.ts';
import type { TableFacts } from '../facts/facts.ts';
import { indexNameFor, makeRoomFor } from './index-names.ts';
import { seenNow } from './merge-key-index.ts';
import { ensureMetadataColumns } from './metadata-columns.ts';

const nameRow = z.object({ name: z.string() });

/** Publications that take every table that is made in that schema. */
export async function publicationsOver(
  client: pg.ClientBase,
  schema: string,
  version: number,
): Promise<string[]> {
  const { rows } = await client.query(publicationsOfAll(version), [schema]);
  return z
    .array(nameRow)
    .parse(rows)
    .map(({ name }) => name);
}

/** The table, empty; the facts are as they were where no such publication would take it. */
export async function madeWherePublished(
  client: pg.ClientBase,
  facts: TableFacts,
  source: Relation,
): Promise<TableFacts> {
  const { destinationName, natives, settings, servers } = facts;
  const { schema, table } = destinationName;
  const publications = await publicationsOver(client, schema, servers.destination.version);
  if (publications.length === 0 || (await seenNow(client, facts)).destination !== undefined) return facts;
  await makeRoomFor(client, destinationName);
  await client.query(createTable(destinationName, source.columns, natives, true));
  await ensureMetadataColumns(client, facts);
  const key = copyKey(settings);
  const isNotNull = (name: string) =>
    source.columns.some((column) => column.name === name && column.isNotNull);
  const isPrimary = key.every(isNotNull);
  if (key.length > 0) {
    const index = await indexNameFor(client, destinationName);
    await client.query(createMergeKey(destinationName, index, key, isPrimary));
  }
  // Without it the server refuses to change or remove a row.
  if (key.length === 0 || !isPrimary) await queryUsually(client, identifyByRow(destinationName));
  const made = (await describeRelations(client, schema, [table])).get(table);
  return made ? { ...facts, destination: made } : facts;
}
