/**
 * Of a table that is loaded again each time: rows that only the copy has may be those that were changed or deleted at the
 * source since. There is no cursor that would tell, but of the rows that were read then some are still there, untouched.
 */
import type pg from 'pg';
import { z } from 'zod';
import { ask } from '../postgres/usual-path.ts';
import type { Relation } from '../schema/relations.ts';
import { isKeyed, type StateRecord } from '../schema/state-record.ts';
import { countWhere } from '../sql/unchanged-check.ts';
import type { TableFacts } from '../sync/facts/facts.ts';
import { writtenSince } from '../sync/fence/pending-rows.ts';

interface Counted {
  readonly missing: number;
  readonly extra: number;
  readonly changed: number;
  readonly keys: { readonly extra: readonly string[] };
}

const countRow = z.object({ rows: z.number() });

/** What cannot be explained remains a difference. In the snapshot that was compared. */
export async function withoutGone<T extends Counted>(
  source: pg.ClientBase,
  facts: TableFacts,
  relation: Relation,
  record: StateRecord,
  counted: T,
): Promise<T & { readonly notes: readonly string[] }> {
  const { contents } = record;
  if (isKeyed(record) || !contents || counted.missing + counted.extra + counted.changed === 0)
    return { ...counted, notes: [] };
  const isWritten = await writtenSince(source, facts, relation, record);
  if (isWritten === undefined) return { ...counted, notes: [cannotTell(contents.readAt)] };
  if (counted.extra === 0) return { ...counted, notes: [] };
  const { rows } = await ask(source, countWhere(facts.sourceRows, `NOT ${isWritten}`));
  const gone = Math.max(0, Number(contents.rows) - countRow.parse(rows[0]).rows);
  const explained = Math.min(gone, counted.extra);
  const extra = counted.extra - explained;
  return {
    ...counted,
    extra,
    keys: extra === 0 ? { ...counted.keys, extra: [] } : counted.keys,
    notes: explained === 0 ? [] : [changedSince(explained, contents.readAt)],
  };
}

const cannotTell = (readAt: string): string =>
  `what was written at the source since it was last read (${readAt}) may be among the differences: this source does not show when its rows were written`;

const changedSince = (rows: number, readAt: string): string =>
  `${rows === 1 ? '1 more row is' : `${rows} more rows are`} in the copy only, and no difference: as many were changed or deleted at the source since it was last read (${readAt})`;
