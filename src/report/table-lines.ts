/** Formats the result of one table: a line in columns, and details below it. */
import type { Action, Failure, TableOutcome } from '../events.ts';
import {
  formatBytes,
  formatCount,
  formatSeconds,
  labelOf,
  outcomeWord,
  type OutcomeWord,
  formatConflicts,
  noRowsText,
} from '../format.ts';
import { totalConflicts } from '../conflicts.ts';
import { glyphsOf, painter, type Style, type Paint } from './style.ts';
import type { Reason } from '../reasons.ts';
import { reasonText } from './reasons.ts';
import { codesText } from './error.ts';
import { changesText } from './object-texts.ts';
import { sameFailure, withoutAges, type ToldFailures } from './same-failure.ts';
import { displayWidth, padEnd, padStart, printable, printableLine, truncate, wrap } from './text.ts';

type Tint = 'green' | 'red' | 'yellow' | 'dim';

const TINTS = {
  ok: 'green',
  failed: 'red',
  busy: 'yellow',
  interrupted: 'yellow',
  skipped: 'dim',
  deferred: 'dim',
} as const satisfies Record<OutcomeWord, Tint>;

/** A symbol and a word, so that the color is never the only information. */
function wordWithSymbol(word: OutcomeWord, style: Style): string {
  const { ok, failed } = glyphsOf(style);
  if (word === 'failed') return `${failed}FAILED`;
  return word === 'ok' ? `${ok}ok` : `- ${word}`;
}

const statusText = (outcome: TableOutcome, style: Style): string =>
  wordWithSymbol(outcomeWord(outcome), style);

const GAP = '  ';
export const INDENT = '    ';
const NARROWEST_NAME = 12;
/** The usual text fits beside the name. Longer counts may get a line of their own. */
const QUIET = 'no new rows';

/** The window overlaps with the rows of earlier syncs, and holds no other rows. */
const isOnlyReadAgain = ({
  action,
  rowsRead,
  rowsUnchanged,
  rowsDeleted,
  rowsCompared,
  conflicts,
}: TableOutcome): boolean =>
  action === 'incremental' &&
  rowsCompared === undefined &&
  rowsRead > 0 &&
  rowsUnchanged === rowsRead &&
  rowsDeleted === 0 &&
  (conflicts === undefined || totalConflicts(conflicts) === 0);

function rowsText(outcome: TableOutcome): string {
  if (outcome.status === 'skipped') return '';
  if (isOnlyReadAgain(outcome)) return `${formatCount(outcome.rowsRead)} read again, none changed`;
  const counts: readonly (readonly [number, string])[] = [
    [outcome.rowsRead - (outcome.rowsReadAgain ?? 0), 'read'],
    [outcome.rowsReadAgain ?? 0, 'read again'],
    [outcome.rowsCompared ?? 0, 'compared'],
    [outcome.rowsInserted, 'inserted'],
    [outcome.rowsUpdated, 'updated'],
    [outcome.rowsUnchanged, 'unchanged'],
    [outcome.rowsDeleted, outcome.marksDeleted === true ? 'marked as deleted' : 'deleted'],
    [outcome.rowsNewer, 'newer at the destination'],
  ];
  const said = [
    ...counts.filter(([count]) => count > 0).map(([count, word]) => `${formatCount(count)} ${word}`),
    ...(outcome.conflicts && totalConflicts(outcome.conflicts) > 0
      ? [formatConflicts(outcome.conflicts)]
      : []),
  ];
  if (said.length > 0) return said.join(', ');
  if (outcome.status !== 'ok') return '';
  const isWhole = ['initial', 'reset', 'full-refresh'].includes(outcome.action);
  const ofTable = isWhole ? 'no rows' : QUIET;
  return isWhole || outcome.cursor === null ? noRowsText(outcome.rowsFrom, ofTable) : ofTable;
}

const actionOf = ({ action }: TableOutcome): string => (action === 'skipped' ? '' : action);
const secondsOf = ({ status, durationSeconds }: TableOutcome): string =>
  status === 'skipped' ? '' : formatSeconds(durationSeconds);
