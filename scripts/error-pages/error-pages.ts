/** docs/errors.md: every code has its page, or this does not compile. */
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
  const again = isTransient ? 'tried again' : 'not tried again';
  return [
    `## ${code}`,
    `Exit code ${exitCode}, ${again}. ${meaning} ${about}`,
    '```text\n' + example.join('\n') + '\n```',
    '**Likely causes**',
    list(causes, '-'),
    '**What to do**',
    list(steps, '-'),
  ].join('\n\n');
}

/** In the order of the catalogue, which is that of a run: settings first, bugs last. */
export function errorPages(): string {
  const codes = Object.keys(ERROR_CLASSES) as ErrorCode[];
  return codes.map((code) => page([code, ERROR_PAGES[code]])).join('\n\n');
}

/** As GitHub makes anchors of headings. */
export const linkTo = (code: string): string => `[\`${code}\`](errors.md#${code.toLowerCase()})`;
