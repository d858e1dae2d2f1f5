import { IncrepError } from '../errors.ts';

/** One thing to correct. Nothing in here may be a secret: it is printed. */
export interface Problem {
  /** The file and the path in it, or the variable and where its value came from. */
  readonly where: string;
  readonly table?: string | undefined;
  readonly what: string;
  readonly allowed?: string | undefined;
  readonly suggestion?: string | undefined;
  /** A file that every pipeline has, and that is not there. */
  readonly isAbsence?: boolean;
}

/** Of options that are right each by itself. */
export interface Contradiction {
  readonly key: string;
  readonly what: string;
}

export type Report = (problem: Problem) => void;
export type Warn = (message: string) => void;

function describe({ where, table, what, allowed, suggestion }: Problem): string {
  const place = table === undefined ? where : `${where} (table ${cut(table)})`;
  const parts = [what];
  if (allowed !== undefined) parts.push(`allowed: ${allowed}`);
  if (suggestion !== undefined) parts.push(`did you mean ${suggestion}?`);
  return `  - ${place}: ${parts.join('; ')}`;
}

/** In a directory that is no pipeline: what would be wrong with one does not matter. */
export const noPipeline = (directory: string): IncrepError =>
  new IncrepError('CONFIG_INVALID', {
    what: `there is no pipeline in ${directory}: neither .env nor tables-config.json is there`,
    next: 'Run "increp init" to make one, or name the directory of another with -C or INCREP_DIR.',
  });

/** All problems as one error, so that nobody has to find them one run at a time. */
export function configError(problems: readonly Problem[]): IncrepError {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  return new IncrepError('CONFIG_INVALID', {
    what: [`${count} in the configuration:`, ...problems.map(describe)].join('\n'),
    next: 'Correct them and try again; docs/configuration.md describes every setting.',
  });
}

const LONGEST_SHOWN = 60;

const cut = (text: string) =>
  text.length <= LONGEST_SHOWN ? text : `${text.slice(0, LONGEST_SHOWN - 3)}...`;

/** A value as it stands in the file, cut where it would drown the message. */
export const show = (value: unknown): string => cut(JSON.stringify(value) ?? String(value));

/** `"a", "b" or "c"` */
export function alternatives(values: readonly string[]): string {
  const shown = values.map((value) => JSON.stringify(value));
  return [shown.slice(0, -1).join(', '), ...shown.slice(-1)].filter((part) => part !== '').join(' or ');
}
