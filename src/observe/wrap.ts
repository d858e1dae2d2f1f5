/** Long lines on a narrow terminal. */
import { displayWidth } from './text.ts';

/** Stays whole: a name in quotes, which somebody may type or paste next, a number with its unit, a point in time. */
const WORD = /(?:"[^"\n]{1,80}"|\d{4}-\d\d-\d\d (?=\d)|(?<!\S)[\d.,]+ (?=[a-zA-Z])|\S)+/g;

/** Room that a hanging indent leaves at least; below that the text starts further to the left. */
const LEAST_ROOM = 30;

/**
 * `head`, then `text` broken between words into lines of at most `width` cells, those that follow indented by `indent`.
 * A word that is longer than a line is left whole.
 */
export function wrapped(head: string, text: string, indent: number, width: number): string[] {
  const whole = `${head}${text}`.trimEnd();
  if (displayWidth(whole) <= width && !whole.includes('\n')) return [whole];
  const margin = ' '.repeat(width - indent < LEAST_ROOM ? Math.min(4, indent) : indent);
  const lines: string[] = [];
  let line = head;
  let isStart = true;
  for (const part of text.split('\n')) {
    for (const [word] of part.matchAll(WORD)) {
      const longer = isStart ? `${line}${word}` : `${line} ${word}`;
      if (displayWidth(longer) <= width || isStart) line = longer;
      else {
        lines.push(line.trimEnd());
        line = `${margin}${word}`;
      }
      isStart = false;
    }
    lines.push(line.trimEnd());
    line = margin;
    isStart = true;
  }
  return lines;
}
