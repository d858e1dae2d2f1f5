/** What ended a command, as a person reads it. */
import { painter, type Style } from './style.ts';
import { printable, wrapLines } from './text.ts';

export interface Failed {
  readonly code: string;
  readonly message: string;
  readonly next: string;
  readonly sqlstate: string | undefined;
}

/** The one way to print them: by them, docs/errors.md and the server's manual tell more. */
export const codesText = (code: string, sqlstate: string | null | undefined): string =>
  sqlstate ? `${code}, SQLSTATE ${sqlstate}` : code;

/** The code, by which docs/errors.md tells more, stands behind the first line: of a list, too, that is the whole. */
export function formatError(error: Failed, style: Style): string {
  const [first = '', ...list] = printable(error.message).split('\n');
  const [, title = first, colon = ''] = /^(.*?)(:?)$/.exec(first) ?? [];
  const lines = [
    `${painter(style)('red', 'error:')} ${title} (${codesText(error.code, error.sqlstate)})${colon}`,
    ...list,
    `  next: ${printable(error.next)}`,
  ];
  return `${wrapLines(lines.join('\n'), style.width)}\n`;
}
