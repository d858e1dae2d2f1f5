import {
  formatCount,
  formatCounted,
  formatSeconds,
  LISTED,
  listed,
  MANY_TABLES,
  noRowsText,
  labelInList,
} from '../format.ts';
import { shellWord, tablesCommand } from '../shell-word.ts';
import { codesText, formatError, type PrintedError } from './error.ts';
import { lastFailureLines, type LastFailure } from './last-failure.ts';
import { sameFailure, sameFailures, type NamedFailure, type ToldFailures } from './same-failure.ts';
import { glyphsOf, painter, type Style } from './style.ts';
import { displayWidth, padEnd, printable, printableLine, wrap, wrapInline } from './text.ts';

interface Counts {
  readonly name: string;
  readonly sourceRows: number;
  readonly destinationRows: number;
  readonly missing: number;
  readonly extra: number;
  readonly changed: number;
  readonly duplicated: number;
  /** The other keys occur more than once only at the destination. */
  readonly duplicatedAtSource: number;
  readonly waiting: number;
  /** The notes name them. */
  readonly outdated: number;
  readonly newer: number;
  readonly kept: number;
  /** The setting that keeps rows that only the destination has. */
  readonly keptBy?: keyof typeof KEPT_BY | undefined;
  /** Kept versions that are newer than all rows of the source. */
  readonly aboveSource?:
    | {
        readonly rows: number;
        readonly column: string;
        readonly high: string;
        readonly statement: string;
      }
    | undefined;
  /** Columns that were left out, because they hold values of both sides. */
  readonly mergedColumns?: readonly string[];
  readonly rowsFrom?: 'where' | 'query' | undefined;
  /** Whether a repair marks rows as deleted in place of removing them. */
  readonly isMarked?: boolean;
  readonly keys: Readonly<Record<'missing' | 'extra' | 'changed' | 'duplicated', readonly string[]>>;
  readonly notes: readonly string[];
  readonly durationSeconds: number;
}

interface PrintedRepair {
  readonly inserted: number;
  readonly updated: number;
  readonly removed: number;
}

type PrintedVerification =
  | {
      readonly verified: Counts;
      readonly repaired: PrintedRepair | undefined;
      /** Why the differences were not repaired. */
      readonly refusal?: PrintedError;
      /** Of a sync that no success has followed. */
      readonly lastFailure?: LastFailure | undefined;
    }
  | { readonly name: string; readonly error: PrintedError };

const KEPT_BY = {
  deletes: ', kept ("deletes": "keep")',
  mode: ', kept ("mode": "incremental-append"): earlier versions of rows, and rows that the source no longer has',
  on_conflict: ', kept ("on_conflict": "last_update_wins")',
  merge: ', kept ("merge")',
} as const;

const INDENT = '    ';
const NEXT = `${INDENT}  next: `;

/** Cells. A longer name moves the text after it. */
const WIDEST_NAME = 30;

const MEANING = {
  missing: 'missing at the destination',
  extra: 'only at the destination',
  changed: 'with different content',
  duplicated: 'with a unique key that occurs more than once',
} as const;

const EXTRA_BECAUSE = {
  table: 'deleted at the source, or inserted there',
  where: 'deleted at the source, no longer matching where, or inserted at the destination',
  query: 'no longer returned by the query, or inserted there',
} as const;

function meaningOf(kind: keyof typeof MEANING, { duplicated, duplicatedAtSource, rowsFrom }: Counts): string {
  if (kind === 'extra') return `${MEANING.extra} (${EXTRA_BECAUSE[rowsFrom ?? 'table']})`;
  const isAtDestination = kind === 'duplicated' && duplicatedAtSource === 0;
  const isAtSource = kind === 'duplicated' && duplicatedAtSource === duplicated;
  const side = isAtDestination ? ' at the destination' : isAtSource ? ' at the source' : '';
  return `${MEANING[kind]}${side}`;
}

interface VerificationOutput {
  /** Of all tables, so that the lines are aligned. */
  readonly names: readonly string[];
  readonly style: Style;
  /** The failures that were already printed. */
  readonly told: ToldFailures;
  /** Undefined if the pipeline has one destination. */
  readonly destination?: string | undefined;
}

/**
 * One line per table. A table with differences has one more line for each kind of difference, with the first keys.
 */
