/** Formats a page of the documentation, which is Markdown, for a terminal. */
import { painter, type Style } from './style.ts';
import { wrapInline } from './text.ts';

const INDENT = '    ';

/** These pages have another name as a topic, because their own name is that of a command, or says nothing. */
const OTHER_NAMES: Readonly<Record<string, string>> = { check: 'findings', README: 'docs' };

/** What `increp help` calls a page. */
export const topicOf = (page: string): string => OTHER_NAMES[page] ?? page;

/** Tables are printed row by row, because a terminal is narrower than a page. */
export function formatPage(markdown: string, style: Style): string {
  const blocks = blocksOf(markdown.replaceAll(/<!--.*?-->\n?/gs, ''));
  return `${blocks.map((block) => formatBlock(block, style).join('\n')).join('\n\n')}\n`;
}

/** Blocks are separated by empty lines. A block of code may contain empty lines. */
function blocksOf(markdown: string): readonly string[] {
  const parts = markdown.split(/^( *```.*?^ *```)$/gms);
  return parts
    .flatMap((part) => (part.trimStart().startsWith('```') ? [part] : part.split(/\n\s*\n/)))
    .map((part) => part.replaceAll(/^\n+|\s+$/g, ''))
    .filter((part) => part !== '' && !part.startsWith('!['));
}

export interface PageSection {
  readonly heading: string;
  /** With the heading, and with the smaller headings below it. */
  readonly markdown: string;
}

/** The sections of the second and third level. A block of code has no headings. */
export function sectionsOf(markdown: string): readonly PageSection[] {
  const sections: { heading: string; level: number; lines: string[] }[] = [];
  let isCode = false;
  const open: typeof sections = [];
  for (const line of markdown.split('\n')) {
    if (line.trimStart().startsWith('```')) isCode = !isCode;
    const [, marks, heading = ''] = isCode ? [] : (/^(#+) (.*)$/.exec(line) ?? []);
    if (marks !== undefined) {
      while ((open.at(-1)?.level ?? 0) >= marks.length) open.pop();
      if (marks.length === 2 || marks.length === 3) {
        const section = { heading: plain(heading), level: marks.length, lines: [] };
        sections.push(section);
        open.push(section);
      }
    }
    for (const { lines } of open) lines.push(line);
  }
  return sections.map(({ heading, lines }) => ({ heading, markdown: lines.join('\n') }));
}

function formatBlock(block: string, style: Style): string[] {
  const [, margin] = /^( *)```/.exec(block) ?? [];
  if (margin !== undefined)
    return block
      .split('\n')
      .slice(1, -1)
      .map((line) => `${INDENT}${line.slice(margin.length)}`.trimEnd());
  if (block.startsWith('#')) return [painter(style)('bold', plain(block.replace(/^#+ /, '')))];
  if (block.startsWith('|')) return rowsOf(block).flatMap((row) => formatRow(row, style));
  return itemsOf(block).flatMap((item) => {
    const [, indent = '', mark = ''] = /^( *)(- |\d+\. )?/.exec(item) ?? [];
    return wrapInline(plain(item), style, ' '.repeat(indent.length + mark.length));
  });
}

/** The lines of a paragraph are joined, and so are the lines of an item of a list. */
const itemsOf = (block: string): string[] => block.split(/\n(?= *(?:- |\d+\. ))/).map(joined);

const joined = (item: string): string => {
  const [, indent = '', rest = ''] = /^( *)(.*)$/s.exec(item) ?? [];
  return `${indent}${rest.replaceAll(/\s*\n\s*/g, ' ')}`;
};

export interface PageRow {
  /** The title and the text of each cell. */
  readonly cells: readonly (readonly [title: string, text: string])[];
}

/** The rows of a Markdown table. */
export function rowsOf(table: string): readonly PageRow[] {
  const [titles = [], , ...rows] = table.split('\n').map(cellsOf);
  return rows.map((row) => ({ cells: row.map((text, index) => [titles[index] ?? '', text]) }));
}

const cellsOf = (line: string): string[] =>
  line
    .replaceAll(/^\||\|\s*$/g, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll(String.raw`\|`, '|'));

/** The first cell, and the others below it. */
export function formatRow({ cells }: PageRow, style: Style): string[] {
  const [[, first] = ['', ''], ...others] = cells;
  return [
    painter(style)('bold', plain(first)),
    ...others.flatMap(([title, text]) =>
      text === '' ? [] : wrapInline(`${INDENT}${plain(title)}: ${plain(text)}`, style, `${INDENT}  `),
    ),
  ];
}

/** Without the marks of Markdown. A link to another page names the command that prints it. */
const plain = (text: string): string =>
  text
    .replaceAll(/\[([^\]]*)\]\(([\w-]+)\.md(?:#[\w-]*)?\)/g, (_, words: string, page: string) => {
      const topic = topicOf(page);
      return words === topic ? `"increp help ${topic}"` : `${words} ("increp help ${topic}")`;
    })
    .replaceAll(/\[([^\]]*)\]\(#[\w-]*\)/g, '$1')
    .replaceAll(/\[([^\]]*)\]\(([^)]*)\)/g, '$1 ($2)')
    .replaceAll(/\*\*([^*]*)\*\*/g, '$1')
    .replaceAll(/`([^`]*)`/g, '$1');
