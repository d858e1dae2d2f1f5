/** What the documentation says of files must be true of them. */
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { projectFile } from '../../support/deploy-files.ts';
import { PROJECT } from '../../support/project.ts';

const papers = async () => [
  ...(await readdir(PROJECT)).filter((file) => file.endsWith('.md')),
  ...(await readdir(join(PROJECT, 'docs')))
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
];

interface Quotation {
  readonly file: string;
  readonly lines: readonly string[];
}

/** Blocks behind a comment `from FILE`. */
const quotationsIn = (text: string): Quotation[] =>
  [...text.matchAll(/<!-- from (?<file>\S+) -->\n\n```\w*\n(?<body>[^]*?)```/g)].map(({ groups }) => ({
    file: groups?.['file'] ?? '',
    lines: (groups?.['body'] ?? '').trimEnd().split('\n'),
  }));

test('every line that the documentation quotes from a file stands there', async () => {
  let seen = 0;
  for (const paper of await papers()) {
    for (const { file, lines } of quotationsIn(await projectFile(paper))) {
      const there = (await projectFile(file)).split('\n');
      expect(
        lines.filter((line) => !there.includes(line)),
        `${paper} quotes ${file}`,
      ).toEqual([]);
      seen += lines.length;
    }
  }
  expect(seen).toBeGreaterThan(5);
});

/** As GitHub makes them of headings. */
const anchorsIn = (text: string) =>
  [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );

test('every link within the documentation leads somewhere', async () => {
  const broken: string[] = [];
  for (const paper of await papers()) {
    const text = (await projectFile(paper)).replaceAll(/```[^]*?```/g, '');
    for (const [, link = ''] of text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? paper : join(dirname(paper), path);
      const isThere = await stat(join(PROJECT, target)).then(
        () => true,
        () => false,
      );
      if (!isThere) broken.push(`${paper}: ${link}`);
      else if (anchor !== undefined && !anchorsIn(await projectFile(target)).includes(anchor))
        broken.push(`${paper}: ${link}`);
    }
  }
  expect(broken).toEqual([]);
});
