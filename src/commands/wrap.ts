import { displayWidth } from '../observe/text.ts';

/** What stands in quotes or brackets is read as one: `"increp plan"`, `[default: 5s]`. */
const CHUNK = /\s*(?:"[^"]*"|\[[^\]]*\]|\S)+/g;

/** The text in lines of at most that many cells; line breaks that it has are kept. */
export const wrap = (text: string, width: number): string =>
  text
    .split('\n')
    .flatMap((line) => wrapLine(line, width))
    .join('\n');

function wrapLine(line: string, width: number): readonly string[] {
  const lines: string[] = [];
  let current = '';
  for (const chunk of chunksOf(line, width)) {
    if (current === '' || displayWidth(current + chunk) <= width) current += chunk;
    else {
      lines.push(current);
      current = chunk.trimStart();
    }
  }
  return [...lines, current];
}

const chunksOf = (line: string, width: number): readonly string[] =>
  (line.match(CHUNK) ?? []).flatMap((chunk) =>
    displayWidth(chunk.trimStart()) <= width ? [chunk] : (chunk.match(/\s*\S+/g) ?? []),
  );