const bytesOf = ({ bytes }: TableOutcome): string => (bytes > 0 ? formatBytes(bytes) : '');

/** The number of cells of each column. A wider value moves the following columns. */
export interface Columns {
  readonly status: number;
  readonly name: number;
  readonly action: number;
  readonly seconds: number;
  readonly bytes: number;
}

const widest = (texts: readonly string[]) => Math.max(0, ...texts.map(displayWidth));

/** If the terminal is too narrow, names are cut first. */
function fitted(columns: Columns, style: Style): Columns {
  const { status, action, seconds, bytes } = columns;
  const quiet = GAP.length + QUIET.length;
  const others = [status, action, seconds, bytes].reduce(
    (sum, each) => sum + (each > 0 ? each + GAP.length : 0),
    0,
  );
  return { ...columns, name: Math.min(columns.name, Math.max(NARROWEST_NAME, style.width - others - quiet)) };
}

/** As wide as these tables need. */
export const columnsOf = (tables: readonly TableOutcome[], style: Style): Columns =>
  fitted(
    {
      status: widest(tables.map((table) => statusText(table, style))),
      name: widest(tables.map((table) => printableLine(labelOf(table)))),
      action: widest(tables.map(actionOf)),
      seconds: widest(tables.map(secondsOf)),
      bytes: widest(tables.map(bytesOf)),
    },
    style,
  );

/** For lines that are printed one by one, when only the names are known. */
export const columnsFor = (names: readonly string[], longestAction: Action, style: Style): Columns =>
  fitted(
    {
      status: widest(['ok', 'failed', 'skipped'].map((word) => wordWithSymbol(word as OutcomeWord, style))),
      name: widest(names.map(printableLine)),
      action: longestAction.length,
      seconds: '59.9 s'.length,
      bytes: '999.9 MB'.length,
    },
    style,
  );

function headLines(outcome: TableOutcome, columns: Columns, style: Style): string[] {
  const { status } = outcome;
  const name = printableLine(labelOf(outcome));
  // The name of a failed table is never cut, because the user needs it in the next command.
  const shownName = status === 'failed' ? name : truncate(name, columns.name, glyphsOf(style).ellipsis);
  const cells = [
    padEnd(shownName, columns.name),
    padEnd(actionOf(outcome), columns.action),
    padStart(secondsOf(outcome), columns.seconds),
    padStart(bytesOf(outcome), columns.bytes),
  ].filter((cell) => cell !== '');
  const head = `${painter(style)(TINTS[outcomeWord(outcome)], padEnd(statusText(outcome, style), columns.status))}${GAP}${cells.join(GAP)}`;
  const rows = rowsText(outcome);
  const whole = `${head}${GAP}${rows}`.trimEnd();
  if (displayWidth(whole) <= style.width) return [whole];
  const parts = [head.trimEnd(), ...(rows === '' ? [] : [`${INDENT}${rows}`])];
  return parts.flatMap((part) => wrap(part, style, INDENT));
}

export interface Detail {
  readonly label: string;
  readonly tint?: Tint;
  readonly text: string;
  /** Appended to the last line of the text. */
  readonly suffix?: string;
}

/** A label and its text. Further lines of the text are aligned below the first. */
export function detailLines(
  { label, tint, text, suffix = '' }: Detail,
  indent: string,
  style: Style,
): string[] {
  const hanging = `${indent}${' '.repeat(displayWidth(label) + 1)}`;
  const shownLabel = tint ? painter(style)(tint, label) : label;
  return wrap(`${indent}${shownLabel} ${printable(text).trim()}${suffix}`, style, hanging);
}

/** Indented below the message, as for any other error. */
const NEXT = '  next:';

/** A table that another run holds, or a run that a signal ended, is no error. */
function failureLabel(error: Failure): Pick<Detail, 'label' | 'tint'> {
  const word = outcomeWord({ status: 'failed', error });
  return { label: word === 'failed' ? 'error:' : `${word}:`, tint: TINTS[word] };
}

