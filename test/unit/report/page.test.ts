import { expect, test } from 'vitest';
import { formatPage, sectionsOf } from '../../../src/report/page.ts';

const PAGE = `# Title

<!-- generated -->
![A chart](chart.svg)

A paragraph with \`code\`,
a [link](setup.md#tls) and **much** [more](https://example.com).

1. One
   two
2. Three: [setup](setup.md)

\`\`\`sh
increp status  # shows it

increp check
\`\`\`

| option | meaning        | default |
| ------ | -------------- | ------- |
| \`a\`    | this \\| that   | \`1\`     |
| \`b\`    | nothing        |         |
`;

test('a page is printed for a narrow terminal', () => {
  expect(formatPage(PAGE, { color: false, width: 40, isUnicode: true }).split('\n')).toEqual([
    'Title',
    '',
    'A paragraph with code, a link',
    '("increp help setup") and much more',
    '(https://example.com).',
    '',
    '1. One two',
    '2. Three: "increp help setup"',
    '',
    '    increp status  # shows it',
    '',
    '    increp check',
    '',
    'a',
    '    meaning: this | that',
    '    default: 1',
    'b',
    '    meaning: nothing',
    '',
  ]);
});

test('a section holds the smaller headings below it, and a comment in code is no heading', () => {
  const markdown = '# T\n\n## A `b`\n```sh\n## no heading\n```\n### C\nc\n## D\nd';
  expect(sectionsOf(markdown)).toEqual([
    { heading: 'A b', markdown: '## A `b`\n```sh\n## no heading\n```\n### C\nc' },
    { heading: 'C', markdown: '### C\nc' },
    { heading: 'D', markdown: '## D\nd' },
  ]);
});
