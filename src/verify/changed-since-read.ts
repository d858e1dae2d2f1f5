/**
 * For tables that are loaded completely at each sync: rows that only the destination has may have been changed or
 * deleted at the source since the last sync. There is no cursor that tells, but unchanged rows at the source show how
 * many are missing.
 */
import * as z from 'zod';
import { ask } from '../postgres/user-search-path.ts';
import type { Relation } from '../schema/relations.ts';
import { isKeyed, type StateRecord } from '../schema/state-record.ts';
import { countWhere } from '../sql/unchanged-check.ts';
import { tableCommand } from '../shell-word.ts';
import type { TableFacts } from '../sync/facts/facts.ts';
import { isWithin } from '../sync/load/removed-rows.ts';
import { readGroups, type HeldSnapshot } from '../sync/facts/partition-groups.ts';
import { writtenSince } from '../sync/fence/pending-rows.ts';

interface DifferenceCounts {
  readonly sourceRows: number;
  readonly destinationRows: number;
  readonly missing: number;
  readonly extra: number;
  readonly changed: number;
  readonly waiting: number;
  readonly keys: { readonly extra: readonly string[] };
}

const countRow = z.object({ rows: z.number() });

/** A difference that cannot be explained stays a difference. Runs in the snapshot of the comparison. */
export async function withoutGone<T extends DifferenceCounts>(
  held: HeldSnapshot,
  facts: TableFacts,
  relation: Relation,
  record: StateRecord,
  counted: T,
): Promise<T & { readonly outdated: number; readonly notes: readonly string[] }> {
  const { contents } = record;
  if (isKeyed(record) || !contents || counted.missing + counted.extra + counted.changed === 0)
    return { ...counted, outdated: 0, notes: [] };
  const isWritten = await writtenSince(held.holder, facts, relation, record);
  if (isWritten === undefined) return { ...counted, outdated: 0, notes: [cannotTell(contents.readAt)] };
  const { extra: only, destinationRows: of, sourceRows: left } = counted;
  // Rows that the next sync would refuse to remove do not wait for it.
  if (only === 0 || !isWithin(facts.settings, { gone: only, of, left }))
    return { ...counted, outdated: 0, notes: [] };
  const parts = readGroups(held, facts.sourceRows, async (client, group) =>
    countRow.parse((await ask(client, countWhere(group, `NOT ${isWritten}`))).rows[0]),
  );
  let unchanged = 0;
  for await (const { rows } of parts) unchanged += rows;
  // A transaction that was open at the last sync makes all later rows count as possibly written since. Rows that are equal
  // on both sides were there.
  const equal = left - counted.missing - counted.changed - counted.waiting;
  const gone = Math.max(0, Number(contents.rows) - Math.max(unchanged, equal));
  const explained = Math.min(gone, only);
  const extra = only - explained;
  return {
    ...counted,
    extra,
    outdated: explained,
    keys: extra === 0 ? { ...counted.keys, extra: [] } : counted.keys,
    notes:
      explained === 0
        ? []
        : [
            changedSince(explained, contents.readAt),
            `to copy these changes, run "${tableCommand('sync', facts.settings.name)}"`,
          ],
  };
}

const cannotTell = (readAt: string): string =>
  `the differences may include rows written since the last read (${readAt}), because this source does not show when rows were written`;

const changedSince = (rows: number, readAt: string): string =>
  `${rows === 1 ? '1 row is' : `${rows} rows are`} only in the destination table and not counted as differences, because the source changed or deleted as many since the last sync read it (${readAt})`;