export function failureDetails(failure: Failure, paint: Paint): Detail[] {
  const { message, hint, code, sqlstate } = failure;
  const codes = printableLine(codesText(code, sqlstate));
  return [
    { ...failureLabel(failure), text: message, suffix: ` ${paint('dim', `(${codes})`)}` },
    ...(hint.trim() === '' ? [] : [{ label: NEXT, text: hint }]),
  ];
}

export const warningDetail = (text: string): Detail => ({ label: 'warning:', tint: 'yellow', text });

/**
 * The reason, if the action does not explain itself: a whole load, a change of the table, or a skipped table.
 * Deferred tables share one reason. Another run carries out the plan of a busy table. The step of an error may have it.
 */
function hasReason(outcome: TableOutcome): boolean {
  const { action, status, reasons, isDeferred, error } = outcome;
  return (
    outcomeWord(outcome) !== 'busy' &&
    !(isDeferred && action === 'skipped') &&
    error?.hint.includes(reasonText(reasons)) !== true &&
    reasons.some(
      (reason) =>
        reason.code !== 'failed' &&
        !isNote(reason) &&
        (status === 'skipped' || !OBVIOUS.includes(reason.code)),
    )
  );
}

/** The action says as much. */
const OBVIOUS: readonly Reason['code'][] = [
  'cursor-known',
  'no-destination-table',
  'full-refresh-requested',
  'full-refresh-mode',
];

/** It says more about the table, but not why the sync did this. */
const isNote = (reason: Reason): boolean =>
  reason.code === 'key-went-back' ||
  reason.code === 'claim-needless' ||
  reason.code === 'marks-stay' ||
  (reason.code === 'partitions-gone' && reason.keeps !== undefined);

/** For an incremental sync, the known cursor is the usual case. */
const worthSaying = (reasons: readonly Reason[]): readonly Reason[] =>
  reasons.length === 1 ? reasons : reasons.filter(({ code }) => code !== 'cursor-known');

/** Of the load that another run continues. */
const chunksDone = (outcome: TableOutcome): Detail[] =>
  outcomeWord(outcome) === 'busy'
    ? outcome.reasons.flatMap((reason) =>
        reason.code === 'load-continued'
          ? { label: 'load in chunks:', text: `${reason.done} of ${reason.of} chunks are done` }
          : [],
      )
    : [];

/** Texts that are not repeated. */
export interface Said {
  /** Warnings that are printed elsewhere, without their ages. */
  readonly warnings: ReadonlySet<string>;
  /** The first table that failed with each error. */
  readonly failures: ToldFailures;
}

/** If one problem affects all tables, repeating it would fill several screens. */
function failureOnce(outcome: TableOutcome, failure: Failure, { failures }: Said, paint: Paint): Detail[] {
  const same = sameFailure({ ...failure, name: outcome.name }, labelOf(outcome), failures);
  return same === undefined
    ? failureDetails(failure, paint)
    : [{ ...failureLabel(failure), text: printableLine(same) }];
}

export function tableLines(outcome: TableOutcome, said: Said, columns: Columns, style: Style): string[] {
  const reasons = outcome.reasons.filter((reason) => !isNote(reason));
  const details = [
    ...(hasReason(outcome) ? [{ label: 'because', text: reasonText(worthSaying(reasons)) }] : []),
    ...outcome.reasons.filter(isNote).map((reason) => ({ label: 'note:', text: reasonText([reason]) })),
    ...changesText(outcome.objects ?? []).map(([word, text]) => ({ label: `${word}:`, text })),
    ...(outcome.error ? failureOnce(outcome, outcome.error, said, painter(style)) : []),
    ...chunksDone(outcome),
    ...outcome.warnings.filter((text) => !said.warnings.has(withoutAges(text))).map(warningDetail),
  ];
  return [
    ...headLines(outcome, columns, style),
    ...details.flatMap((detail) => detailLines(detail, INDENT, style)),
  ];
}
