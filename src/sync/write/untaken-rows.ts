/** Rows that a trigger of the destination changes or discards. The server counts them as written. */
import type pg from 'pg';
import * as z from 'zod';
import { queryUsually } from '../../postgres/user-search-path.ts';
import { printName } from '../../schema/names.ts';
import type { Relation } from '../../schema/relations.ts';
import { listTriggers } from '../../sql/inspect.ts';
import { countUntaken } from '../../sql/merge.ts';
import type { CopyFacts } from '../facts/facts.ts';
import { hasWriters, mergeOf } from './merge-staging.ts';

const countRow = z.object({ rows: z.number() });

/**
 * Compares the staging table with the destination table after a merge, if that table has such a trigger. Not for a table with
 * writers of its own, whose rows may be newer.
 */
export async function untakenWarning(
  client: pg.ClientBase,
  facts: CopyFacts,
  source: Relation,
): Promise<string[]> {
  const { destination, destinationName } = facts;
  if (destination?.hasRowTriggers !== true) return [];
  const merge = mergeOf(facts, source);
  if (hasWriters(merge) || merge.mergeKey.length === 0) return [];
  const { rows } = countRow.parse((await queryUsually(client, countUntaken(merge))).rows[0]);
  if (rows === 0) return [];
  return [
    `${rows === 1 ? '1 row is' : `${rows} rows are`} not in ${printName(destinationName)} as the source has ${rows === 1 ? 'it' : 'them'}, because a trigger of the table changes or discards rows. To list the triggers, run at the destination: ${listTriggers(destinationName)}`,
  ];
}
