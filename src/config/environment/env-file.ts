/** Reads `.env` and warns about lines that dotenv reads differently than the author may expect. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'dotenv';
import { ifForeign, protectCommand } from '../../ownership.ts';
import { misspelt, nearest } from '../../nearest.ts';
import { readText } from '../files.ts';
import type { Problem, ReportProblem, Warn } from '../problems.ts';
import type { Environment } from '../../environment.ts';
import { VARIABLES, variable } from './variables.ts';

/**
 * The pattern of dotenv for one assignment, with named groups. Unlike dotenv, a comment must be on the line of its
 * value.
 */
const ASSIGNMENT =
  /^\s*(?:export\s+)?(?<name>[\w.-]+)(?:\s*=\s*?|:\s+?)(?<value>\s*'(?:\\'|[^'])*'|\s*"(?:\\"|[^"])*"|\s*`(?:\\`|[^`])*`|[^#\r\n]+)?[^\S\r\n]*(?<comment>#.*)?$/gm;

const OUR_PREFIXES = /^(SOURCE|DEST|WEBHOOK|PIPELINE|LOG|STATE|METRICS|HEALTHCHECK|INCREP)_/;

export interface EnvFile {
  readonly variables: Environment;
  /** Lines that dotenv ignores. They are problems only if the configuration has other problems. */
  readonly doubtful: readonly Problem[];
  /** What dotenv does with a value, for each variable whose value is probably not what the author means. */
  readonly oddities: ReadonlyMap<string, Oddity>;
}

export interface Oddity {
  /** Continues "the value". */
  readonly what: string;
  /** Whether the value was certainly cut, so that it must not be used. */
  readonly isCut: boolean;
}

/** Undefined if there is no such file, or if a problem was reported. */
export async function readEnvFile(
  directory: string,
  report: ReportProblem,
  warn: Warn,
  /** Variables that the user has named. */
  named: readonly string[] = [],
): Promise<EnvFile | undefined> {
  const path = join(directory, '.env');
  const { text, ...failure } = await readText(path);
  if (text === undefined) {
    if (!('isMissing' in failure && failure.isMissing))
      report({ where: '.env', what: `${path} ${failure.fault}`, unreadable: await ifForeign(path) });
    return undefined;
  }
  if (text.includes('\0')) {
    report({ where: '.env', what: `${path} is not a text file in UTF-8` });
    return undefined;
  }
  await checkMode(path, warn);
  const oddities = new Map<string, Oddity>();
  checkAssignments(text, {
    warn,
    note: (name, oddity) => {
      oddities.set(name, oddity);
      if (!oddity.isCut) warn(`.env: the value of ${name} ${oddity.what}`);
    },
  });
  const variables: Environment = parse(text);
  const isNamed = (name: string) => named.includes(name.replace(/_FILE$/, ''));
  Object.keys(variables).forEach((name) => isNamed(name) || checkName(name, report));
  return { variables, doubtful: malformedLines(text), oddities };
}

/** Whether every value is read as it looks. */
export function isPlainText(text: string): boolean {
  let isPlain = true;
  const note = () => void (isPlain = false);
  checkAssignments(text, { warn: note, note });
  return isPlain && malformedLines(text).length === 0;
}

/** The text of the file without some of its variables, including values of several lines. */
export const withoutVariables = (text: string, names: readonly string[]): string =>
  text.replace(
    new RegExp(`${ASSIGNMENT.source}(?:\\r?\\n)?`, 'gm'),
    (assignment: string, ...rest: readonly unknown[]) => {
      const { name = '' } = rest.at(-1) as Readonly<Record<string, string | undefined>>;
      return names.includes(name) ? (/^\s*\n/.exec(assignment)?.[0] ?? '') : assignment;
    },
  );

async function checkMode(path: string, warn: Warn): Promise<void> {
  const mode = (await stat(path)).mode & 0o777;
  if (process.platform === 'win32' || (mode & 0o077) === 0) return;
  warn(`.env can be read by other users (mode 0${mode.toString(8)}); ${await protectCommand(path)}`);
}

/** Never shows a value, because it may be a password. */
function checkAssignments(
  text: string,
  { warn, note }: { warn: Warn; note: (name: string, oddity: Oddity) => void },
): void {
  const seen = new Set<string>();
  for (const { groups } of text.matchAll(ASSIGNMENT)) {
    const { name = '', value = '', comment } = groups ?? {};
    if (!isOurs(name)) continue;
    if (seen.has(name)) warn(`.env sets ${name} twice; the last value is used`);
    seen.add(name);
    const oddity = isQuoted(value) ? undefined : oddityOf(name, value, comment);
    if (oddity !== undefined) note(name, oddity);
    if (/\$\{\w+\}/.test(value)) warn(`.env: the value of ${name} contains \${...}, which is not expanded`);
  }
}

const isQuoted = (value: string) => /^\s*(['"`])[^]*\1$/.test(value);

/** A comment has a space before it. */
function oddityOf(name: string, value: string, comment: string | undefined): Oddity | undefined {
  if (comment !== undefined) {
    const isCut = !/\s$/.test(value);
    const orComment = isCut ? ', or put a space before the # if a comment begins there' : '';
    return {
      what: `ends before the #; quote the value (${name}='...') if the # is part of it${orComment}`,
      isCut,
    };
  }
  const what = 'begins with a quote that is never closed, so the quote is part of the value';
  return /^\s*['"`]/.test(value) ? { what, isCut: false } : undefined;
}

/** More lines than this are not listed one by one, because the file is something else. */
const MOST_MALFORMED = 3;

function malformedLines(text: string): Problem[] {
  const lines = text.replace(ASSIGNMENT, blank).split('\n');
  const malformed = lines.flatMap((line, index) =>
    /^\s*(#|$)/.test(line) ? [] : [{ number: index + 1, line }],
  );
  const [first] = malformed;
  if (first && malformed.length > MOST_MALFORMED) {
    const what = `${malformed.length} lines are not of the form NAME=value, the first is line ${first.number}`;
    return [{ where: '.env', what }];
  }
  return malformed.map(({ number, line }) => ({
    where: `.env, line ${number}`,
    what: `expected NAME=value${foundIn(line)}`,
  }));
}

/** Shows only the name of a variable of increp. Anything else may be a part of a password. */
function foundIn(line: string): string {
  const [, name = '', rest = ''] = /^\s*(?:export\s+)?(\w+)\s*(.*)/.exec(line) ?? [];
  return isKnown(name) ? `, found ${JSON.stringify(rest === '' ? name : `${name} ...`)}` : '';
}

/** Keeps the line numbers of the following lines. */
const blank = (text: string) => text.replace(/[^\n]/g, '');

const isKnown = (name: string) => variable(name.replace(/_FILE$/, '')) !== undefined;
const isOurs = (name: string) => isKnown(name) || OUR_PREFIXES.test(name);

const NAMES = VARIABLES.map((known) => known.name);

/** Names of other programs that are one typing mistake from a variable of increp. */
const FOREIGN = /^(?:(?:TEST|REST)_.*|LOGLEVEL)$/i;

/** The variable of increp that is probably meant by a name without its prefixes. */
function misspeltName(name: string): string | undefined {
  if (FOREIGN.test(name)) return undefined;
  const pointer = /_FILE$/i.exec(name)?.[0] ?? '';
  const base = name
    .slice(0, name.length - pointer.length)
    .replace(/^DESTINATION_/i, 'DEST_')
    .replace(/^SRC_/i, 'SOURCE_');
  const found = NAMES.find((known) => known === base) ?? misspelt(base, NAMES);
  return found === undefined ? undefined : `${found}${pointer.toUpperCase()}`;
}

/** Other programs may also use `.env`. So a name without a prefix of increp is refused only if it is nearly a variable. */
function checkName(name: string, report: ReportProblem): void {
  if (isKnown(name)) return;
  const where = `${name} (.env)`;
  if (name === 'INCREP_DIR') {
    return report({ where, what: 'cannot be set in .env, because it names the directory of .env' });
  }
  if (!OUR_PREFIXES.test(name)) {
    const suggestion = misspeltName(name);
    return suggestion === undefined ? undefined : report({ where, what: 'unknown variable', suggestion });
  }
  const suggestion = nearest(name, NAMES);
  const [prefix = ''] = name.split('_');
  const family = NAMES.filter((known) => known.startsWith(`${prefix}_`));
  report({
    where,
    what: 'unknown variable',
    suggestion,
    names: suggestion !== undefined || family.length === 0 ? undefined : family,
  });
}

/** Other programs may use such variables too. So only a name that is nearly a variable of increp causes a warning. */
export function checkEnvironment(environment: Environment, warn: Warn): void {
  for (const name of Object.keys(environment)) {
    if (isKnown(name) || !/^(SOURCE|DEST|WEBHOOK|PIPELINE)_/.test(name)) continue;
    const suggestion = nearest(name, NAMES);
    if (suggestion !== undefined) warn(`${name} (the environment) is unknown; did you mean ${suggestion}?`);
  }
}
