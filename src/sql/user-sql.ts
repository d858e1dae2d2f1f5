/**
 * SQL of the operator that becomes part of statements of increp. The server checks its meaning. This file checks that
 * it cannot end its place in the statement, and finds the functions that it calls.
 */

import { ident } from './identifiers.ts';

export interface SqlFault {
  readonly what: string;
  /** Offset in the text. */
  readonly at: number;
}

type Kind = 'word' | 'quoted name' | 'string' | 'blank' | 'other';

interface Token {
  readonly kind: Kind;
  readonly at: number;
  readonly text: string;
  /** The missing end of the token. */
  readonly unclosed?: string;
}

const BLANK = /(?:\s|--[^\n\r]*)+/y;
/** A string continues after a line break in the same mode: the part after an E'' has escapes, too. */
const CONTINUED = String.raw`'(?:[ \t\f\v]|--[^\n\r]*)*[\n\r](?:\s|--[^\n\r]*[\n\r])*'`;
const ESCAPED = new RegExp(String.raw`[eE]'(?:[^'\\]|''|\\[\s\S]|${CONTINUED})*('?)`, 'y');
const STRING = new RegExp(`'(?:[^']|''|${CONTINUED})*('?)`, 'y');
const QUOTED_NAME = /"(?:[^"]|"")*("?)/y;
const DOLLAR = /\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/y;
const WORD = /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/y;
const NUMBER = /\$?\d\w*/y;

const matchAt = (pattern: RegExp, text: string, at: number): RegExpExecArray | null => {
  pattern.lastIndex = at;
  return pattern.exec(text);
};

/** Like the scanner of the server, with standard_conforming_strings. */
function* tokensOf(text: string): Generator<Token> {
  for (let at = 0; at < text.length;) {
    const token = tokenAt(text, at);
    yield token;
    at += token.text.length;
  }
}

function tokenAt(text: string, at: number): Token {
  const blank = matchAt(BLANK, text, at);
  if (blank) return { kind: 'blank', at, text: blank[0] };
  if (text.startsWith('/*', at)) return commentAt(text, at);
  const string = matchAt(ESCAPED, text, at) ?? matchAt(STRING, text, at);
  if (string) return quotedAt('string', string, at, "'");
  const name = matchAt(QUOTED_NAME, text, at);
  if (name) return quotedAt('quoted name', name, at, '"');
  const dollar = matchAt(DOLLAR, text, at);
  if (dollar) return dollarAt(text, at, dollar[0]);
  const word = matchAt(WORD, text, at);
  if (word) return { kind: 'word', at, text: word[0] };
  const number = matchAt(NUMBER, text, at);
  return { kind: 'other', at, text: number?.[0] ?? text.charAt(at) };
}

const quotedAt = (kind: Kind, [text, end]: RegExpExecArray, at: number, quote: string): Token => ({
  kind,
  at,
  text,
  ...(end === '' && { unclosed: quote }),
});

/** Block comments can be nested. */
function commentAt(text: string, at: number): Token {
  let depth = 0;
  for (const { 0: mark, index } of text.slice(at).matchAll(/\/\*|\*\//g)) {
    depth += mark === '/*' ? 1 : -1;
    if (depth === 0) return { kind: 'blank', at, text: text.slice(at, at + index + 2) };
  }
  return { kind: 'blank', at, text: text.slice(at), unclosed: '*/' };
}

function dollarAt(text: string, at: number, tag: string): Token {
  const end = text.indexOf(tag, at + tag.length);
  return end === -1
    ? { kind: 'string', at, text: text.slice(at), unclosed: tag }
    : { kind: 'string', at, text: text.slice(at, end + tag.length) };
}

/** Why the text would not stay inside the parentheses around it; undefined if it would. */
export function faultIn(text: string): SqlFault | undefined {
  const open: number[] = [];
  let isEmpty = true;
  for (const token of tokensOf(text)) {
    if (token.unclosed !== undefined)
      return {
        what: `${token.kind === 'blank' ? 'comment' : token.kind} is not terminated; missing ${token.unclosed}`,
        at: token.at,
      };
    if (token.kind !== 'blank') isEmpty = false;
    if (token.kind !== 'other') continue;
    if (token.text === '\0') return { what: 'SQL cannot contain a zero byte', at: token.at };
    if (token.text === ';')
      return { what: 'only one expression or SELECT is allowed, without a semicolon', at: token.at };
    if (/^\$\d/.test(token.text)) return { what: 'parameters are not supported', at: token.at };
    if (token.text === '(') open.push(token.at);
    if (token.text === ')' && open.pop() === undefined) return { what: '")" without "("', at: token.at };
  }
  if (isEmpty) return { what: 'the text is empty', at: 0 };
  const at = open.pop();
  return at === undefined ? undefined : { what: '"(" is not closed', at };
}

/** A trailing semicolon, as in a file, has no meaning here. */
export function withoutEnd(text: string): string {
  const tokens = [...tokensOf(text)];
  let end = tokens.length;
  for (let index = end - 1; index >= 0; index -= 1) {
    const token = tokens[index];
    if (token?.text === ';') end = index;
    else if (token?.kind !== 'blank') break;
  }
  return tokens
    .slice(0, end)
    .map((token) => token.text)
    .join('');
}

const unquoted = ({ kind, text }: Token): string =>
  kind === 'quoted name' ? text.slice(1, -1).replaceAll('""', '"') : text.toLowerCase();

/** Names of the called functions. Some keywords before a parenthesis are included. */
export function calledIn(text: string): string[] {
  const tokens = [...tokensOf(text)].filter(({ kind }) => kind !== 'blank');
  const called = tokens.flatMap((token, index) =>
    (token.kind === 'word' || token.kind === 'quoted name') && tokens[index + 1]?.text === '('
      ? [unquoted(token)]
      : [],
  );
  return [...new Set(called)];
}

/** The same SQL with other names of columns. Functions keep their names. */
export function withNames(text: string, names: ReadonlyMap<string, string>): string {
  const tokens = [...tokensOf(text)];
  return tokens
    .map((token, index) => {
      const isName = token.kind === 'word' || token.kind === 'quoted name';
      const next = tokens.slice(index + 1).find(({ kind }) => kind !== 'blank');
      const name = isName && next?.text !== '(' ? names.get(unquoted(token)) : undefined;
      if (name === undefined) return token.text;
      return token.kind === 'word' && /^[a-z_][a-z0-9_]*$/.test(name) ? name : ident(name);
    })
    .join('');
}

/** Whether the SQL uses a column of this name. */
export const hasName = (text: string, name: string): boolean =>
  withNames(text, new Map([[name, '']])) !== text;

/** Words whose result can change without a function call: other rows, the clock, the session. */
const CHANGING_WORD =
  /^(select|table|values|with|current_\w+|localtime|localtimestamp|session_user|system_user|user|uescape)$/i;
const CLOCK_WORD = /^(current_date|current_time|current_timestamp|localtime|localtimestamp)$/i;
const CLOCK_STRING = /^(now|today|tomorrow|yesterday)$/i;
/** Other values of a time, an array or a range of times. */
const PART_OF_TIME = /^([\d:.+-][\w:.+/-]*|am|pm|z|utc|gmt|allballs|[a-z]+\/[a-z_/]+|)$/i;
const ALL_CONTINUED = new RegExp(CONTINUED, 'g');

/** Text that gives another result each time it becomes a time: 'today', '[yesterday,)', 'now', also as a part. */
function isTimeDependent({ kind, text }: Token): boolean {
  if (kind !== 'string') return false;
  const content = text.replace(/^(?:[eE]?'|\$[^$]*\$)/, '').replace(/(?:'|\$[^$]*\$)$/, '');
  // The server interprets the escapes.
  if (/^[eE]/.test(text) ? content.includes('\\') : /\\[\da-f]{4}|\\\+[\da-f]{6}/i.test(content)) return true;
  const parts = content.replaceAll(ALL_CONTINUED, '').split(/[\s,"()[\]{}]+/);
  return (
    parts.some((part) => CLOCK_STRING.test(part)) &&
    parts.every((part) => CLOCK_STRING.test(part) || PART_OF_TIME.test(part))
  );
}

/** Whether a word, not a function, can give another result for the same row. */
export const hasChangingWord = (text: string): boolean =>
  [...tokensOf(text)].some(
    (token) => (token.kind === 'word' && CHANGING_WORD.test(token.text)) || isTimeDependent(token),
  );

const QUERY_WORD = /^(select|table|values)$/i;

/** Words with which a subquery begins. After a dot or before a dot they are names. */
export const queryWordsIn = (text: string): string[] => {
  const tokens = [...tokensOf(text)].filter(({ kind }) => kind !== 'blank');
  return tokens.flatMap((token, index) =>
    token.kind === 'word' && QUERY_WORD.test(token.text) && tokens[index - 1]?.text !== '.'
      ? [token.text.toLowerCase()]
      : [],
  );
};

/** SQL words for the current time. */
export const clockWordsIn = (text: string): string[] => [
  ...new Set(
    [...tokensOf(text)].flatMap((token) =>
      (token.kind === 'word' && CLOCK_WORD.test(token.text)) || isTimeDependent(token)
        ? [token.text.toLowerCase()]
        : [],
    ),
  ),
];
