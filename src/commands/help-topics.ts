/** Finds what `increp help WORD` means in the documentation: a page, an error, or a row of a table. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../package-root.ts';
import { formatPage, formatRow, rowsOf } from '../report/page.ts';
import type { Style } from '../report/style.ts';

const PAGES = join(PACKAGE_ROOT, 'docs');

/** These pages have another name as a topic, because their own name is that of a command, or says nothing. */
const OTHER_NAMES: Readonly<Record<string, string>> = { check: 'findings', README: 'docs' };

interface DocumentationPage {
  readonly topic: string;
  readonly markdown: string;
}

const pageNames = (): readonly string[] =>
  readdirSync(PAGES).flatMap((file) => /^(.*)\.md$/.exec(file)?.[1] ?? []);

const topicOf = (name: string): string => OTHER_NAMES[name] ?? name;

const readPages = (): readonly DocumentationPage[] =>
  pageNames().map((name) => ({
    topic: topicOf(name),
    markdown: readFileSync(join(PAGES, `${name}.md`), 'utf8'),
  }));

export const topicNames = (): readonly string[] => pageNames().map(topicOf);

/** The text about the word; undefined if there is none. */
export function helpAbout(word: string, style: Style): string | undefined {
  const pages = readPages();
  const page = pages.find(({ topic }) => topic === word.replace(/^(?:docs\/)?(.*)\.md$/, '$1'));
  if (page) return formatPage(page.markdown, style);
  for (const { markdown } of pages) {
    const section = markdown.split(/^(?=## )/m).find((each) => each.startsWith(`## ${word}\n`));
    if (section) return formatPage(section, style);
  }
  const rows = pages.flatMap(({ markdown }) =>
    rowsAbout(word, markdown).flatMap((row) => formatRow(row, style)),
  );
  return rows.length === 0 ? undefined : `${rows.join('\n')}\n`;
}

/** The rows of tables whose first cell is the word in backquotes. */
const rowsAbout = (word: string, markdown: string) =>
  (markdown.match(/^\|.*(?:\n\|.*)*/gm) ?? [])
    .flatMap((table) => rowsOf(table))
    .filter(({ cells }) => cells[0]?.[1] === `\`${word}\``);
