/** Writes the text of a `.env` so that it reads back exactly: pure. */
import { parse } from 'dotenv';
import { isPlainText } from './env-file.ts';

export type Assignment = readonly [name: string, value: string];

/** Plain words need no quotes. An empty value counts as not set and is never written. */
const PLAIN = /^[\w./:@%+=,-]+$/;

/** dotenv unescapes nothing within single quotes and backticks. Without quotes, it cuts at a # and trims. */
const FORMS: readonly ((value: string) => string)[] = [
  (value) => (PLAIN.test(value) ? value : `'${value}'`),
  (value) => `"${value}"`,
  (value) => `\`${value}\``,
  (value) => value,
  (value) => `"${value.replaceAll('\n', String.raw`\n`).replaceAll('\r', String.raw`\r`)}"`,
];

/**
 * The assignments, one per line. The parser itself decides how a value is quoted: the first form is used with which
 * all values so far, and the marker after them, read back exactly. Undefined if a value has no such form, for example
 * if it contains each of the three quotes and a #.
 */
export function assignmentLines(assignments: readonly Assignment[]): string | undefined {
  let text = '';
  const expected: Record<string, string> = {};
  for (const [name, value] of assignments) {
    expected[name] = value;
    const written = FORMS.map((form) => `${text}${name}=${form(value)}\n`).find((candidate) =>
      isReadBack(candidate, expected),
    );
    if (written === undefined) return undefined;
    text = written;
  }
  return text;
}

/** A quote in a later line must not be read as the end of a value. */
const PROBES = ["P='x'\n", 'P="x"\n', 'P=`x`\n'];

function isReadBack(text: string, expected: Readonly<Record<string, string>>): boolean {
  return (
    isPlainText(text) && PROBES.every((probe) => hasSameValues(parse(text + probe), { ...expected, P: 'x' }))
  );
}

const hasSameValues = (
  one: Readonly<Record<string, string>>,
  other: Readonly<Record<string, string>>,
): boolean =>
  Object.keys(one).length === Object.keys(other).length &&
  Object.entries(other).every(([name, value]) => one[name] === value);
