/** Finds tables that failed in the same way, so that one problem of many tables is printed once. */
import { listed, LISTED } from '../format.ts';
import { MOST_IN_COMMAND, shellWord } from '../shell-word.ts';
import { printableLine } from './text.ts';

export interface NamedFailure {
  /** The name of the table in messages. */
  readonly name: string;
  /** Another name in the messages that belongs to the table, such as that of its sequence. */
  readonly otherName?: string;
  readonly code: string;
  readonly message: string;
  /** What to do next. */
  readonly hint: string;
}

/** By `failureKey`. */
type KnownFailures<T> = Map<string, { readonly failure: NamedFailure; readonly value: T }>;

/** The first table of each failure: its name in the output, and what was printed as the next step. */
export type ToldFailures = KnownFailures<{
  readonly label: string;
  readonly hint: string;
  readonly rows: string;
}>;

/** A letter, a digit or another character of a name. */
const IN_WORD = /[\p{L}\p{N}_$]/u;

/** The character that ends at this place. Two units may be one character. */
const characterBefore = (text: string, end: number): string =>
  Array.from(text.slice(Math.max(0, end - 2), end)).at(-1) ?? '';

const characterAt = (text: string, start: number): string =>
  Array.from(text.slice(start, start + 2))[0] ?? '';

/** An expression for each name would take longer to compile than thousands of texts to search. */
function replaceWord(text: string, word: string, by: string): string {
  let [rest, from] = ['', 0];
  for (let at = text.indexOf(word); at >= 0;) {
    const end = at + word.length;
    const isWhole = !IN_WORD.test(characterBefore(text, at)) && !IN_WORD.test(characterAt(text, end));
    if (isWhole) {
      rest += `${text.slice(from, at)}${by}`;
      from = end;
    }
    at = text.indexOf(word, isWhole ? end : at + 1);
  }
  return rest + text.slice(from);
}

/** As SQL and a shell quote it, and as it is. The form in quotes comes first, because a plain name is inside it. */
const formsOf = (name: string): readonly string[] => [
  `"${name.replaceAll('"', '""')}"`,
  shellWord(name),
  name,
];

/** The text with a placeholder for a name, where it is a whole word. */
const withoutName = (text: string, name: string, placeholder: string): string =>
  name === ''
    ? text
    : formsOf(name)
        .reduce((rest, form) => replaceWord(rest, form, placeholder), text)
        // PostgreSQL names a constraint after its table.
        .replaceAll(`"${name}_`, `"${placeholder}_`);

/** For the forms of a name. No message has these characters. */
const MARKS = ['\uE000', '\uE001', '\uE002'] as const;

/** The text with the name of another table. */
function withName(text: string, from: string, to: string): string {
  if (from === '') return text;
  const there = formsOf(to);
  const marked = formsOf(from).reduce(
    (rest, form, index) => replaceWord(rest, form, MARKS[index] ?? ''),
    text,
  );
  return there.reduce((rest, form, index) => rest.replaceAll(MARKS[index] ?? '', () => form), marked);
}

/** `500 rows`, `1 row`, `399 of 1,234 rows`. Other numbers are codes, ports and settings, which matter. */
const ROWS = /\d[\d,]*(?: of \d[\d,]*)* rows?\b/g;

const rowsIn = (text: string): string => (text.match(ROWS) ?? []).join(', ');

/** Of the last sync of a table, for example. */
const TIMES = /\b20\d\d-\d\d-\d\dT[\d:.]+Z/g;

/** `2 s ago`, `open for 5 min`. */
const AGES = /\b[\d,]+ (?:s|min|h|days?) ago\b|\bopen for (?:more than )?[\d,]+ (?:s|min|h|days)\b/g;

/** Tables of one run name the same session with other ages. */
export const withoutAges = (text: string): string => text.replaceAll(AGES, 'ago');

/** As the server prints it. */
const FAILING_ROW = /\bFailing row contains \(.*?\)\.(?=\)|$)/gs;

const withoutNumbers = (text: string): string =>
  withoutAges(text.replaceAll(ROWS, 'rows').replaceAll(TIMES, 'time')).replaceAll(FAILING_ROW, 'row');

/** Whether a run recorded this error. Its message has the number of attempts, too. */
export const isRecorded = (
  error: { readonly code: string; readonly message: string },
  recorded: { readonly code: string | null; readonly message: string | null },
): boolean =>
  recorded.code === error.code &&
  (recorded.message === error.message || recorded.message?.startsWith(`${error.message}; tried `) === true);

const withoutDetails = (text: string, { name, otherName = '' }: NamedFailure): string =>
  withoutNumbers(withoutName(withoutName(text, otherName, '\u0001'), name, '\0'));

/** Failures of two tables have the same key if they differ only in the name of the table, in rows and their numbers, in times and in ages. */
export const failureKey = (failure: NamedFailure): string =>
  JSON.stringify([
    failure.code,
    withoutDetails(failure.message, failure),
    withoutDetails(failure.hint, failure),
  ]);

/** Each failure is compared with at most this many others. */
const MOST_COMPARED = 20;

/** What is known of an alike failure. A table can have the name of a word in the message, such as "settings" or "user". */
function findAlike<T>(known: KnownFailures<T>, failure: NamedFailure): T | undefined {
  const key = failureKey(failure);
  const same = known.get(key);
  if (same) return same.value;
  const alike = [...known.values()]
    .slice(0, MOST_COMPARED)
    .find(({ failure: other }) => isRenamed(other, failure) || isRenamed(failure, other));
  if (alike) known.set(key, { failure, value: alike.value });
  return alike?.value;
}

