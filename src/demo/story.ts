/** What the demo prints: headings, and indented lines that fit into 80 columns wherever they can be broken. */
import { styleText } from 'node:util';
import { displayWidth, padEnd, printable } from '../observe/text.ts';

const WIDTH = 80;
const INDENT = '   ';
/** Before what increp itself has printed. */
const QUOTE = ' | ';

export interface Story {
  title(text: string): void;
  /** Numbered. */
  heading(text: string): void;
  tell(text: string): void;
  /** Aligned columns, one row a line. */
  table(rows: readonly (readonly string[])[]): void;
  command(text: string): void;
  /** What a command has printed. */
  quote(text: string): void;
  /** To be typed, so never broken. */
  typed(text: string): void;
  verdict(isGood: boolean, text: string): void;
}

interface Paper {
  readonly out: (text: string) => void;
  readonly color: boolean;
}

type Tint = 'bold' | 'cyan' | 'green' | 'red';

export function createStory({ out, color }: Paper): Story {
  const paint = (tint: Tint | readonly Tint[], text: string) =>
    // Whether there is colour was decided by the caller, not by what stdout happens to be.
    color ? styleText(typeof tint === 'string' ? tint : [...tint], text, { validateStream: false }) : text;
  const write = (lines: readonly string[]) => out(lines.map((line) => `${line}\n`).join(''));
  let number = 0;
  return {
    title: (text) => write([paint('bold', text)]),
    heading: (text) => write(['', paint('bold', `${(number += 1)}. ${text}`)]),
    tell: (text) => write(wrap(text, INDENT)),
    table: (rows) => write(aligned(rows).flatMap((line) => wrap(line, INDENT))),
    command: (text) => write([paint('cyan', ` $ ${text}`)]),
    quote: (text) =>
      write(
        printable(text)
          .trimEnd()
          .split('\n')
          .flatMap((line) => wrap(line, QUOTE)),
      ),
    typed: (text) => write([`${INDENT}  ${text}`]),
    verdict: (isGood, text) =>
      write(wrap(text, INDENT).map((line) => paint(['bold', isGood ? 'green' : 'red'], line))),
  };
}

/** Breaks at spaces. What is alone too long stays whole: a path or a name that is cut cannot be copied. */
function wrap(text: string, prefix: string): string[] {
  const [, indent = '', rest = ''] = /^( *)(.*)$/.exec(text.trimEnd()) ?? [];
  const room = WIDTH - displayWidth(prefix + indent);
  if (displayWidth(rest) <= room) return [`${prefix}${indent}${rest}`];
  const at = breakIn(rest, room);
  if (at === -1) return [`${prefix}${indent}${rest}`];
  const hanging = prefix === QUOTE || rest.startsWith('- ') ? `${indent}  ` : indent;
  return [
    `${prefix}${indent}${rest.slice(0, at).trimEnd()}`,
    ...wrap(`${hanging}${rest.slice(at).trimStart()}`, prefix),
  ];
}

/** Between two columns of a table if that leaves more than half of the line, else between two words. */
function breakIn(text: string, room: number): number {
  const fits = (at: number) => displayWidth(text.slice(0, at)) <= room;
  const between = (gaps: RegExp) => [...text.matchAll(gaps)].map(({ index }) => index);
  const columns = between(/ {2,}/g).filter((at) => fits(at) && at > room / 2);
  // A quantity and its unit stay together.
  const words = between(/ +(?!(?:s|[kMGTP]?B)\b)/g);
  return columns[0] ?? words.findLast(fits) ?? words[0] ?? -1;
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
