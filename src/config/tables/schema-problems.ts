/** Converts the findings of zod in the tables file into problems that its author understands. */
import * as z from 'zod';
import { nearest } from '../../nearest.ts';
import type { Problem } from '../problems.ts';
import { alternatives, show } from '../problems.ts';
import { isObject } from './json.ts';
import { meantKey } from './other-names.ts';
import { scheduleSchema } from './schedule-schema.ts';

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

/** Nothing is said about a key that has another name in the file. */
export function problemsOf(issues: readonly Issue[], checked: CheckedValue): Problem[] {
  const misnamed = misnamedKeys(checked.value, checked.knownKeys);
  return issues
    .filter(({ path: [key] }) => key === undefined || !misnamed.includes(key))
    .flatMap((issue) =>
      issue.code === 'unrecognized_keys' ? unknownKeys(issue, checked) : [wrongValue(issue, checked)],
    );
}

/** The known keys that the unknown keys of the value probably mean. */
export function misnamedKeys(value: unknown, knownKeys: readonly string[]): readonly PropertyKey[] {
  const written = isObject(value) ? Object.keys(value) : [];
  return written
    .filter((key) => !knownKeys.includes(key))
    .flatMap((key) => meantKey(key, knownKeys, written) ?? [])
    .filter((key) => !written.includes(key));
}

function unknownKeys(
  issue: z.core.$ZodIssueUnrecognizedKeys,
  { value, path, knownKeys: ownKeys }: CheckedValue,
): Problem[] {
  // The only object inside an entry whose keys are checked one by one.
  const knownKeys = issue.path.at(-1) === 'schedule' ? Object.keys(scheduleSchema.shape) : ownKeys;
  const container = valueAt(value, issue.path);
  return issue.keys.map((key) => {
    const where = placeOf([...path, ...issue.path, key]);
    const meant = meantKey(key, knownKeys, isObject(container) ? Object.keys(container) : []);
    if (meant === undefined) return { where, what: 'unknown key', names: knownKeys };
    const written = isObject(container) ? container[key] : undefined;
    const isName = typeof written === 'string' && LISTS_OF_NAMES.includes(meant);
    const suggestion = isName ? `"${meant}": ${show(namesIn(written))}` : meant;
    return { where, what: 'unknown key', suggestion };
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

const namesIn = (text: string): readonly string[] => text.split(/\s*,\s*/);

function wrongValue(issue: Issue, checked: CheckedValue): Problem {
  const where = placeOf([...checked.path, ...issue.path]);
  const value = valueAt(checked.value, issue.path);
  const position = positionSchema.safeParse(issue.code === 'custom' ? issue.params : undefined).data;
  if (position)
    return { where: `${where}, line ${position.line}, column ${position.column}`, what: issue.message };
  if (typeof value === 'string' && LISTS_OF_NAMES.includes(issue.path.at(-1) ?? ''))
    return { where, what: `must be an array such as ${show(namesIn(value))}` };
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
