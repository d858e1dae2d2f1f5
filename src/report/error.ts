/** Formats the error that ended a command. */
import type { ErrorCode, IncrepError } from '../errors.ts';
import type { Failure } from '../events.ts';
import { painter, type Style } from './style.ts';
import { printable, wrapLines, wrapped } from './text.ts';

export interface PrintedError {
  readonly code: string;
  readonly message: string;
  readonly next: string;
  readonly sqlstate: string | undefined;
}

/** The codes of an error. docs/errors.md and the manual of the server explain them. */
export const codesText = (code: string, sqlstate: string | null | undefined): string =>
  sqlstate ? `${code}, SQLSTATE ${sqlstate}` : code;

/** The fields of a log line about an error. */
export const failureFields = ({ code, sqlstate, hint }: Pick<Failure, 'code' | 'sqlstate' | 'hint'>) => ({
  code,
  ...(sqlstate ? { sqlstate } : {}),
  hint,
});

/** The code is at the end of the first line, also if the message continues with a list. */
export function formatError(error: PrintedError, style: Style): string {
  const [first = '', ...list] = printable(error.message).split('\n');
  const [, title = first, colon = ''] = /^(.*?)(:?)$/.exec(first) ?? [];
  const lines = [
    `${painter(style)('red', 'error:')} ${title} (${codesText(error.code, error.sqlstate)})${colon}`,
    ...list,
  ];
  return `${wrapLines(lines.join('\n'), style)}\n${nextStep(error.next, style)}\n`;
}

const NEXT = '  next: ';

/** The step below an error or a warning. Its further lines are aligned. */
export const nextStep = (next: string, style: Style): string =>
  wrapped(NEXT, printable(next).replaceAll(/\n */g, '\n'), NEXT.length, style).join('\n');

const NO_CONNECTION: readonly ErrorCode[] = [
  'CONNECTION_FAILED',
  'CONNECTION_LOST',
  'SSH_FAILED',
  'TLS_FAILED',
];

/** An error that the server answered shows that the server was reached. */
export const cannotBeReached = (
  side: 'source' | 'destination',
  { code, sqlstate }: IncrepError,
  destination?: string,
): string =>
  `${destination === undefined ? `the ${side}` : `destination ${destination}`} cannot be ${NO_CONNECTION.includes(code) && sqlstate === undefined ? 'reached' : 'read'}`;