export function formatVerification(
  verdict: PrintedVerification,
  { names, style, told, destination }: VerificationOutput,
): string {
  const width = Math.min(WIDEST_NAME, Math.max(0, ...names.map((name) => displayWidth(printableLine(name)))));
  const toldAs = (name: string): ToldAs => ({ name, label: labelFor({ name, destination }) });
  const label = (name: string) => padEnd(printableLine(name), width);
  if ('error' in verdict) {
    return `x ${label(verdict.name)}  could not be compared\n${failureText(toldAs(verdict.name), verdict.error, style, told)}`;
  }
  const head = (text: string) => wrap(text, style, INDENT).join('\n');
  const counts = verdict.verified;
  const seconds = formatSeconds(counts.durationSeconds);
  const differences = (['missing', 'extra', 'changed', 'duplicated'] as const).filter(
    (kind) => counts[kind] > 0,
  );
  const rowsAtSource = `${formatCounted(counts.sourceRows, 'row')} at the source`;
  const atSource = counts.sourceRows > 0 ? rowsAtSource : noRowsText(counts.rowsFrom, rowsAtSource);
  const rows = `${atSource}, ${formatCount(counts.destinationRows)} at the destination`;
  const notes = counts.notes
    .map((note) => `${wrap(`    note: ${note}`, style, ' '.repeat(10)).join('\n')}\n`)
    .join('');
  const refusal = verdict.refusal
    ? `${INDENT}not repaired:\n${failureText(toldAs(counts.name), verdict.refusal, style, told)}`
    : '';
  const failed = verdict.lastFailure
    ? lastFailureLines(toldAs(counts.name), verdict.lastFailure, told, style)
    : [];
  const lastSync = failed.map((line) => `${line}\n`).join('');
  const repair = `${notes}${repairLine(verdict)}${refusal}${lastSync}`;
  const apart = `${keptLine(counts, style)}${mergedLine(counts)}`;
  if (differences.length === 0)
    return `${head(`= ${label(counts.name)}  ${equalWords(counts)}: ${rows} (${seconds})`)}\n${apart}${repair}`;
  const lines = differences.map((kind) => {
    const more = counts[kind] > counts.keys[kind].length ? `, ${glyphsOf(style).ellipsis}` : '';
    const text = `    ${formatCount(counts[kind])} ${meaningOf(kind, counts)}: ${counts.keys[kind].map(printable).join(', ')}${more}`;
    // Without the commands of the user: a key may contain any text.
    return wrap(text, { width: style.width }, ' '.repeat(6)).join('\n');
  });
  const doubled =
    counts.duplicatedAtSource > 0
      ? `${wrap('    A repair cannot fix rows of the source with the same unique key: correct them at the source, or set other unique_cols.', style, INDENT).join('\n')}\n`
      : '';
  return `${head(`! ${label(counts.name)}  DIFFERENT: ${rows} (${seconds})`)}\n${lines.join('\n')}\n${doubled}${apart}${repair}`;
}

/** The differences of a table in a few words. */
export const differencesIn = (counts: Pick<Counts, keyof typeof MEANING>): string =>
  (['missing', 'extra', 'changed', 'duplicated'] as const)
    .filter((kind) => counts[kind] > 0)
    .map((kind) => `${formatCount(counts[kind])} ${kind}`)
    .join(', ');

interface ToldAs {
  readonly name: string;
  /** With the destination, if there are several. */
  readonly label: string;
}

/** If one problem affects all tables, repeating it would fill several screens. */
function failureText({ name, label }: ToldAs, error: PrintedError, style: Style, told: ToldFailures): string {
  const same = sameFailure(namedFailure(name, error), label, told);
  if (same !== undefined) return `${INDENT}${painter(style)('red', 'error:')} ${printableLine(same)}\n`;
  return formatError(error, { ...style, width: style.width - INDENT.length }).replaceAll(/^(?=.)/gm, INDENT);
}

export interface OverLimit {
  readonly gone: number;
  readonly of: number;
  readonly isMarked?: boolean;
}

const MARKED = 'marked in "_deleted_at"';

interface EndedTable {
  readonly name: string;
  /** Undefined if the pipeline has one destination. */
  readonly destination: string | undefined;
  readonly isEqual: boolean;
  readonly isRepaired: boolean;
  /** Whether all its differences are rows of the source with the same unique key, which a repair cannot fix. */
  readonly isBeyondRepair?: boolean;
  /** The rows that a repair removes, if `delete_limit` does not allow it. */
  readonly overLimit?: OverLimit | undefined;
  /** Why it could not be compared. */
  readonly error: PrintedError | undefined;
  /** Why its differences were not repaired. */
  readonly refusal: PrintedError | undefined;
  readonly lastFailure?: LastFailure | undefined;
}

