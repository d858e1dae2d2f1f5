/**
 * A destination that is published. A publication of all tables or of a schema includes every new table at once, and a
 * subscriber stops at changes of a table that it does not have. So increp creates a new table under its final name. The rows
 * come from a staging table that is unlogged, because publications leave out unlogged tables.
 */
import type pg from 'pg';
import * as z from 'zod';
import { describeRelations } from '../../postgres/catalog.ts';
import { queryUsually } from '../../postgres/user-search-path.ts';
import { tracksVersions } from '../../schema/merged-columns.ts';
import { copyKey } from '../../schema/row-identity.ts';
import type { Relation } from '../../schema/relations.ts';
import { createMergeKey, createTable, identifyByRow } from '../../sql/destination.ts';
import { publicationsOfAll } from '../../sql/publications.ts';
import type { TableFacts } from '../facts/facts.ts';
import { indexNameFor, makeRoomFor } from './index-names.ts';
import { seenNow } from './merge-key-index.ts';
import { ensureMetadataColumns } from './metadata-columns.ts';

const nameRow = z.object({ name: z.string() });

/** The publications that include every new table of the schema. */
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

/**
 * Creates the empty table and returns the facts with it, also if each row must record its version, which a table that
 * takes the place of the destination table cannot. Otherwise returns the facts unchanged.
 */
export async function madeEarly(
  client: pg.ClientBase,
  facts: TableFacts,
  source: Relation,
): Promise<TableFacts> {
  const { destinationName, natives, settings, servers } = facts;
  const { schema, table } = destinationName;
  const publications = await publicationsOver(client, schema, servers.destination.version);
  const isEarly = publications.length > 0 || tracksVersions(settings);
  if (!isEarly || (await seenNow(client, facts)).destination !== undefined) return facts;
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
  // A published table without a replica identity refuses UPDATE and DELETE.
  if (publications.length > 0 && (key.length === 0 || !isPrimary))
    await queryUsually(client, identifyByRow(destinationName));
  const made = (await describeRelations(client, schema, [table])).get(table);
  return made ? { ...facts, destination: made } : facts;
}
