import { basename, dirname } from 'node:path';
import { IncrepError } from '../errors.ts';
import { accessCommand, isDirectory } from '../ownership.ts';
import { formatCount, formatCounted, listed } from '../format.ts';

/** One problem of the configuration. No field may be a secret, because it is printed. */
export interface Problem {
  /** The file and the path in it, or the variable and the origin of its value. */
  readonly where: string;
  readonly table?: string | undefined;
  readonly what: string;
  readonly allowed?: string | undefined;
  /** All names that are allowed, if none of them is near. */
  readonly names?: readonly string[] | undefined;
  readonly suggestion?: string | undefined;
  /** The path of a file of another user that cannot be read. No change of the configuration helps. */
  readonly unreadable?: string | undefined;
  /** What helps, if no change of the configuration does. */
  readonly next?: string | undefined;
  /** True for a missing file that every pipeline has. */
  readonly isAbsence?: boolean;
}

/** A conflict between options that are valid on their own. */
export interface Contradiction {
  readonly key: string;
  readonly what: string;
}

export type ReportProblem = (problem: Problem) => void;
export type Warn = (message: string) => void;

function problemText(group: ProblemGroup, index: number, groups: readonly ProblemGroup[]): string {
  const [{ what, allowed, names, suggestion }] = group;
  const parts = [what];
  if (allowed !== undefined) parts.push(`allowed: ${allowed}`);
  if (names) {
    const isListed = groups.slice(0, index).some(([earlier]) => earlier.names?.join() === names.join());
    parts.push(`allowed:${isListed ? ' the names above' : wrapped(names)}`);
  }
  if (suggestion !== undefined) parts.push(`did you mean ${suggestion}?`);
  return `  - ${placeText(group)}: ${parts.join('; ')}`;
}

const MOST_NAMED = 5;

/** `tables-config.json, tables[3].mode (tables orders, items and 3 more)` */
function placeText(group: ProblemGroup): string {
  const [{ where }] = group;
  const tables = group.flatMap(({ table }) => (table === undefined ? [] : [cut(table)]));
  if (tables.length === group.length)
    return `${where} (${tables.length === 1 ? 'table' : 'tables'} ${listed(tables, MOST_NAMED)})`;
  const others = group.length - 1;
  return others === 0 ? where : `${where} and ${formatCount(others)} more`;
}

const LIST_WIDTH = 90;

/** Lines of names below the problem, unless one line is enough. */
function wrapped(names: readonly string[]): string {
  const lines = names.reduce<readonly string[]>((before, name) => {
    const last = before.at(-1);
    return last === undefined || last.length + name.length > LIST_WIDTH
      ? [...before, name]
      : [...before.slice(0, -1), `${last}, ${name}`];
  }, []);
  if (lines.length === 1) return ` ${names.join(', ')}`;
  return lines.map((line) => `\n      ${line}`).join(',');
}

type ProblemGroup = readonly [Problem, ...Problem[]];

/** The same problem of several entries is one line, because it usually has one cause. */
function groupsOf(problems: readonly Problem[]): readonly ProblemGroup[] {
  const kindOf = ({ where, what, allowed, names, suggestion }: Problem) =>
    JSON.stringify([where.replace(/\[\d+\]/, ''), what, allowed, names, suggestion]);
  const groups = Map.groupBy(problems, kindOf).values();
  return [...groups].flatMap(([first, ...others]) =>
    first === undefined ? [] : [[first, ...others] as const],
  );
}

/** For a directory that is not a pipeline. Other problems are then irrelevant. */
export const noPipeline = (directory: string): IncrepError =>
  new IncrepError('CONFIG_INVALID', {
    what: `there is no pipeline in ${directory}: it has neither .env nor tables-config.json`,
    next: 'Name the directory of a pipeline with -C or INCREP_DIR. To create a pipeline, run "increp init".',
  });

/**
 * Reports all problems in one error, so that one run finds them all. `alsoForeign`: other paths of the pipeline that belong
 * to another user. A pipeline of the API has no directory.
 */
export function configError(
  problems: readonly Problem[],
  directory: string | undefined,
  {
    pipeline = basename(directory ?? ''),
    alsoForeign = [],
    file = 'the configuration',
    next = 'Fix the configuration, then run the command again.',
  }: {
    readonly pipeline?: string | undefined;
    readonly alsoForeign?: readonly string[];
    /** What was read. */
    readonly file?: string;
    readonly next?: string | undefined;
  } = {},
): IncrepError {
  const unreadable = problems.flatMap((problem) => problem.unreadable ?? []);
  const groups = groupsOf(problems);
  const own = problems.find((problem) => problem.next !== undefined);
  const foreign = placesOf([...unreadable, ...alsoForeign], directory);
  const others = (count: number) => (count < problems.length ? 'Fix the other problems. ' : '');
  return new IncrepError('CONFIG_INVALID', {
    what: [
      `${formatCounted(problems.length, 'problem')} in ${file} of ${pipeline === '' ? 'the pipeline' : `pipeline ${pipeline}`}${directory === undefined ? '' : ` in ${directory}`}:`,
      ...groups.map(problemText),
    ].join('\n'),
    next:
      unreadable.length > 0
        ? `${others(unreadable.length)}${accessCommand(foreign, `Give the ${foreign.length > 1 || foreign.some(isDirectory) ? 'files' : 'file'} to the user that runs increp, then run the command again; `)}`
        : own
          ? `${others(1)}${own.next}`
          : `${next} For every setting, see "increp help configuration".`,
  });
}

/** The directory in place of several paths in it, so that one command is enough. */
function placesOf(paths: readonly string[], directory: string | undefined): readonly string[] {
  const different = [...new Set(paths)];
  const isInside = (path: string) => path === directory || dirname(path) === directory;
  return directory !== undefined && different.length > 1 && different.every(isInside)
    ? [directory]
    : different;
}

/** The same for `serve` and `work`, which read only variables. */
export const serviceError = (problems: readonly Problem[]): IncrepError =>
  new IncrepError('CONFIG_INVALID', {
    what: ['the service cannot start with these variables:', ...groupsOf(problems).map(problemText)].join(
      '\n',
    ),
    next: 'Set the variables, then run the command again. For all variables, see "increp help service".',
  });

const LONGEST_SHOWN = 60;

const cut = (text: string) =>
  text.length <= LONGEST_SHOWN ? text : `${text.slice(0, LONGEST_SHOWN - 3)}...`;

/** A value as it is in the file, cut if it is long. */
export const show = (value: unknown): string => cut(JSON.stringify(value) ?? String(value));

/** `"a", "b" or "c"` */
export function alternatives(values: readonly string[]): string {
  const shown = values.map((value) => JSON.stringify(value));
  return [shown.slice(0, -1).join(', '), ...shown.slice(-1)].filter((part) => part !== '').join(' or ');
}
