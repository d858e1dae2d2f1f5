/** Finds what `increp help WORD` means in the documentation: a page, an error, a row of a table, or sections. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../package-root.ts';
import { formatPage, formatRow, rowsOf, sectionsOf, type PageRow } from '../report/page.ts';
import { painter, type Style } from '../report/style.ts';
import { shellWord } from '../shell-word.ts';

const PAGES = join(PACKAGE_ROOT, 'docs');

/** These pages have another name as a topic, because their own name is that of a command, or says nothing. */
const OTHER_NAMES: Readonly<Record<string, string>> = { check: 'findings', README: 'docs' };

const INDEX = 'README';

interface DocumentationPage {
  readonly topic: string;
  readonly markdown: string;
}

const pageNames = (): readonly string[] =>
  readdirSync(PAGES).flatMap((file) => /^(.*)\.md$/.exec(file)?.[1] ?? []);

const topicOf = (name: string): string => OTHER_NAMES[name] ?? name;

/** It repeats headings of other pages in short, so it is searched last. */
const readPages = (): readonly DocumentationPage[] =>
  [...pageNames().filter((name) => name !== INDEX), INDEX].map((name) => ({
    topic: topicOf(name),
    markdown: readFileSync(join(PAGES, `${name}.md`), 'utf8'),
  }));

export const topicNames = (): readonly string[] => pageNames().map(topicOf);

/** Longer lines are hard to read, also if a pipe has no width. */
const WIDEST = 80;

/** The text about the word; undefined if there is none. */
export function helpAbout(word: string, { width, ...rest }: Style): string | undefined {
  const style = { ...rest, width: Math.min(width, WIDEST) };
  const pages = readPages();
  const page = pages.find(({ topic }) => topic === word.replace(/^(?:docs\/)?(.*)\.md$/, '$1'));
  if (page) return formatPage(page.markdown, style);
  const sections = pages.flatMap(({ markdown }) => sectionsOf(markdown));
  const section = sections.find(({ heading }) => heading === word);
  if (section) return formatPage(section.markdown, style);
  const rows = pages.flatMap(({ markdown }) => rowsIn(markdown)).filter(isAbout(word));
  if (rows.length > 0) return inLines(rows.flatMap((row) => formatRow(row, style)));
  return foundIn(pages, word, style);
}

const inLines = (lines: readonly string[]): string => `${lines.join('\n')}\n`;

const rowsIn = (markdown: string): PageRow[] =>
  (markdown.match(/^\|.*(?:\n\|.*)*/gm) ?? []).flatMap((table) => rowsOf(table));

/** The first cell is the word in backquotes. */
const isAbout =
  (word: string) =>
  ({ cells }: PageRow): boolean =>
    cells[0]?.[1] === `\`${word}\``;

const LEAST_LETTERS = 3;
const MOST_LISTED = 12;

/** The pages and sections whose heading has the word, and the rows of the index. One section alone is printed. */
function foundIn(pages: readonly DocumentationPage[], word: string, style: Style): string | undefined {
  if (word.trim().length < LEAST_LETTERS) return undefined;
  const stem = word
    .trim()
    .replace(/s$/, '')
    .replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  const wanted = new RegExp(String.raw`(?<![\p{L}\p{N}])${stem}`, 'iu');
  const isWanted = ({ heading }: { readonly heading: string }) => wanted.test(heading);
  const titles = pages
    .map(({ topic, markdown }) => ({ heading: /^# (.*)$/m.exec(markdown)?.[1] ?? '', topic }))
    .filter(isWanted);
  const sections = pages.flatMap(({ markdown }) => sectionsOf(markdown)).filter(isWanted);
  const index = pages.find(({ topic }) => topic === topicOf(INDEX))?.markdown ?? '';
  const rows = rowsIn(index).filter(({ cells }) => wanted.test(cells[0]?.[1] ?? ''));
  const words = [...titles.map(({ topic }) => topic), ...new Set(sections.map(({ heading }) => heading))];
  const [only] = sections;
  if (only && words.length === 1) return formatPage(only.markdown, style);
  if (words.length === 0 && rows.length === 0) return undefined;
  const bold = (text: string) => painter(style)('bold', text);
  return inLines([
    ...(words.length === 0 ? [] : [bold(`Help about "${word}":`)]),
    ...words.slice(0, MOST_LISTED).map((each) => `  increp help ${shellWord(each)}`),
    ...(words.length > 0 && rows.length > 0 ? [''] : []),
    ...rows.flatMap((row) => formatRow(row, style)),
  ]);
}
