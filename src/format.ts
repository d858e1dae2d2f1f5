/** Numbers as people read them. */
import { RESOLUTIONS, totalConflicts, type ConflictCounts } from './conflicts.ts';
import type { Failure, TableOutcome } from './events.ts';

const BYTE_UNITS = ['kB', 'MB', 'GB', 'TB', 'PB'] as const;

/** Before each group of three digits at the end. Intl.NumberFormat would take milliseconds of each start. */
const THOUSANDS = /\B(?=(?:\d{3})+$)/g;

/** `3 conflicts (2 source, 1 merged)` */
export function formatConflicts(counts: ConflictCounts): string {
  const total = totalConflicts(counts);
  const parts = RESOLUTIONS.filter((each) => counts[each] > 0).map(
    (each) => `${formatCount(counts[each])} ${each}`,
  );
  return `${formatCount(total)} ${total === 1 ? 'conflict' : 'conflicts'}${parts.length === 0 ? '' : ` (${parts.join(', ')})`}`;
}

/** `1234567` as `1,234,567`. */
export function formatCount(count: number): string {
  return String(Math.round(count)).replaceAll(THOUSANDS, ',');
}

/** `1 row`, `2,000 rows`: for nouns with a regular plural. */
export const formatCounted = (count: number, noun: string): string =>
  `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;

/** For estimates: `945`, `1.2k`, `12k`, `3.4M`. */
export function formatRoughCount(count: number): string {
  let scaled = count;
  let unit = '';
  for (const next of ['k', 'M', 'G', 'T']) {
    // 999.5 would print as 1000.
    if (scaled < 999.5) break;
    scaled /= 1000;
    unit = next;
  }
  return `${unit !== '' && scaled < 9.95 ? scaled.toFixed(1) : Math.round(scaled)}${unit}`;
}

/** Decimal units, one digit: `999 B`, `1.0 kB`, `12.3 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${Math.round(bytes)} B`;
  let scaled = bytes / 1000;
  let unit = 0;
  // 999.95 would print as 1000.0, so it already belongs to the next unit.
  while (scaled >= 999.95 && unit < BYTE_UNITS.length - 1) {
    scaled /= 1000;
    unit += 1;
  }
  return `${scaled.toFixed(1)} ${BYTE_UNITS[unit]}`;
}

/** `0.4 s`, `2 min 5 s`, `1 h 2 min`. */
export function formatSeconds(seconds: number): string {
  const tenths = Math.round(Math.max(0, seconds) * 10);
  if (tenths < 600) return `${(tenths / 10).toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.round(seconds / 60);
  return `${formatCount(Math.floor(minutes / 60))} h ${minutes % 60} min`;
}

/** Rounded, because it is an estimate: `5 s`, `40 s`, `12 min`, `2 h 10 min`. */
export function formatTimeLeft(seconds: number): string {
  if (seconds < 58) return `${Math.max(5, Math.ceil(seconds / 5) * 5)} s`;
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const tens = Math.ceil(seconds / 600);
  return `${formatCount(Math.floor(tens / 6))} h${tens % 6 === 0 ? '' : ` ${(tens % 6) * 10} min`}`;
}

export type OutcomeWord = TableOutcome['status'] | 'busy' | 'interrupted' | 'deferred';

/** What people read of an outcome: a table that another run holds, or that a signal ended, has not failed. */
export function outcomeWord({ status, isDeferred, error }: CountedTable): OutcomeWord {
  if (isDeferred) return 'deferred';
  if (error?.code === 'RUN_LOCKED') return 'busy';
  return error?.code === 'INTERRUPTED' ? 'interrupted' : status;
}

type CountedTable = Pick<TableOutcome, 'status' | 'isDeferred'> & {
  readonly error?: Pick<Failure, 'code'> | undefined;
};

/** Whether the table was synced, with warnings. */
export const isWarned = ({ status, warnings, hasKnownWarnings }: WarnedTable): boolean =>
  status === 'ok' && (warnings.length > 0 || hasKnownWarnings === true);

interface WarnedTable {
  readonly status: string;
  readonly warnings: readonly string[];
  readonly hasKnownWarnings?: true;
}

/** `4 with warnings`. Undefined if there are none. */
export function formatWarned(tables: readonly WarnedTable[]): string | undefined {
  const count = tables.filter(isWarned).length;
  return count === 0 ? undefined : `${formatCount(count)} with warnings`;
}

const countsOf = (tables: readonly CountedTable[]) =>
  (['ok', 'failed', 'busy', 'interrupted', 'skipped', 'deferred'] as const)
    .map((status) => ({ status, count: tables.filter((table) => outcomeWord(table) === status).length }))
    .filter(({ count }) => count > 0);

/** `warehouse: 3 ok, 1 with warnings; reports: 3 failed`. Undefined if the results are the same everywhere. */
export function formatCountsByDestination(
  tables: readonly (CountedTable & WarnedTable & Pick<TableOutcome, 'destination'>)[],
  destinations: readonly string[],
): string | undefined {
  const counts = destinations.map((name) => {
    const there = tables.filter(({ destination }) => destination === name);
    return [
      ...countsOf(there).map(({ status, count }) => `${formatCount(count)} ${status}`),
      formatWarned(there) ?? [],
    ]
      .flat()
      .join(', ');
  });
  if (new Set(counts).size <= 1) return undefined;
  return destinations.map((name, place) => `${name}: ${counts[place] || 'no tables'}`).join('; ');
}

