/** Text on a terminal: its width, and the removal of characters that must not reach the terminal. */
import { stripVTControlCharacters } from 'node:util';
import { COMMAND_GROUPS } from '../command-groups.ts';
import type { Style } from './style.ts';

/** Made when a text needs it, because that takes milliseconds. */
let segmenter: Intl.Segmenter | undefined;

const graphemesOf = (text: string): Intl.Segments => {
  segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' });
  return segmenter.segment(text);
};

/**
 * Characters that terminals draw over two cells. This is close enough to East Asian Width of Unicode for table names.
 */
const WIDE =
  /^(?:\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|\p{Emoji_Presentation}|[\u3000-\u303f\uff01-\uff60\uffe0-\uffe6])/u;
const WIDTHLESS = /^(?:\p{Mark}|\p{Cf})+$/u;

function cellsOf(grapheme: string): number {
  if (WIDTHLESS.test(grapheme)) return 0;
  return WIDE.test(grapheme) ? 2 : 1;
}

/** Characters of one cell: ASCII, and the signs of increp's own texts. */
const PLAIN = /^[ -~✓✗…·█]*$/u;

/** The number of cells that the text needs. The colors of increp need none. */
export function displayWidth(text: string): number {
  if (PLAIN.test(text)) return text.length;
  if (text.includes('\u001b')) return displayWidth(stripVTControlCharacters(text));
  let width = 0;
  for (const { segment } of graphemesOf(text)) width += cellsOf(segment);
  return width;
}

/** The text in at most that many cells, with an ellipsis if something was cut off. */
export function truncate(text: string, width: number, ellipsis: string): string {
  if (displayWidth(text) <= width) return text;
  let kept = '';
  let cells = ellipsis.length;
  for (const { segment } of graphemesOf(text)) {
    cells += cellsOf(segment);
    if (cells > width) break;
    kept += segment;
  }
  return width < ellipsis.length ? '' : `${kept}${ellipsis}`;
}

const VERBS = Object.values(COMMAND_GROUPS).flat().join('|');

/** The start of a command of increp, as `program` and `typedCommand` write it. A path with a space is in quotes. */
const STARTED = String.raw`(?:npx |'[^'\n]+' |[^\s:"]*\/[^\s"]* )?(?:'[^'\n]*\/increp(?:\.js)?'|(?:\S*\/)?increp(?:\.js)?)(?= (?:-|(?:${VERBS})\b))`;

/** The start of another command that texts name, such as `sudo chown`. */
const OTHER = String.raw`(?:sudo(?= -u )|(?:sudo )?(?:\S*\/)?(?:pg_dump|pg_isready|psql|grep|chown|chmod|install|ssh))`;

/**
 * Not split across lines: a command of the shell, after a prompt or up to the end of the text, because its second line would be another
 * command; a command or a name in quotes, which the user may copy, a value of SQL in its quotes, a number with its unit,
 * a time, and a short text in parentheses.
 */
const WORD = new RegExp(
  String.raw`\s*(?:(?<=^ *)\$ [^\n]+|(?<=: )(?:${STARTED}|${OTHER}) [^\n]*|"${STARTED} [^"\n]*"|"[^"\n]{1,200}"|(?<![^\s(=,])'(?:[^'\n]|''){1,200}'|\[[^\]\n]{1,80}\]|\d{4}-\d\d-\d\d (?=\d)|(?<![^\s(])[\d.,]+ (?=[a-zA-Z])|\S)+`,
  'g',
);

/** The first word of a statement, after a colon. */
const STATEMENT = /^(?:ALTER|CREATE|DELETE|DROP|GRANT|INSERT|REVOKE|SELECT|UPDATE)$/;

/** A line of a statement begins with one of these if possible, or after a comma. */
const CLAUSE =
  /^(?:ADD|ALTER|AND|CREATE|DROP|FOR|FROM|GRANT|GROUP|HAVING|IN|ON|OR|ORDER|REVOKE|SELECT|SET|TO|USING|VALUES|WHERE|WITH)$/;

/** The output that a text is wrapped for. */
type Wrapped = Pick<Style, 'width' | 'typedCommand'>;

/**
 * A command for a pipeline. Texts contain it without a directory, because another process may print them. Other commands are
 * names too ("increp serve has ended"), and only begin a command after a quote or a colon.
 */
