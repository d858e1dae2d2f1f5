/** The refusal of a table that the service does not know, with the name that was probably meant. */
import * as z from 'zod';
import { nearest } from '../nearest.ts';
import type { ControlSession } from '../postgres/control-database.ts';
import { LIST_TABLE_NAMES } from '../sql/control/pauses.ts';
import { RefusedRequest } from './refusal.ts';

const nameRow = z.object({ name: z.string() });

/** Throws a RefusedRequest NOT_FOUND. */
export async function ensureTableExists(
  session: ControlSession,
  pipeline: string,
  table: string,
): Promise<void> {
  const { rows } = await session.query(LIST_TABLE_NAMES, [pipeline]);
  const names = z
    .array(nameRow)
    .parse(rows)
    .map(({ name }) => name);
  if (names.includes(table)) return;
  const near = nearest(table, names);
  throw new RefusedRequest(
    'NOT_FOUND',
    `there is no table "${table}" in pipeline "${pipeline}"${near === undefined ? '' : `; did you mean "${near}"?`}`,
    `See GET /api/v1/pipelines/${pipeline}/tables. A worker adds a new table within seconds, or at the next run.`,
  );
}
