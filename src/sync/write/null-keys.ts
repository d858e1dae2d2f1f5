/** Warns of rows without a replication key, which no window reads. */
import type pg from 'pg';
import { z } from 'zod';
import type { TableSettings } from '../../config/settings.ts';
import { ask } from '../../postgres/user-search-path.ts';
import type { Relation } from '../../schema/relations.ts';
import type { RowSource } from '../../sql/row-source.ts';
import { countNullKeys } from '../../sql/window.ts';

/** The count stops here, because an exact count of many rows is not useful. */
const MANY = 1000;

const countRow = z.object({ rows: z.number() });

/** `rows`: the source, or the staging table if it holds all rows. */
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
  return [
    `${many} no ${key.name} (NULL): increp does not see changes to such rows unless null_keys is "include"`,
  ];
}
