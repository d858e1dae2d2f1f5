import { formatCount, formatSeconds } from '../format.ts';
import { formatError, type PrintedError } from './error.ts';
import { glyphsOf, type Style } from './style.ts';
import { displayWidth, padEnd, printable, wrap } from './text.ts';

interface Counts {
  readonly name: string;
  readonly sourceRows: number;
  readonly destinationRows: number;
  readonly missing: number;
  readonly extra: number;
  readonly changed: number;
  readonly duplicated: number;
  readonly newer: number;
  readonly kept: number;
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
  | { readonly verified: Counts; readonly repaired: PrintedRepair | undefined }
  | { readonly name: string; readonly error: PrintedError };

/** Cells. A longer name moves the text after it. */
const WIDEST_NAME = 30;

const MEANING = {
  missing: 'missing at the destination',
  extra: 'only at the destination (deleted at the source, or inserted there)',
  changed: 'with different content',
  duplicated: 'with a unique key that occurs more than once',
} as const;

/**
 * One line per table. A table with differences has one more line for each kind of difference, with the first keys.
 * `names` are those of all tables, so that the lines are aligned.
 */
export function formatVerification(
  verdict: PrintedVerification,
  names: readonly string[],
  style: Style,
): string {
  const width = Math.min(WIDEST_NAME, Math.max(0, ...names.map((name) => displayWidth(printable(name)))));
  const label = (name: string) => padEnd(printable(name), width);
  if ('error' in verdict) {
    return `x ${label(verdict.name)}  could not be compared\n${formatError(verdict.error, { ...style, width: style.width - 4 }).replaceAll(/^(?=.)/gm, '    ')}`;
  }
  const counts = verdict.verified;
  const seconds = formatSeconds(counts.durationSeconds);
  const differences = (['missing', 'extra', 'changed', 'duplicated'] as const).filter(
    (kind) => counts[kind] > 0,
  );
  const rows = `${formatCount(counts.sourceRows)} rows at the source, ${formatCount(counts.destinationRows)} at the destination`;
  const notes = counts.notes
    .map((note) => `${wrap(`    note: ${note}`, style, ' '.repeat(10)).join('\n')}\n`)
    .join('');
  const repair = `${notes}${repairLine(verdict.repaired)}`;
  const apart = keptLine(counts);
  if (differences.length === 0)
    return `= ${label(counts.name)}  equal: ${rows} (${seconds})\n${apart}${repair}`;
  const lines = differences.map((kind) => {
    const more = counts[kind] > counts.keys[kind].length ? `, ${glyphsOf(style).ellipsis}` : '';
    return `    ${formatCount(counts[kind])} ${MEANING[kind]}: ${counts.keys[kind].map(printable).join(', ')}${more}`;
  });
  return `! ${label(counts.name)}  DIFFERENT: ${rows} (${seconds})\n${lines.join('\n')}\n${apart}${repair}`;
}

/** Rows that may differ by the settings of the table, and are not counted as differences. */
function keptLine({ newer, kept }: Counts): string {
  const parts = [
    ...(newer > 0 ? [`${formatCount(newer)} newer at the destination`] : []),
    ...(kept > 0 ? [`${formatCount(kept)} only at the destination`] : []),
  ];
  return parts.length === 0 ? '' : `    not counted as differences: ${parts.join(', ')}\n`;
}

const repairLine = (repaired: PrintedRepair | undefined): string =>
  repaired
    ? `    repaired: ${formatCount(repaired.inserted)} inserted, ${formatCount(repaired.updated)} updated, ${formatCount(repaired.removed)} removed\n`
    : '';
