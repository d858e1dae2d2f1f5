/** Converts the findings of zod in the tables file into problems that its author understands. */
import * as z from 'zod';
import { nearest } from '../../nearest.ts';
import type { Problem } from '../problems.ts';
import { alternatives, show } from '../problems.ts';

export const TABLES_FILE = 'tables-config.json';

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

interface CheckedValue {
  readonly value: unknown;
  /** The place of the value in the file. The paths of the issues begin there. */
  readonly path: Path;
  readonly knownKeys: readonly string[];
}

/** `tables-config.json, tables[2].unique_cols[0]` */
export const placeOf = (path: Path): string =>
  [TABLES_FILE, placeInFile(path)].filter((part) => part !== '').join(', ');

/** `tables[2].unique_cols[0]` */
export function placeInFile(path: Path): string {
  const steps = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`));
  return steps.join('').replace(/^\./, '');
}

export function problemsOf(issues: readonly Issue[], checked: CheckedValue): Problem[] {
  return issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys' ? unknownKeys(issue, checked) : [wrongValue(issue, checked)],
  );
}

function unknownKeys(issue: z.core.$ZodIssueUnrecognizedKeys, { path, knownKeys }: CheckedValue): Problem[] {
  return issue.keys.map((key) => {
    const suggestion = nearest(key, knownKeys);
    const allowed = suggestion === undefined ? knownKeys.join(', ') : undefined;
    return { where: placeOf([...path, ...issue.path, key]), what: 'unknown key', suggestion, allowed };
  });
}

/** Of a fault in SQL: where it is in the text. */
const positionSchema = z.object({ line: z.number(), column: z.number() });

/** Options for which a single name is a common mistake. */
const LISTS_OF_NAMES: readonly PropertyKey[] = [
  'unique_cols',
  'columns',
  'exclude_columns',
  'metadata_columns',
];

function wrongValue(issue: Issue, checked: CheckedValue): Problem {
  const where = placeOf([...checked.path, ...issue.path]);
  const value = valueAt(checked.value, issue.path);
  const position = positionSchema.safeParse(issue.code === 'custom' ? issue.params : undefined).data;
  if (position)
    return { where: `${where}, line ${position.line}, column ${position.column}`, what: issue.message };
  if (typeof value === 'string' && LISTS_OF_NAMES.includes(issue.path.at(-1) ?? ''))
    return { where, what: `must be an array such as ${show(value.split(/\s*,\s*/))}` };
  const allowed = issue.code === 'invalid_value' ? alternatives(choicesOf(issue)) : issue.message;
  if (value === undefined) return { where, what: 'missing', allowed };
  const suggestion = typeof value === 'string' ? suggestionFor(issue, value) : undefined;
  return { where, what: `${show(value)} is not allowed`, allowed, suggestion };
}

/** An entry that is only a name. Or a value that is nearly one of the choices. */
const suggestionFor = (issue: Issue, value: string): string | undefined =>
  issue.path.length === 0 ? show({ name: value }) : meantBy(value, choicesOf(issue));

/** The default is the first choice. Its beginning means the default, also if another choice begins in the same way. */
const meantBy = (value: string, choices: readonly string[]): string | undefined =>
  choices[0]?.startsWith(value) ? choices[0] : nearest(value, choices);

const choicesOf = (issue: Issue) => (issue.code === 'invalid_value' ? issue.values.map(String) : []);

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce((part: unknown, key) => (part as Record<PropertyKey, unknown>)[key], value);
}