interface EndedVerification {
  readonly tables: readonly EndedTable[];
  /** The destinations that could not be reached. */
  readonly unreached: readonly { readonly name: string; readonly error: PrintedError }[];
  readonly seconds: number;
  /** The tables as they were typed. */
  readonly words: readonly string[];
  /** The number of destinations of the pipeline. */
  readonly destinations?: number;
}

/** The last lines: the counts, then the tables that differ or failed, with the next command. */
export function formatVerificationEnding(ended: EndedVerification, style: Style): string {
  const { tables, unreached, seconds, words, destinations = 1 } = ended;
  const different = tables.filter(({ isEqual, error }) => !isEqual && !error);
  const failed = tables.flatMap((table) => (table.error ? [endedFailure(table, table.error)] : []));
  const refused = tables.flatMap((table) => (table.refusal ? [endedFailure(table, table.refusal)] : []));
  const unsynced = tables.flatMap(({ name, destination, lastFailure }) =>
    lastFailure ? [{ name, destination, ...lastFailure }] : [],
  );
  const repaired = tables.filter(({ isEqual, isRepaired }) => isEqual && isRepaired).length;
  const equal = tables.length - different.length - failed.length;
  const parts = [
    ...(equal > 0 ? [`${formatCount(equal)} equal`] : []),
    ...(repaired > 0 ? [`${formatCount(repaired)} of them repaired`] : []),
    ...(different.length > 0 ? [`${formatCount(different.length)} different`] : []),
    ...(refused.length > 0 ? [`${formatCount(refused.length)} of them not repaired`] : []),
    ...(failed.length > 0 ? [`${formatCount(failed.length)} not compared`] : []),
    ...(unsynced.length > 0 ? [`${formatCount(unsynced.length)} FAILED at the last sync`] : []),
  ];
  const isFarAway = tables.length > MANY_TABLES;
  const repairable = different.filter(({ refusal, isBeyondRepair }) => !refusal && isBeyondRepair !== true);
  const beyond = different.filter(({ refusal, isBeyondRepair }) => !refusal && isBeyondRepair === true);
  const noun = tables.length === 1 ? 'table' : 'tables';
  const counts = tables.length === 0 ? '' : `: ${parts.join(', ')}`;
  return [
    `${formatCount(tables.length)} ${noun}${counts} in ${formatSeconds(seconds)}`,
    ...unreached.map(
      ({ name, error }) =>
        `${INDENT}FAILED destination ${printableLine(name)} (${codesText(error.code, error.sqlstate)})`,
    ),
    ...sameFailures(failed).flatMap((group) => failedLines('FAILED', group, isFarAway)),
    ...sameFailures(refused).flatMap((group) => failedLines('NOT REPAIRED', group, isFarAway)),
    ...(isFarAway
      ? sameFailures(unsynced).flatMap((group) => failedLines('LAST SYNC FAILED', group, true))
      : []),
    ...(beyond.length === 0
      ? []
      : [
          `${INDENT}DIFFERENT ${listed(beyond.map(labelFor), LISTED)}: rows of the source with the same unique key; correct them at the source, or set other unique_cols`,
        ]),
  ]
    .flatMap((line) => wrap(line, style, line.startsWith(NEXT) ? ' '.repeat(NEXT.length) : `${INDENT}  `))
    .concat(
      repairsOf(repairable, destinations).flatMap((group) =>
        wrapInline(differentLine(group, words), style, `${INDENT}  `),
      ),
    )
    .map((line) => `${line}\n`)
    .join('');
}

/** An error is no plain object, so it cannot be spread. */
const namedFailure = (name: string, { code, message, next }: PrintedError): NamedFailure => ({
  name,
  code,
  message,
  hint: next,
});

interface EndedFailure extends NamedFailure, Pick<EndedTable, 'destination'> {
  readonly sqlstate: string | null | undefined;
}

const endedFailure = ({ name, destination }: EndedTable, error: PrintedError): EndedFailure => ({
  ...namedFailure(name, error),
  destination,
  sqlstate: error.sqlstate,
});

const labelFor = ({ name, destination }: Pick<EndedTable, 'name' | 'destination'>): string =>
  printableLine(labelInList({ name, ...(destination !== undefined && { destination }) }));

function failedLines(word: string, group: readonly EndedFailure[], isFarAway: boolean): string[] {
  const [first] = group;
  if (!first) return [];
  const names = listed(group.map(labelFor), LISTED);
  return [
    `${INDENT}${word} ${names} (${codesText(first.code, first.sqlstate)})`,
    ...(isFarAway && first.hint !== '' ? [`${NEXT}${printable(first.hint)}`] : []),
  ];
}