const COMMAND =
  /\bincrep ((?:check|config|deletes-sql|help|history|init|plan|reset|sequences|status|sync|verify)\b|--help\b|(?<=(?:"|: )increp )(?:completion|demo|serve|token|work)\b)/g;

/** Before a command on a line of its own. No printable text contains it. */
const MARK = '\0';

/** A command in double quotes. A word in single quotes may contain them. */
const QUOTED = String.raw`"(?<command>${STARTED} (?:\\.|'[^'\n]*'|[^"'\n\\])+)"`;

/** Where the sentence of a command ends. */
const END = String.raw`(?:[.;](?= |$)|$) *(?:(?<end>$)|)`;

/** The words before a command, and the words that are printed instead. */
const COMMAND_PLACES: readonly (readonly [place: RegExp, before: string])[] = [
  [new RegExp(String.raw`(?:, run|(?<!next):|(?<=\b(?:[Rr]un|[Ss]ee|with))) ${QUOTED}${END}`, 'gm'), ':'],
  [new RegExp(String.raw` \((?:see )?${QUOTED}\)${END}`, 'gm'), '. More:'],
  [
    new RegExp(
      String.raw`(?<!next): (?<command>(?:${STARTED}|${OTHER}(?= -| \d+ )|(?:sudo )?chown) [^\n]+)(?<end>$)`,
      'gm',
    ),
    ':',
  ],
];

/** A command that ends its sentence gets a line of its own, without quotes, so that the user can copy the line. */
const withCommandLines = (text: string): string =>
  COMMAND_PLACES.reduce(
    (rest, [place, before]) =>
      rest.replaceAll(place, (...found) => {
        const { command, end } = found.at(-1) as Record<string, string | undefined>;
        return `${before}\n${MARK}${command}${end === undefined ? '\n' : ''}`;
      }),
    text,
  );

/** At the left if the command has no room below its sentence. */
function commandLine(command: string, width: number, hanging: string): string {
  const line = `${hanging}  ${command}`;
  return displayWidth(line) <= width || hanging.length <= LEAST_INDENT
    ? line
    : `${' '.repeat(LEAST_INDENT)}  ${command}`;
}

/** Commands of increp as the user can type them. */
export const withTypedCommands = (text: string, typedCommand: Style['typedCommand']): string =>
  typedCommand ? text.replaceAll(COMMAND, (_, verb: string) => typedCommand(verb)) : text;

/**
 * Wraps text into lines of at most that many cells. Continuation lines begin with `hanging`. A longer word stays
 * whole, because a path or a name that is cut cannot be copied. Commands of increp are written as the user can type
 * them, on lines of their own. Without `typedCommand`, commands are words like others.
 */
export const wrap = (text: string, { width, typedCommand }: Wrapped, hanging = ''): string[] =>
  (typedCommand ? withCommandLines(withTypedCommands(text, typedCommand)) : text)
    .split('\n')
    .flatMap((line, index) =>
      line.startsWith(MARK)
        ? [commandLine(line.slice(MARK.length), width, hanging)]
        : wrapLine(index === 0 ? line : `${hanging}${line}`, width, hanging),
    )
    .map((line) => line.trimEnd());

/** The same, but commands stay in their sentences or at the end of their lines. */
export const wrapInline = (text: string, { width, typedCommand }: Wrapped, hanging = ''): string[] =>
  wrap(withTypedCommands(text, typedCommand), { width }, hanging);

/** The same for several lines. Continuation lines are indented below the beginning of their own line. */
export const wrapLines = (text: string, page: Wrapped): string =>
  text
    .split('\n')
    .flatMap((line) => wrap(line, page, `${/^ */.exec(line)?.[0] ?? ''}  `))
    .join('\n');

/** The minimum number of cells beside a hanging indent. */
const LEAST_ROOM = 30;
/** The indent of lines that need more room. */
const LEAST_INDENT = 4;

/** `head` and `text`. Continuation lines are indented by that many cells, or less if there is no room. */
export const wrapped = (head: string, text: string, indent: number, page: Wrapped): string[] =>
  wrap(
    `${head}${text}`,
    page,
    ' '.repeat(page.width - indent < LEAST_ROOM ? Math.min(LEAST_INDENT, indent) : indent),
  );

function wrapLine(line: string, width: number, hanging: string): string[] {
  if (displayWidth(line) <= width) return [line];
  const lines: string[] = [];
  let current: string[] = [];
  let isSql = false;
  for (const word of wordsOf(line, width)) {
    isSql ||= (current.at(-1)?.endsWith(':') ?? false) && STATEMENT.test(word.trim());
    if (current.join('').trim() !== '' && displayWidth(current.join('') + word) > width) {
      const end = isSql && !CLAUSE.test(word.trim()) ? lastClause(current, width) : current.length;
      const next = (from: number) => `${hanging}${[...current.slice(from), word].join('').trimStart()}`;
      const place = displayWidth(next(end)) > width ? current.length : end;
      lines.push(current.slice(0, place).join(''));
      current = [next(place)];
    } else current.push(word);
  }
  return [...lines, current.join('')];
}

/** Where the last clause of a statement begins, unless most of the line would stay empty. */
function lastClause(words: readonly string[], width: number): number {
  const place = words.findLastIndex(
    (word, index) => CLAUSE.test(word.trim()) || (words[index - 1]?.endsWith(',') ?? false),
  );
  return place > 0 && displayWidth(words.slice(0, place).join('')) > width / 2 ? place : words.length;
}

const wordsOf = (line: string, width: number): readonly string[] =>
  (line.match(WORD) ?? []).flatMap((word) =>
    word.includes('[') && displayWidth(word.trimStart()) > width ? (word.match(/\s*\S+/g) ?? []) : [word],
  );

/** Statements after a colon, on lines of their own. The text can continue after them. */
export const statementLines = (statements: readonly string[]): string =>
  `\n${statements.map((statement) => `  ${statement};`).join('\n')}`;

export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)));
}

export function padStart(text: string, width: number): string {
  return ' '.repeat(Math.max(0, width - displayWidth(text))) + text;
}

/** Control characters, and characters that reverse the writing direction. Tab and newline are allowed. */
const UNPRINTABLE = /[^\P{Cc}\t\n]|[\p{Bidi_Control}\p{Zl}\p{Zp}]/gu;

/** Names and server messages come from outside. An escape sequence in them must not control the terminal. */
export function printable(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(UNPRINTABLE, '\ufffd');
}

/** The same on one line. */
export function printableLine(text: string): string {
  return printable(text)
    .replace(/\s*\n\s*/g, ' ')
    .replaceAll('\t', ' ')
    .trim();
}
