/** Checks JSON and finds the place of an error. JSON.parse names the place only in some of its messages. */
import { excerptAt, type Excerpt } from '../../excerpt.ts';

interface JsonFault extends Excerpt {
  readonly what: string;
}

type JsonResult = { readonly value: unknown; readonly fault?: undefined } | { readonly fault: JsonFault };

export function parseJson(text: string): JsonResult {
  const fault = findFault(text);
  return fault ? { fault: locate(text, explain(text, fault)) } : { value: JSON.parse(text) as unknown };
}

interface Fault {
  readonly offset: number;
  readonly what: string;
}

const BLANK = /[ \t\r\n]*/y;
// oxlint-disable-next-line no-control-regex -- these are what JSON forbids in a string
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"/y;
const WORD = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.+-])/y;

/**
 * The first place that is not valid JSON. A duplicate key counts, because JSON.parse would drop one of its values.
 */
function findFault(text: string): Fault | undefined {
  let offset = 0;
  let fault: Fault | undefined;
  const fail = (what: string, at = offset): false => {
    fault ??= { offset: at, what };
    return false;
  };
  const match = (token: RegExp): string | undefined => {
    token.lastIndex = offset;
    const found = token.exec(text)?.[0];
    offset += found?.length ?? 0;
    return found;
  };
  const take = (token: RegExp | string): string | undefined => {
    match(BLANK);
    if (typeof token !== 'string') return match(token);
    if (!text.startsWith(token, offset)) return undefined;
    offset += token.length;
    return token;
  };
  const series = (close: string, item: () => boolean): boolean => {
    if (take(close)) return true;
    do if (!item()) return false;
    while (take(','));
    return take(close) !== undefined || fail(`expected , or ${close}`);
  };
  const member = (keys: Set<string>) => (): boolean => {
    match(BLANK);
    const start = offset;
    const key = take(STRING);
    if (key === undefined) return fail('expected a key in double quotes');
    // "\u0061" is another form of "a".
    const name = JSON.parse(key) as string;
    if (keys.has(name)) return fail(`the key ${key} occurs twice`, start);
    keys.add(name);
    return take(':') ? value() : fail('expected :');
  };
  const value = (): boolean => {
    if (take('{')) return series('}', member(new Set()));
    if (take('[')) return series(']', value);
    return (take(STRING) ?? take(WORD)) !== undefined || fail('expected a value');
  };
  if (value()) {
    match(BLANK);
    if (offset < text.length) fail('expected the end of the file');
  }
  return fault;
}

/** Common mistakes that are valid in other languages. */
function explain(text: string, { offset, what }: Fault): Fault {
  if (text.trim() === '') return { offset: 0, what: 'the file is empty' };
  const rest = text.slice(offset);
  const before = text.slice(0, offset).trimEnd();
  if (/^(\/\/|\/\*|#)/.test(rest)) return { offset, what: 'JSON has no comments' };
  if (before.endsWith(',') && /^[}\]]/.test(rest)) {
    return { offset: before.length - 1, what: 'JSON allows no comma after the last item' };
  }
  if (rest.startsWith("'")) return { offset, what: 'JSON strings need double quotes' };
  return rest === '' ? { offset, what: `the file ends too early: ${what}` } : { offset, what };
}

const WIDEST_EXCERPT = 100;

const locate = (text: string, { offset, what }: Fault): JsonFault => ({
  what,
  ...excerptAt(text, offset, WIDEST_EXCERPT),
});

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
