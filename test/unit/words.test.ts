/** Plain English in the pages that have been rewritten, and that the check for it sees what it should. */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { everyPage, faultsIn, sentencesOf, stringsOf } from '../../scripts/check-words.ts';

const ROOT = resolve(import.meta.dirname, '../..');

test('every page and every message of the program is in plain English', async () => {
  const faults = [];
  for (const page of await everyPage())
    faults.push(...faultsIn(page, await readFile(join(ROOT, page), 'utf8')));
  expect(faults).toEqual([]);
});

test('the strings of a program are read, its comments and names are not', () => {
  const program = "/** who */ const x = 'Who reads?';\n// goes on\nf(`The ${x} goes on.`, 'fence');\n";
  expect(stringsOf(program)).toEqual([
    { text: 'Who reads?', line: 1 },
    { text: 'The code goes on.', line: 3 },
    { text: 'fence', line: 3 },
  ]);
  expect(faultsIn('x.ts', program)).toEqual([{ page: 'x.ts', line: 3, what: '"goes on": write "continue"' }]);
});

test('a sentence that is too long, one without a subject, and a verb that says less are found, with their lines', () => {
  const long = `It ${'is '.repeat(40)}long.`;
  const text = `# Title\n\nWho reads this stops.\n${long}\n\n- The run goes on.\n`;
  expect(faultsIn('page.md', text)).toEqual([
    { page: 'page.md', line: 3, what: 'begins without a noun' },
    { page: 'page.md', line: 4, what: 'a sentence of 42 words; split it' },
    { page: 'page.md', line: 6, what: '"goes on": write "continue"' },
  ]);
});

test('questions, code, tables and lines with a reason are left alone', () => {
  const text = `What would a sync do?\n\n\`\`\`sh\ngoes on\n\`\`\`\n\n| goes on |\n\nThe run goes on. <!-- words: quoted -->\n`;
  expect(faultsIn('page.md', text).map(({ line }) => line)).toEqual([]);
  expect(sentencesOf('One. Two `x.y` three.')).toHaveLength(2);
});
