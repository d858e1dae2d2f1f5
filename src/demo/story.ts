/** Prints the demo: headings, and indented lines that are wrapped to their width. */
import { painter, type Style } from '../report/style.ts';
import { displayWidth, padEnd, printable } from '../report/text.ts';

/** Cells. Longer lines of text are not easier to read. */
const WIDEST = 80;
const INDENT = '   ';
/** The prefix of the output of increp. */
const QUOTE = ' | ';

export interface Story {
  title(text: string): void;
  /** Numbered. */
  heading(text: string): void;
  print(text: string): void;
  /** Aligned columns, one row per line. */
  table(rows: readonly (readonly string[])[]): void;
  command(text: string): void;
  /** The output of a command. */
  quote(text: string): void;
  /** A command to type, so it is never wrapped. */
  typed(text: string): void;
  /** The same for a command of increp: as the user types it. */
  typedIncrep(verb: string, rest?: string): void;
  /** The command as the user types it. */
  increpCommand(verb: string): string;
  verdict(isGood: boolean, text: string): void;
}

interface Paper {
  readonly out: (text: string) => void;
  readonly style: Style;
}

export function createStory({ out, style }: Paper): Story {
  const paint = painter(style);
  const broken = (text: string, prefix: string) => wrap(text, prefix, Math.min(WIDEST, style.width));
  const write = (lines: readonly string[]) => out(lines.map((line) => `${line}\n`).join(''));
  const increpCommand = style.typedCommand ?? ((verb: string) => `increp ${verb}`);
  let number = 0;
  return {
    title: (text) => write([paint('bold', text)]),
    heading: (text) => write(['', paint('bold', `${(number += 1)}. ${text}`)]),
    print: (text) => write(broken(text, INDENT)),
    table: (rows) => write(aligned(rows).flatMap((line) => broken(line, INDENT))),
    command: (text) => write([paint('cyan', ` $ ${text}`)]),
    quote: (text) =>
      write(
        printable(text)
          .trimEnd()
          .split('\n')
          .flatMap((line) => broken(line, QUOTE)),
      ),
    typed: (text) => write([`${INDENT}  ${text}`]),
    typedIncrep: (verb, rest = '') => write([`${INDENT}  ${increpCommand(verb)}${rest}`]),
    increpCommand,
    verdict: (isGood, text) =>
      write(broken(text, INDENT).map((line) => paint(['bold', isGood ? 'green' : 'red'], line))),
  };
}

/**
 * Wraps at spaces. A longer word stays whole, because a path or a name that is cut cannot be copied. All continuation
 * lines have the same indent.
 */
function wrap(text: string, prefix: string, width: number, isContinued = false): string[] {
  const [, indent = '', rest = ''] = /^( *)(.*)$/.exec(text.trimEnd()) ?? [];
  const room = width - displayWidth(prefix + indent);
  if (displayWidth(rest) <= room) return [`${prefix}${indent}${rest}`];
  const at = breakIn(rest, room);
  if (at === -1) return [`${prefix}${indent}${rest}`];
  const hangs = !isContinued && (prefix === QUOTE || rest.startsWith('- '));
  const hanging = hangs ? `${indent}  ` : indent;
  return [
    `${prefix}${indent}${rest.slice(0, at).trimEnd()}`,
    ...wrap(`${hanging}${rest.slice(at).trimStart()}`, prefix, width, true),
  ];
}

/** Between two columns of a table if more than half of the line remains, otherwise between two words. */
function breakIn(text: string, room: number): number {
  const fits = (at: number) => displayWidth(text.slice(0, at)) <= room;
  const between = (gaps: RegExp) => [...text.matchAll(gaps)].map(({ index }) => index);
  const columns = between(/ {2,}/g).filter((at) => fits(at) && at > room / 2);
  // A quantity and its unit stay together.
  const words = between(/ +(?!(?:s|[kMGTP]?B)\b)/g);
  return columns.at(-1) ?? words.findLast(fits) ?? words[0] ?? -1;
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, index) =>
    Math.max(...rows.map((row) => displayWidth(row[index] ?? ''))),
  );
  return rows.map((row) =>
    row
      .map((cell, index) => padEnd(cell, widths[index] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
