/** Finds tables that failed in the same way, so that one problem of many tables is printed once. */
import { shellWord } from '../shell-word.ts';

export interface NamedFailure {
  /** The name of the table in messages. */
  readonly name: string;
  readonly code: string;
  readonly message: string;
  /** What to do next. */
  readonly hint: string;
}

/** The first table of each failure: what was printed for it, and as what. */
export type ToldFailures = Map<string, { readonly label: string; readonly hint: string }>;

const SPECIAL = /[.*+?^${}()|[\]\\]/g;

/** The text with a placeholder for the name of the table, where it is a whole word, also as a shell and SQL quote it. */
function withoutName(text: string, name: string): string {
  if (name === '') return text;
  const forms = [shellWord(name), `"${name.replaceAll('"', '""')}"`, name];
  return forms.reduce((rest, form) => {
    const word = form.replaceAll(SPECIAL, String.raw`\$&`);
    const whole = new RegExp(String.raw`(?<![\p{L}\p{N}_$])${word}(?![\p{L}\p{N}_$])`, 'gu');
    return rest.replaceAll(whole, '\0');
  }, text);
}

/** `500 rows`, `1 row`, `399 of 1,234 rows`. Other numbers are codes, ports and settings, which matter. */
const ROWS = /\d[\d,]*(?: of \d[\d,]*)* rows?\b/g;

const withoutDetails = (text: string, name: string): string =>
  withoutName(text, name).replaceAll(ROWS, 'rows');

/** Failures of two tables have the same key if they differ only in the name of the table and in numbers of rows. */
export const failureKey = ({ name, code, message, hint }: NamedFailure): string =>
  JSON.stringify([code, withoutDetails(message, name), withoutDetails(hint, name)]);

/** Undefined if the failure has not been printed before. Otherwise a reference to the table where it was. */
export function sameFailure(failure: NamedFailure, label: string, told: ToldFailures): string | undefined {
  const key = failureKey(failure);
  const before = told.get(key);
  if (before === undefined) {
    told.set(key, { label, hint: failure.hint });
    return undefined;
  }
  return `the same as for ${before.label}${before.hint === failure.hint ? '' : ', with the name of this table'}`;
}

/** The failures in groups, in the order of the first of each. */
export function sameFailures<T extends NamedFailure>(failures: readonly T[]): readonly (readonly T[])[] {
  return [...Map.groupBy(failures, failureKey).values()];
}
