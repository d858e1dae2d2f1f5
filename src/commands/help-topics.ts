/** Finds what `increp help WORD` means in the documentation: a page, an error, a row of a table, or sections. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../package-root.ts';
import { formatPage, formatRow, rowsOf, sectionsOf, topicOf, type PageRow } from '../report/page.ts';
import { painter, type Style } from '../report/style.ts';
import { shellWord } from '../shell-word.ts';

const PAGES = join(PACKAGE_ROOT, 'docs');

const INDEX = 'README';

interface DocumentationPage {
  readonly topic: string;
  readonly markdown: string;
}

const pageNames = (): readonly string[] =>
  readdirSync(PAGES).flatMap((file) => /^(.*)\.md$/.exec(file)?.[1] ?? []);

/** It repeats headings of other pages in short, so it is searched last. */
const readPages = (): readonly DocumentationPage[] =>
  [...pageNames().filter((name) => name !== INDEX), INDEX].map((name) => ({
    topic: topicOf(name),
    markdown: readFileSync(join(PAGES, `${name}.md`), 'utf8'),
  }));

export const topicNames = (): readonly string[] => pageNames().map(topicOf);

/** Everything that has help of its own: pages, errors, options, variables. */
export function helpNames(): readonly string[] {
  const pages = readPages();
  const names = pages.flatMap(({ markdown }) => [
    ...sectionsOf(markdown).map(({ heading }) => heading),
    ...rowsIn(markdown).map(({ cells }) => cells[0]?.[1].replaceAll('`', '') ?? ''),
  ]);
  return [...new Set([...topicNames(), ...names.filter((name) => /^[\w-]+$/.test(name))])];
}

/** Longer lines are hard to read, also if a pipe has no width. */
const WIDEST = 80;

/** The text about the words; undefined if there is none. The words of a name may be separate: "null keys". */
export function helpAbout(words: string, { width, ...rest }: Style): string | undefined {
  // A page is read, and the way to start the program is long in cron.
  const typedCommand = (verb: string) => `increp ${verb}`;
  const style = { ...rest, typedCommand, width: Math.min(width, WIDEST) };
  if (/^(?:topics?|pages?)$/i.test(words)) return helpAbout(topicOf(INDEX), style);
  const pages = readPages();
  for (const name of new Set([words, words.replaceAll(' ', '_'), words.replaceAll(' ', '-')])) {
    const text = helpAboutName(pages, name, style);
    if (text !== undefined) return text;
  }
  const shorter = withoutEnding(words);
  return foundIn(pages, words, style) ?? (shorter === words ? undefined : helpAbout(shorter, style));
}

/** `masking` as `mask`, for words that the pages have in a shorter form only. */
const withoutEnding = (words: string): string =>
  words.replaceAll(/(?<=\w{3})(?:([b-df-hj-np-rtvwxz])\1)?(?:ing|ed|ers?)\b/gi, '$1');

function helpAboutName(pages: readonly DocumentationPage[], word: string, style: Style): string | undefined {
  const page = pages.find(({ topic }) => topic === word.replace(/^(?:docs\/)?(.*)\.md$/, '$1'));
  if (page) return formatPage(page.markdown, style);
  const sections = pages.flatMap(({ markdown }) => sectionsOf(markdown));
  const section = sections.find(({ heading }) => heading === word);
  if (section) return formatPage(section.markdown, style);
  const all = pages
    .map(({ topic, markdown }) => ({
      topic,
      rows: rowsIn(markdown).filter((row) => isAbout(word)(row) && !namesPage(row)),
    }))
    .filter(({ rows }) => rows.length > 0);
  if (all.length === 0) return undefined;
  const reference = all.filter(({ topic }) => REFERENCE.has(topic));
  const text = (reference.length > 0 ? reference : all).flatMap(({ rows }) =>
    rows.flatMap((row) => formatRow(row, style)),
  );
  const isReference = reference.length > 0;
  // An option is explained. Only a row with its name in parentheses may be what was meant.
  const index = indexRows(pages, [word])
    .filter(({ cells: [first] }) => !isReference || first?.[1].includes(`(${word})`) === true)
    .flatMap((row) => formatRow(row, style));
  const context = isReference ? [] : all.map(({ topic }) => topic);
  const more = [...new Set([...context, ...topicsAbout(pages, word)])].filter(
    (topic) => !text.join(' ').includes(`increp help ${topic}"`),
  );
  const found = [...text, ...more.map((topic) => `    more: "increp help ${topic}"`)];
  if (index.length === 0) return inLines(found);
  return inLines(isReference ? [...found, '', ...index] : [...index, '', ...found]);
}

const hasAll = (text: string, words: readonly string[]): boolean =>
  words.every((word) => startOf(word).test(text));

/** The rows of the index that are about all words, or about the option. */
const indexRows = (pages: readonly DocumentationPage[], words: readonly string[]): readonly PageRow[] =>
  rowsIn(pages.find(({ topic }) => topic === topicOf(INDEX))?.markdown ?? '').filter(
    ({ cells: [first, second] }) =>
      hasAll(first?.[1] ?? '', words) || second?.[1].startsWith(`\`"${words.join('_')}"`) === true,
  );

