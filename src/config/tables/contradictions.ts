/**
 * Conflicts between options that are valid on their own. No option is ever ignored, because its author relies on it.
 */
import { readPattern, starsOf } from '../../schema/patterns.ts';
import { show, type Contradiction } from '../problems.ts';
import { selectionContradiction } from './selection.ts';
import { writingContradiction } from './writing-contradictions.ts';
import type { TableEntry } from './tables-schema.ts';

/** `own` contains the options of the table itself. A default may be meant for other tables. */
export const contradictionIn = (
  entry: TableEntry,
  own: Readonly<Record<string, unknown>>,
): Contradiction | undefined =>
  selectionContradiction(entry) ??
  writingContradiction(entry) ??
  (entry.mode === 'full-refresh' ? inFullRefresh(entry, own) : (skipping(entry, own) ?? loading(entry))) ??
  naming(entry) ??
  aging(entry) ??
  copyingObjects(entry, own);

function inFullRefresh(
  { deletes, unique_cols }: TableEntry,
  own: Readonly<Record<string, unknown>>,
): Contradiction | undefined {
  const idle = IDLE_IN_FULL_REFRESH.find(({ key }) => key in own);
  if (idle) return idle;
  if (unique_cols) return undefined;
  if (deletes === 'keep')
    return {
      key: 'deletes',
      what: 'without unique_cols, increp cannot tell a deleted row from a changed row, so it cannot keep it; set unique_cols, or set deletes to "ignore"',
    };
  return deletes === 'soft'
    ? {
        key: 'deletes',
        what: 'soft deletes need unique_cols to find the row; set unique_cols, or set deletes to "ignore": a full refresh removes deleted rows anyway',
      }
    : undefined;
}

/** Options that have no meaning in mode full-refresh. */
const IDLE_IN_FULL_REFRESH: readonly Contradiction[] = [
  {
    key: 'chunk',
    what: 'chunks need a replication key, which mode full-refresh does not have; remove it',
  },
  { key: 'load_jobs', what: 'a table in mode full-refresh is not loaded in chunks; remove it' },
  { key: 'lookback', what: 'a table in mode full-refresh is read completely at each sync; remove it' },
  { key: 'null_keys', what: 'a table in mode full-refresh is read completely at each sync; remove it' },
  { key: 'deletes_from', what: 'a full refresh removes deleted rows at each sync; remove it' },
  { key: 'deletes_every', what: 'a full refresh removes deleted rows at each sync; remove it' },
];

const skipping = (
  { skip_unchanged }: TableEntry,
  own: Readonly<Record<string, unknown>>,
): Contradiction | undefined =>
  skip_unchanged && 'skip_unchanged' in own
    ? {
        key: 'skip_unchanged',
        what: 'only a table in mode full-refresh is read completely at each sync; other tables read only changes anyway',
      }
    : undefined;

function loading({ initial_load, chunk, load_jobs }: TableEntry): Contradiction | undefined {
  if (chunk && initial_load === 'pg_dump')
    return { key: 'chunk', what: 'pg_dump cannot load a table in chunks; remove initial_load, or the chunk' };
  return !chunk && load_jobs > 1
    ? { key: 'load_jobs', what: 'load_jobs needs chunks; set chunk, such as "1GB"' }
    : undefined;
}

const aging = ({ max_staleness: max, warn_staleness: warn }: TableEntry): Contradiction | undefined =>
  max !== undefined && warn !== undefined && warn >= max
    ? {
        key: 'warn_staleness',
        what: 'it must be shorter than max_staleness, so that the warning comes first',
      }
    : undefined;

/** A default is meant for other tables. */
function copyingObjects(
  entry: TableEntry,
  own: Readonly<Record<string, unknown>>,
): Contradiction | undefined {
  const key = (['indexes', 'constraints'] as const).find(
    (each) => entry.query !== undefined && entry[each] === 'copy' && each in own,
  );
  return key && { key, what: `a query has no ${key}; remove it, and create them at the destination` };
}

export const isPattern = (name: string): boolean => starsOf(readPattern(name)) > 0;

function naming({ name, dest_name: destinationName }: TableEntry): Contradiction | undefined {
  if (destinationName === undefined || !isPattern(name)) return undefined;
  const stars = starsOf(readPattern(destinationName));
  if (stars === 0)
    return {
      key: 'dest_name',
      what: `${show(destinationName)} would be the destination table of every table that ${show(name)} matches; use a * in it, such as "raw_*"`,
    };
  return stars === 1 && starsOf(readPattern(name)) === 1
    ? undefined
    : { key: 'dest_name', what: 'can have one * only, and only if "name" has one *' };
}