/** `3 tables ok, 1 failed, 2 skipped, 4 deferred`; a count of zero is left out. `aboutOk` follows the first of them. */
export function formatTableCounts(tables: readonly CountedTable[], aboutOk = ''): string {
  const parts = countsOf(tables);
  const noun = parts[0]?.count === 1 ? 'table' : 'tables';
  if (parts.length === 0) return 'no tables';
  return parts
    .map(
      ({ status, count }, index) =>
        `${formatCount(count)} ${index === 0 ? `${noun} ` : ''}${status}${status === 'ok' ? aboutOk : ''}`,
    )
    .join(', ');
}

/** `warehouse: orders`; where there is one destination, the table alone. */
export const labelOf = ({ name, destination }: Pick<TableOutcome, 'name' | 'destination'>): string =>
  destination === undefined ? name : `${destination}: ${name}`;

/** More tables than this push the first line of a small terminal out of sight. */
export const MANY_TABLES = 10;

/** The number of names in a line about many tables. */
export const LISTED = 10;

/** As many names as there is room for, and at least one. */
export function listedWithin(names: readonly string[], characters: number): string {
  let room = characters;
  const shown = names.findIndex((name) => (room -= nameInList(name).length + 2) < 0);
  return listedNames(names, shown < 0 ? names.length : Math.max(1, shown));
}

/** `a, b, c and 197 more`: at most `most` names. */
export function listed(names: readonly string[], most: number): string {
  const more = names.length > most ? ` and ${formatCount(names.length - most)} more` : '';
  return `${names.slice(0, most).join(', ')}${more}`;
}

/** A name in a list: in quotes, as in SQL, if it has white space, a comma or a quote. */
export const nameInList = (name: string): string =>
  /[\s,"']/.test(name) ? `"${name.replaceAll('"', '""')}"` : name;

export const listedNames = (names: readonly string[], most: number): string =>
  listed(names.map(nameInList), most);

/** Tables of one text: `orders at reports`, `15 tables at reports (a, b, c and 12 more)`. */
export function listedTables(
  tables: readonly Pick<TableOutcome, 'name' | 'destination'>[],
  most: number,
): string {
  const names = [...new Set(tables.map(({ name }) => nameInList(name)))];
  const [place, ...others] = new Set(tables.map(({ destination }) => destination));
  const at =
    others.length > 0
      ? ` at ${formatCounted(others.length + 1, 'destination')}`
      : place === undefined
        ? ''
        : ` at ${place}`;
  return names.length === 1
    ? `${names.join('')}${at}`
    : `${formatCounted(names.length, 'table')}${at} (${listed(names, most)})`;
}

/** A table in a list, with its destination in front if there are several. */
export const labelInList = ({ name, destination }: Pick<TableOutcome, 'name' | 'destination'>): string =>
  destination === undefined ? nameInList(name) : `${destination}: ${nameInList(name)}`;

interface DeferringRun {
  readonly tables: readonly Pick<TableOutcome, 'name' | 'destination' | 'isDeferred'>[];
  /** If a sync without the flags of the run does less. */
  readonly repeatCommand?: string;
}

/** `2 tables deferred to the next run: a, b`; undefined if none is deferred. */
export function formatDeferred({ tables, repeatCommand }: DeferringRun, most = LISTED): string | undefined {
  const names = tables.filter(({ isDeferred }) => isDeferred).map(labelInList);
  if (names.length === 0) return undefined;
  const noun = names.length === 1 ? 'table' : 'tables';
  const head = `${formatCount(names.length)} ${noun} deferred`;
  return repeatCommand === undefined
    ? `${head} to the next run: ${listed(names, most)}`
    : `${head}: ${listed(names, most)}; run again: "${repeatCommand}"`;
}

/** The first line of a message without its full stop, so that it can be part of a sentence. */
export function firstLine(text: string): string {
  return (text.trim().split(/\r?\n/, 1)[0] ?? '').trimEnd().replace(/\.$/, '');
}

/** In messages, which JSON and other machines repeat: `2026-01-31T12:00:00Z`. */
export const utcTime = (time: string | number | Date): string =>
  new Date(time).toISOString().replace(/\.\d+Z$/, 'Z');

/** For a source without rows to copy. If an option chooses rows, the table itself may have rows. */
export const noRowsText = (rowsFrom: 'where' | 'query' | undefined, ofTable: string): string =>
  rowsFrom === undefined
    ? ofTable
    : rowsFrom === 'where'
      ? 'no rows match where'
      : 'the query returns no rows';

/** After "rows": rows of the destination that would be removed. They may only have left the selection. */
export const goneRowsText = (rowsFrom: 'where' | 'query' | undefined): string =>
  rowsFrom === undefined
    ? 'that the source no longer has'
    : rowsFrom === 'where'
      ? 'that the source no longer has or that no longer match where'
      : 'that the query no longer returns';

/** A text that begins a sentence. */
export const capitalized = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;

/** The condition under which such rows may be removed. The configuration can be what changed. */
export const ifRight = (rowsFrom: 'where' | 'query' | undefined): string =>
  rowsFrom === undefined
    ? 'If the source is right'
    : `If the source and "${rowsFrom}" in tables-config.json are right`;
