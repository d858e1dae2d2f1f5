/** The refusal of tables that the service does not know, with the name that was probably meant. */
import * as z from 'zod';
import { LISTED, listedNames } from '../format.ts';
import { meantTables } from '../nearest.ts';
import type { ControlSession } from '../postgres/control-database.ts';
import { LIST_TABLE_NAMES } from '../sql/control/pauses.ts';
import { RefusedRequest } from './refusal.ts';

const tableRow = z.object({ name: z.string(), source: z.string().nullable() });

const readNames = async (session: ControlSession, pipeline: string) =>
  z.array(tableRow).parse((await session.query(LIST_TABLE_NAMES, [pipeline])).rows);

/** Throws a RefusedRequest NOT_FOUND. */
export async function ensureTableExists(
  session: ControlSession,
  pipeline: string,
  table: string,
): Promise<void> {
  const names = (await readNames(session, pipeline)).map(({ name }) => name);
  if (!names.includes(table)) throw missingTable(pipeline, table, names);
}

/** Names as in a request for a run: with or without the schema of the source. A worker matches patterns. Throws a RefusedRequest NOT_FOUND. */
export async function ensureNamesExist(
  session: ControlSession,
  pipeline: string,
  words: readonly string[],
): Promise<void> {
  const tables = await readNames(session, pipeline);
  const isKnown = (word: string) => tables.some(({ name, source }) => name === word || source === word);
  const unknown = words.find((word) => !word.includes('*') && !isKnown(word));
  if (unknown === undefined) return;
  throw missingTable(
    pipeline,
    unknown,
    tables.map(({ name }) => name),
  );
}

function missingTable(pipeline: string, table: string, names: readonly string[]): RefusedRequest {
  const known = names.length === 0 ? '' : `Its tables: ${listedNames(names, LISTED)}. `;
  return new RefusedRequest(
    'NOT_FOUND',
    `there is no table "${table}" in pipeline "${pipeline}"${meantTables(table, names)}`,
    `${known}See GET /api/v1/pipelines/${pipeline}/tables. A worker adds a new table within seconds, or at the next run.`,
  );
}
