import { expect, test } from 'vitest';
import { formatPage } from '../../../src/report/page.ts';

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
