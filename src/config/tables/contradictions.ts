/** Options that are right each by itself. None is ever ignored: whoever sets one relies on it. */
import { readPattern, starsOf } from '../../schema/patterns.ts';
import { show, type Contradiction } from '../problems.ts';
import { selectionContradiction } from './selection.ts';
import { writingContradiction } from './writing-contradictions.ts';
import type { TableEntry } from './tables-schema.ts';

/** `own`: what the table itself says; what comes from the defaults may be meant for others. */
export const contradictionIn = (
  entry: TableEntry,
  own: Readonly<Record<string, unknown>>,
): Contradiction | undefined =>
  selectionContradiction(entry) ??
  writingContradiction(entry) ??
  (entry.mode === 'full-refresh' ? inFullRefresh(entry, own) : (skipping(entry, own) ?? loading(entry))) ??
  naming(entry);

function inFullRefresh(
  { deletes, unique_cols }: TableEntry,
  own: Readonly<Record<string, unknown>>,
): Contradiction | undefined {
  const idle = IDLE_IN_FULL_REFRESH.find(({ key }) => key in own);
  if (idle) return idle;
  return deletes === 'soft' && !unique_cols
    ? {
        key: 'deletes',
        what: 'to mark a row as deleted, something has to tell which row it was; set unique_cols, or set deletes to "ignore": a full refresh removes what is gone anyway',
      }
    : undefined;
}

/** What a full refresh has no use for. */
const IDLE_IN_FULL_REFRESH: readonly Contradiction[] = [
  {
    key: 'chunk',
    what: 'chunks begin with a mark of the replication key, which a table in mode full-refresh does without; remove it: the table is loaded in one go',
  },
  { key: 'load_jobs', what: 'a table in mode full-refresh is loaded in one go; remove it' },
  { key: 'lookback', what: 'a table in mode full-refresh is read as a whole each time; remove it' },
  { key: 'null_keys', what: 'a table in mode full-refresh is read as a whole each time; remove it' },
  { key: 'deletes_every', what: 'a full refresh finds rows that are gone each time; remove it' },
  {
    key: 'delete_limit',
    what: 'a full refresh makes the copy what the source is, however much of it is gone; remove it',
  },
];

const skipping = (
  { skip_unchanged }: TableEntry,
  own: Readonly<Record<string, unknown>>,
): Contradiction | undefined =>
  skip_unchanged && 'skip_unchanged' in own
    ? {
        key: 'skip_unchanged',
        what: 'only a table in mode full-refresh is read as a whole each time; others read what has changed anyway',
      }
    : undefined;

function loading({ initial_load, chunk, load_jobs }: TableEntry): Contradiction | undefined {
  if (chunk && initial_load !== 'copy')
    return {
      key: 'chunk',
      what: 'pg_dump, which initial_load is set to or left at, cannot load a table in chunks; set initial_load to "copy"',
    };
  return !chunk && load_jobs > 1
    ? { key: 'load_jobs', what: 'only chunks can be loaded at the same time; set chunk, such as "1GB"' }
    : undefined;
}

export const isPattern = (name: string): boolean => starsOf(readPattern(name)) > 0;

function naming({ name, dest_name: copies }: TableEntry): Contradiction | undefined {
  if (copies === undefined || !isPattern(name)) return undefined;
  const stars = starsOf(readPattern(copies));
  if (stars === 0)
    return {
      key: 'dest_name',
      what: `${show(copies)} would be the copy of every table that ${show(name)} matches; put a * where what its star stands for belongs, such as "raw_*"`,
    };
  return stars === 1 && starsOf(readPattern(name)) === 1
    ? undefined
    : { key: 'dest_name', what: 'takes what the star of "name" stands for, so each of them has one star' };
}
