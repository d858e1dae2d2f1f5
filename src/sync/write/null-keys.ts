/** Rows without a replication key: no window ever reaches them. */
import type pg from 'pg';
import { z } from 'zod';
import type { TableSettings } from '../../config/settings.ts';
import { ask } from '../../postgres/usual-path.ts';
import type { Relation } from '../../schema/relations.ts';
import type { RowSource } from '../../sql/row-source.ts';
import { countNullKeys } from '../../sql/window.ts';

/** They are counted up to here: enough to say "many". */
const MANY = 1000;

const countRow = z.object({ rows: z.number() });

/** `rows` are those of the source, or of the staging table while it holds them all. */
export async function nullKeyWarning(
  client: pg.ClientBase,
  rows: RowSource,
  { mode, replicationKey, nullKeys }: TableSettings,
  source: Relation,
): Promise<string[]> {
  const key = source.columns.find(({ name }) => name === replicationKey);
  if (!key || key.isNotNull || mode === 'full-refresh' || nullKeys === 'include') return [];
  const { rows: counted } = await ask(client, countNullKeys(rows, key.name, MANY + 1));
  const { rows: count } = countRow.parse(counted[0]);
  if (count === 0) return [];
  const many =
    count > MANY ? `more than ${MANY} rows have` : count === 1 ? '1 row has' : `${count} rows have`;
  return [`${many} no ${key.name} (NULL): changes to such rows go unseen unless null_keys is "include"`];
}
