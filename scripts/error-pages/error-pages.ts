/** The pages of docs/errors.md. A code without a page does not compile. */
import { ERROR_CLASSES, type ErrorCode } from '../../src/errors.ts';
import type { ErrorPage } from './error-page.ts';
import { runs } from './runs.ts';
import { servers } from './servers.ts';
import { settings } from './settings.ts';
import { tables } from './tables.ts';

export const ERROR_PAGES: Readonly<Record<ErrorCode, ErrorPage>> = {
  ...settings,
  ...servers,
  ...tables,
  ...runs,
};

const list = (items: readonly string[], mark: string): string =>
  items.map((item) => `${mark} ${item.replaceAll('\n', `\n${' '.repeat(mark.length + 1)}`)}`).join('\n');

function page([code, { about, causes, steps, example }]: [string, ErrorPage]): string {
  const { exitCode, isTransient, meaning } = ERROR_CLASSES[code as ErrorCode];
  const retry = isTransient ? '`sync` reports it after four attempts.' : 'increp does not retry.';
  return [
    `## ${code}`,
    `${meaning} ${about}`,
    '```text\n' + example.join('\n') + '\n```',
    `Exit code ${exitCode}. ${retry}`,
    '**Causes**',
    list(causes, '-'),
    '**Fix**',
    list(steps, '-'),
  ].join('\n\n');
}

/** The order is that of the catalogue: settings come first, bugs come last. */
export function errorPages(): string {
  const codes = Object.keys(ERROR_CLASSES) as ErrorCode[];
  return codes.map((code) => page([code, ERROR_PAGES[code]])).join('\n\n');
}

/** GitHub makes the same anchors from headings. */
export const linkTo = (code: string): string => `[\`${code}\`](errors.md#${code.toLowerCase()})`;
