/** Lines that fit: broken between words, what follows indented a little further than the line began. */
import { displayWidth } from './text.ts';

const HANG = '  ';

/** A word that is longer than the width stays whole: it may be something to copy. */
export const wrap = (text: string, width: number): string =>
  text
    .split('\n')
    .flatMap((line) => (displayWidth(line) <= width ? [line] : wrapLine(line, width)))
    .join('\n');

function wrapLine(line: string, width: number): string[] {
  const indent = /^ */.exec(line)?.[0] ?? '';
  const lines: string[] = [];
  let current = indent;
  for (const word of line.trim().split(/(?<! ) (?! )/)) {
    const isFirst = current.trim() === '';
    if (!isFirst && displayWidth(current) + 1 + displayWidth(word) > width) {
      lines.push(current);
      current = `${indent}${HANG}${word}`;
    } else current += isFirst ? word : ` ${word}`;
  }
  return [...lines, current];
}