const renamed = (text: string, one: NamedFailure, other: NamedFailure): string =>
  withName(withName(text, one.otherName ?? '', other.otherName ?? ''), one.name, other.name);

/** Whether the texts of the first failure, with the name of the other table, are those of the other one. */
const isRenamed = (one: NamedFailure, other: NamedFailure): boolean =>
  one.code === other.code &&
  (['message', 'hint'] as const).every(
    (text) => withoutNumbers(renamed(one[text], one, other)) === withoutNumbers(other[text]),
  );

/** Whether it, or one like it, was printed before. */
export const wasPrinted = (failure: NamedFailure, told: ToldFailures): boolean =>
  findAlike(told, failure) !== undefined;

/** Undefined if the failure has not been printed before. Otherwise a reference to the table where it was. */
export function sameFailure(failure: NamedFailure, label: string, told: ToldFailures): string | undefined {
  const before = findAlike(told, failure);
  const rows = rowsIn(failure.message);
  if (before === undefined) {
    told.set(failureKey(failure), { failure, value: { label, hint: failure.hint, rows } });
    return undefined;
  }
  const others = [
    ...(before.hint === failure.hint ? [] : ['the name of this table']),
    ...(before.rows === rows || rows === '' ? [] : [rows]),
  ];
  return `${failure.code}, as for ${before.label}${others.length === 0 ? '' : `, with ${others.join(' and ')}`}`;
}

/** So many tables that fail alike are printed as one group. */
export const ALIKE = 3;

/** The failures in groups, in the order of the first of each. */
export function sameFailures<T extends NamedFailure>(failures: readonly T[]): readonly (readonly T[])[] {
  const known: KnownFailures<T[]> = new Map();
  const groups: T[][] = [];
  for (const failure of failures) {
    const group = findAlike(known, failure);
    if (group) group.push(failure);
    else {
      const started = [failure];
      known.set(failureKey(failure), { failure, value: started });
      groups.push(started);
    }
  }
  return groups;
}

/** The numbers of rows of the tables after the first, if they differ from those of the first. */
export function otherRows(group: readonly Pick<NamedFailure, 'name' | 'message'>[]): string | undefined {
  const [first = '', ...others] = group.map(({ message }) => rowsIn(message));
  if (others.every((rows) => rows === first)) return undefined;
  return listed(
    others.map((rows, place) => `${printableLine(group[place + 1]?.name ?? '')} ${rows}`),
    LISTED,
  );
}

/** A step that grants privileges on one table. */
const GRANT = /^(.*\bGRANT [A-Z, ]+ ON )((?:"(?:[^"]|"")+"\.)?"(?:[^"]|"")+")( TO "(?:[^"]|"")+")$/s;

/** A longer statement fills a terminal. */
const MOST_GRANTED = 100;

/** A command of increp for one table. It ends with its quote or its line. */
const COMMAND = /\bincrep (?:check|plan|reset|status|sync|verify) [^"\n]*/g;

const [IN_COMMAND, IN_TEXT] = ['\uE003', '\uE004'];

/** One step with the names of all tables, if the steps of the tables differ in the names of their own alone. */
function joinedHint(group: readonly Pick<NamedFailure, 'hint' | 'name'>[]): string | undefined {
  const names = [...new Set(group.map(({ name }) => name))];
  if (names.length > MOST_IN_COMMAND) return undefined;
  const templates = group.map(({ hint, name }) =>
    hint
      .replaceAll(COMMAND, (command) => replaceWord(command, shellWord(name), IN_COMMAND))
      .replaceAll(`of "${name}"`, `of ${IN_TEXT}`)
      .replaceAll(`for "${name}"`, `for ${IN_TEXT}`),
  );
  const [template = ''] = templates;
  const hasOthers = names.some((name) => withoutName(template, name, '') !== template);
  if (hasOthers || !template.includes(IN_COMMAND) || templates.some((each) => each !== template))
    return undefined;
  return template
    .replaceAll(IN_COMMAND, () => names.map(shellWord).join(' '))
    .replaceAll(IN_TEXT, () => names.map((name) => `"${name}"`).join(', '));
}

/** The step for all tables of a group, if it is the same, or can be one GRANT or one command. Undefined otherwise. */
export function sharedHint(group: readonly Pick<NamedFailure, 'hint' | 'name'>[]): string | undefined {
  const [first] = group;
  if (!first || group.every(({ hint }) => hint === first.hint)) return first?.hint;
  const grants = group.map(({ hint }) => GRANT.exec(hint));
  const [, before = '', , after = ''] = grants[0] ?? [];
  const isAlike = grants.every((grant) => grant?.[1] === before && grant[3] === after);
  return isAlike && group.length <= MOST_GRANTED
    ? `${before}${grants.map((grant) => grant?.[2]).join(', ')}${after}`
    : joinedHint(group);
}

/** After the step of the first table of a group. */
export const SAME_STEP = 'The other tables need the same, with their own names.';

/** For a text that is printed once for tables whose texts differ in names and numbers. */
export const exampleText = (name: string, command: 'check' | 'plan'): string =>
  `This is the text for ${name}. To see each, run "increp ${command} -v".`;
