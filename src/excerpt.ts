/** Shows a place in a text that the user wrote, with a mark under it. */

export interface Excerpt {
  /** Both count from 1, in characters. */
  readonly line: number;
  readonly column: number;
  /** The line, with a mark under the place. */
  readonly excerpt: string;
}

/** `widest` is the number of characters that are shown, half of them before the place. */
export function excerptAt(text: string, offset: number, widest: number): Excerpt {
  const linesBefore = text.slice(0, offset).split('\n');
  const before = linesBefore.at(-1) ?? '';
  const after = text.slice(offset).split(/\r?\n/, 1)[0] ?? '';
  const line = linesBefore.length;
  const gutter = `${line} | `;
  const start = before.length > widest / 2 ? `…${before.slice(1 - widest / 2)}` : before;
  const excerpt = `${gutter}${start}${after.slice(0, widest / 2)}`;
  // Tabs are kept, so that the mark is under its place at any tab width.
  const mark = `${' '.repeat(gutter.length)}${start.replace(/[^\t]/g, ' ')}^`;
  return { line, column: before.length + 1, excerpt: `${excerpt}\n${mark}` };
}
