import { formatCount } from '../format.ts';
import { painter, type Look, type Style } from './look.ts';
import { displayWidth, padEnd, printable } from './text.ts';

interface Status {
  readonly name: string;
  readonly condition: string;
  readonly failures: number;
  readonly cursor: string | null;
  readonly completeUpTo: string | null;
  readonly lastSuccessAt: Date | undefined;
  readonly lastRun:
    | {
        readonly action: string;
        readonly rows_read: number;
        readonly error_message: string | null;
        readonly error_hint: string | null;
        readonly sqlstate: string | null;
      }
    | undefined;
}

const STYLES: Record<string, Style> = {
  ok: 'green',
  stale: 'yellow',
  failing: 'red',
  running: 'cyan',
};

export function formatStatus(tables: readonly Status[], look: Look, now: Date): string {
  const colored = painter(look);
  const rows = tables.map((table) => [
    conditionText(table),
    printable(table.name),
    ageText(table, now),
    cursorText(table),
  ]);
  const header = ['STATE', 'TABLE', 'LAST SUCCESS', 'CURSOR'];
  const widths = header.map((title, column) =>
    Math.max(displayWidth(title), ...rows.map((row) => displayWidth(row[column] ?? ''))),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => padEnd(cell, widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  const paint = (text: string, { condition }: Status) => {
    const style = STYLES[condition];
    return style ? colored(style, text) : text;
  };
  const body = rows.flatMap((row, index) => {
    const table = tables[index];
    return table ? [paint(line(row), table), ...failureLines(table)] : [];
  });
  return `${[line(header), ...body].join('\n')}\n`;
}

const conditionText = ({ condition, failures }: Status): string =>
  condition === 'failing' ? `failing(${failures})` : condition;

function ageText({ lastSuccessAt }: Status, now: Date): string {
  if (!lastSuccessAt) return 'never';
  const seconds = Math.max(0, Math.round((now.getTime() - lastSuccessAt.getTime()) / 1000));
  if (seconds < 120) return `${seconds} s ago`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min ago`;
  return seconds < 172_800
    ? `${Math.round(seconds / 3600)} h ago`
    : `${formatCount(Math.round(seconds / 86_400))} days ago`;
}

function cursorText({ cursor, completeUpTo }: Status): string {
  if (cursor === null) return '-';
  return completeUpTo === cursor
    ? cursor
    : `${cursor} (open transactions may still bring rows from ${completeUpTo ?? 'the start'} on)`;
}

function failureLines({ condition, lastRun }: Status): string[] {
  if (condition !== 'failing' || !lastRun?.error_message) return [];
  const sqlstate = lastRun.sqlstate === null ? '' : ` (SQLSTATE ${lastRun.sqlstate})`;
  return [
    `    error: ${printable(lastRun.error_message)}${sqlstate}`,
    `    next: ${printable(lastRun.error_hint ?? '')}`,
  ];
}
