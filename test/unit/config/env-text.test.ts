import { parse } from 'dotenv';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { withoutVariables } from '../../../src/config/environment/env-file.ts';
import { assignmentLines } from '../../../src/config/environment/env-text.ts';

const HOSTILE = [
  'plain',
  'with space',
  ' both ends ',
  '#begins',
  'mid#dle',
  'mid #dle',
  "single'quote",
  'double"quote',
  'back`tick',
  `all'three"kinds\``,
  "ends in '",
  'ends in \\',
  String.raw`ends in #\ `.trim(),
  String.raw`back\slash\n not a newline`,
  'new\nline',
  'trailing newline\n',
  'carriage\rreturn',
  '$HOME ${HOME} $(id)',
  'a=b=c',
  'export X=1',
  'é 文 🐘',
  '\t',
  "'quoted'",
  '"quoted"',
  String.raw`x:\ "$x" '#%41é@/?&`,
];

test.each(HOSTILE)('%j is read back by dotenv as it was', (value) => {
  const text = assignmentLines([
    ['A', value],
    ['B', "it's"],
    ['C', value],
  ]);
  expect(text).toBeDefined();
  expect(parse(text ?? '')).toEqual({ A: value, B: "it's", C: value });
});

test('whatever it writes is what is read, and what cannot be written is not', () => {
  const nasty = fc.string({
    unit: fc.constantFrom('a', 'n', ' ', '\\', "'", '"', '`', '#', '\n', '\r', '$', '='),
    minLength: 1,
  });
  const values = fc.sample(fc.array(nasty, { minLength: 1, maxLength: 4 }), 500);
  const written = values.flatMap((each) => {
    const text = assignmentLines(each.map((value, index) => [`V${index}`, value]));
    return text === undefined ? [] : [{ each, read: parse(text) }];
  });
  expect(written.length).toBeGreaterThan(100);
  for (const { each, read } of written)
    expect(read).toEqual(Object.fromEntries(each.map((value, index) => [`V${index}`, value])));
});

test('a value with every quote and a # has no form', () => {
  expect(assignmentLines([['A', `'"\`#`]])).toBeUndefined();
});

test('single variables are taken out of a file, the rest stays', () => {
  const text = `# mine\nA=1 # one\n\nB='two\nlines'\nexport C="3"\nD=4\n`;
  expect(withoutVariables(text, ['A', 'B', 'C'])).toBe('# mine\n\nD=4\n');
  expect(withoutVariables(text, [])).toBe(text);
});