/** A row that only leads to the section. */
const leadsTo =
  (heading: string) =>
  ({ cells }: PageRow): boolean =>
    cells.at(-1)?.[1].includes(
      `#${heading
        .toLowerCase()
        .replaceAll(/[^\w -]/g, '')
        .replaceAll(' ', '-')})`,
    ) === true;

/** Rows of other pages say something about a word in the context of their page. */
const REFERENCE = new Set(['configuration', 'findings', 'exit-codes']);

/** A row of a list of options and the pages about them. */
const namesPage = ({ cells: [, second] }: PageRow): boolean => second?.[0] === 'page';

/** The pages with a heading about an option, and those that the lists of options and variables name. */
function topicsAbout(pages: readonly DocumentationPage[], option: string): readonly string[] {
  if (!/^\w+$/.test(option)) return [];
  const isHeading = new RegExp(`^##+ .*\`"?${option}"?(?:\`|:)`, 'm');
  const headed = pages.filter(({ markdown }) => isHeading.test(markdown)).map(({ topic }) => topic);
  const listed = pages
    .flatMap(({ markdown }) => rowsIn(markdown))
    .filter((row) => namesPage(row) && row.cells[0]?.[1].includes(`\`${option}\``))
    .flatMap(({ cells: [, page] }) => /\(([^#]*)\.md[#)]/.exec(page?.[1] ?? '')?.[1] ?? []);
  return [...new Set([...headed, ...listed.map(topicOf)])];
}

const inLines = (lines: readonly string[]): string => `${lines.join('\n')}\n`;

const rowsIn = (markdown: string): PageRow[] =>
  (markdown.match(/^\|.*(?:\n\|.*)*/gm) ?? []).flatMap((table) => rowsOf(table));

/** The first cell is the word in backquotes, or an exit code. */
const isAbout =
  (word: string) =>
  ({ cells: [first] }: PageRow): boolean =>
    first?.[1] === `\`${word}\`` || (/^\d+$/.test(word) && first?.[1] === word);

const LEAST_LETTERS = 3;
const MOST_LISTED = 12;

const FILLERS = new Set(
  'a about an and can do does for from how i in is it my of on the to what when why with'.split(' '),
);

const stemOf = (word: string): string =>
  String.raw`(?<![\p{L}\p{N}])${word.replace(/s$/, '').replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)}`;

const startOf = (word: string): RegExp => new RegExp(stemOf(word), 'iu');

/** In the text of a section, the start of a word may be a misspelt one: "sinc" is in "since". */
const wholeWord = (word: string): RegExp => new RegExp(String.raw`${stemOf(word)}s?(?![\p{L}\p{N}])`, 'iu');

/** The pages and sections whose heading has all words, and the rows of the index. One section alone is printed. */
function foundIn(pages: readonly DocumentationPage[], asked: string, style: Style): string | undefined {
  const wanted = asked.split(/[\s_?]+/).filter((word) => word !== '' && !FILLERS.has(word.toLowerCase()));
  if (wanted.join('').length < LEAST_LETTERS) return undefined;
  const mentionsAll = (text: string) => wanted.every((word) => wholeWord(word).test(text));
  const isWanted = ({ heading }: { readonly heading: string }) => hasAll(heading, wanted);
  const titles = pages
    .map(({ topic, markdown }) => ({ heading: /^# (.*)$/m.exec(markdown)?.[1] ?? '', topic }))
    .filter(isWanted);
  const sections = pages.flatMap(({ markdown }) => sectionsOf(markdown)).filter(isWanted);
  const rows = indexRows(pages, wanted);
  const words = [...titles.map(({ topic }) => topic), ...new Set(sections.map(({ heading }) => heading))];
  const [only] = sections;
  if (only && words.length === 1) {
    const others = rows.filter((row) => !leadsTo(only.heading)(row)).flatMap((row) => formatRow(row, style));
    return `${formatPage(only.markdown, style)}${others.length > 0 ? inLines(['', ...others]) : ''}`;
  }
  const isHeading = words.length > 0 || rows.length > 0;
  if (!isHeading) {
    const texts = pages
      .flatMap(({ markdown }) => sectionsOf(markdown))
      .filter(({ markdown }) => mentionsAll(markdown))
      .toSorted((a, b) => a.markdown.length - b.markdown.length);
    words.push(...new Set(texts.map(({ heading }) => heading)));
  }
  if (words.length === 0 && rows.length === 0) return undefined;
  const bold = (text: string) => painter(style)('bold', text);
  return inLines([
    ...rows.flatMap((row) => formatRow(row, style)),
    ...(words.length > 0 && rows.length > 0 ? [''] : []),
    ...(words.length === 0
      ? []
      : [bold(isHeading ? `Help about "${asked}":` : `Sections that mention "${asked}":`)]),
    ...words.slice(0, MOST_LISTED).map((each) => `  increp help ${shellWord(each)}`),
  ]);
}
