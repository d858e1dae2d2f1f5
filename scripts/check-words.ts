/**
 * `node scripts/check-words.ts [FILE...]`: plain English in what people read, pages in Markdown and the strings of the program.
 * It finds sentences that are too long, sentences that begin with "who" or "what", and verbs that say less than an ordinary one.
 * A line with `<!-- words: reason -->` on a page, or `// words: reason` in the program, is left out.
 */
import { glob, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import process from 'node:process';

const ROOT = resolve(import.meta.dirname, '..');

const PAGES = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'docs/*.md', 'src/**/*.ts'];

const LONGEST = 35;

const OPENINGS = /^(Who|What|Whoever|Whatever|Nobody|Those that|Those who)\b(?!.*\?)/;

const WORDS: readonly (readonly [RegExp, string])[] = [
  [/\bmends?\b/i, 'fix'],
  [/\bpass(?:es|ed)? over\b/i, 'skip'],
  [/\b(?:goes|go|went) on\b/i, 'continue'],
  [/\bshall\b/i, 'will'],
  [/\bmade anew\b/i, 'made again'],
  [/\bof ours\b/i, 'of increp'],
  [/\b[Tt]he cop(?:y|ies)\b/, 'the destination table'],
  [/\bbelongings\b/i, 'dependent objects'],
  [/\bone that\b/i, 'the noun'],
];

export interface Fault {
  readonly page: string;
  readonly line: number;
  readonly what: string;
}

/** Sentences of a page in Markdown, with the line on which each begins; code, tables and comments are no sentences. */
export function sentencesOf(text: string): { readonly text: string; readonly line: number }[] {
  const prose = text
    .replaceAll(/^```[\s\S]*?^```/gm, (code) => code.replaceAll(/[^\n]/g, ''))
    .replaceAll(/^.*<!-- words: .+-->.*$/gm, '')
    .replaceAll(/<!--[\s\S]*?-->/g, (comment) => comment.replaceAll(/[^\n]/g, ''))
    .split('\n')
    .map((line) => (/^\s*(\||#|!\[)/.test(line) ? '' : line.replace(/^\s*(?:[-*]|\d+\.) +/, '\u0000')));
  const sentences: { text: string; line: number }[] = [];
  let current = '';
  let start = 0;
  const end = () => {
    if (current.trim() !== '') sentences.push({ text: current.trim(), line: start });
    current = '';
  };
  for (const [index, line] of [...prose, ''].entries()) {
    if (line === '' || line.startsWith('\u0000')) end();
    for (const part of line.replace('\u0000', '').split(/(?<=[.?!:])\s+(?=[A-Z`*[(])/)) {
      if (current.trim() === '') start = index + 1;
      current = `${current} ${part}`;
      if (/[.?!:]\**$/.test(part)) end();
    }
  }
  return sentences;
}

/** Every string literal of a program, with its line; an interpolation stands as `code`. */
export function stringsOf(program: string): { readonly text: string; readonly line: number }[] {
  let code = program
    .replaceAll(/^.*\/\/ words: .+$/gm, '')
    .replaceAll(/\/\*[\s\S]*?\*\//g, (comment) => comment.replaceAll(/[^\n]/g, ''))
    .replaceAll(/(?<=^|\s)\/\/ .*$/gm, '');
  for (let before = ''; before !== code;) {
    before = code;
    code = code.replaceAll(/\$\{[^{}]*\}/g, 'code');
  }
  return code
    .split('\n')
    .flatMap((text, index) =>
      [...text.matchAll(/'((?:[^'\\]|\\.)*)'|`((?:[^`\\]|\\.)*)`/g)].flatMap((found) =>
        sentencesOf(found[1] ?? found[2] ?? '').map((sentence) => ({ text: sentence.text, line: index + 1 })),
      ),
    );
}

export function faultsIn(page: string, text: string): Fault[] {
  return (page.endsWith('.ts') ? stringsOf(text) : sentencesOf(text)).flatMap(({ text: sentence, line }) => {
    const plain = sentence.replaceAll(/`[^`]*`/g, 'code').replaceAll(/\]\([^)]*\)/g, ']');
    const words = plain.split(/\s+/).filter((word) => /\w/.test(word)).length;
    return [
      ...(words > LONGEST ? [`a sentence of ${words} words; split it`] : []),
      ...(OPENINGS.test(plain.replace(/^\*+/, '')) ? ['begins without a noun'] : []),
      ...WORDS.filter(([pattern]) => pattern.test(plain)).map(
        ([pattern, better]) => `"${plain.match(pattern)?.[0]}": write "${better}"`,
      ),
    ].map((what) => ({ page, line, what }));
  });
}

/** Every page and every file of the program. */
export async function everyPage(): Promise<string[]> {
  const pages: string[] = [];
  for await (const page of glob(PAGES, { cwd: ROOT })) pages.push(page);
  return pages.toSorted();
}

async function main(): Promise<void> {
  const faults: Fault[] = [];
  const pages = process.argv.length > 2 ? process.argv.slice(2) : await everyPage();
  for (const page of pages) faults.push(...faultsIn(page, await readFile(join(ROOT, page), 'utf8')));
  for (const { page, line, what } of faults) process.stderr.write(`${page}:${line}: ${what}\n`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}

if (import.meta.main) await main();