const repairOf = ({ destination = '', overLimit }: EndedTable): string =>
  `${overLimit === undefined ? '' : 'forced'} ${destination}`;

/** The tables of one command. It is for all destinations if each has the same tables. */
function repairsOf(tables: readonly EndedTable[], destinations: number): (readonly EndedTable[])[] {
  const groups = [...Map.groupBy(tables, repairOf).values()];
  const tablesOf = (group: readonly EndedTable[]) =>
    JSON.stringify(group.map(({ name, overLimit }) => [name, overLimit !== undefined]));
  return [...Map.groupBy(groups, tablesOf).values()].flatMap((same) =>
    destinations > 1 && same.length === destinations ? [same.flat()] : same,
  );
}

function differentLine(group: readonly EndedTable[], words: readonly string[]): string {
  const names = listed(group.map(labelFor), LISTED);
  const typed = group.length > LISTED ? words : [...new Set(group.map(({ name }) => name))];
  const [destination, ...others] = new Set(group.map((table) => table.destination));
  const where =
    destination === undefined || others.length > 0 ? [] : ['--destination', shellWord(destination)];
  const removed = group.flatMap(({ overLimit }) => overLimit ?? []);
  const flags = [...where, '--repair', ...(removed.length > 0 ? ['--force'] : [])];
  return `${INDENT}DIFFERENT ${names}: ${limitWords(removed)}${tablesCommand('verify', typed, flags)}`;
}

/** Before the command. */
export function limitWords(removed: readonly OverLimit[]): string {
  if (removed.length === 0) return '';
  const [gone, of] = (['gone', 'of'] as const).map((kind) =>
    removed.reduce((sum, each) => sum + each[kind], 0),
  );
  const verb = removed.every(({ isMarked }) => isMarked) ? 'mark' : 'remove';
  return `a repair ${verb}s ${formatCount(gone ?? 0)} of ${formatCounted(of ?? 0, 'row')}, which is over delete_limit. If increp may ${verb} these rows: `;
}

/** The comparison is about the rows of the last sync, so the numbers of rows may differ. */
const equalWords = (counts: Counts): string =>
  counts.waiting + counts.outdated > 0 ? 'equal as of the last sync' : 'equal';

/** Rows that may differ by the settings of the table, and are not counted as differences. */
/** What to do about the versions of a history that the source lacks. */
function keptStep({ kept, keptBy, aboveSource }: Counts): string {
  if (kept === 0 || keptBy !== 'mode') return '';
  if (aboveSource === undefined) return '; no action is needed';
  const { rows, column, high, statement } = aboveSource;
  return `. ${formatCounted(rows, 'row')} ${rows === 1 ? 'is' : 'are'} newer than the largest ${column} of the source (${printableLine(high)}). The source was restored, or it has deleted its newest rows. After a restore, to remove ${rows === 1 ? 'this version' : 'these versions'}, run at the destination: ${printableLine(statement)}`;
}

function keptLine(counts: Counts, style: Style): string {
  const { waiting, newer, kept, keptBy } = counts;
  const parts = [
    ...(waiting > 0 ? [`${formatCounted(waiting, 'row')} of the source that the next sync reads`] : []),
    ...(newer > 0 ? [`${formatCount(newer)} newer at the destination`] : []),
    ...(kept > 0
      ? [`${formatCount(kept)} only at the destination${keptBy === undefined ? '' : KEPT_BY[keptBy]}`]
      : []),
  ];
  if (parts.length === 0) return '';
  return `${wrap(`    not counted as differences: ${parts.join(', ')}${keptStep(counts)}`, style, ' '.repeat(6)).join('\n')}\n`;
}

function mergedLine({ mergedColumns = [], destinationRows }: Counts): string {
  const count = mergedColumns.length;
  return count === 0
    ? ''
    : `    not compared: ${formatCount(count)} merged ${count === 1 ? 'column' : 'columns'} (${listed(mergedColumns.map(printable), LISTED)}) of ${formatCounted(destinationRows, 'row')}\n`;
}

const repairLine = ({ verified, repaired }: Extract<PrintedVerification, { verified: Counts }>): string =>
  repaired
    ? `    repaired: ${formatCount(repaired.inserted)} inserted, ${formatCount(repaired.updated)} updated, ${formatCount(repaired.removed)} ${verified.isMarked ? MARKED : 'removed'}\n`
    : '';
