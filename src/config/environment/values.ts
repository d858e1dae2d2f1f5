/** The values of the variables, each with its origin. */
import { access, constants } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ownerOf } from '../../ownership.ts';
import { fileFault, hasCode } from '../../system-fault.ts';
import { readText } from '../files.ts';
import type { Problem, ReportProblem } from '../problems.ts';
import type { Environment } from '../../environment.ts';
import type { VariableName } from './variables.ts';
import { VARIABLES } from './variables.ts';

export type Overrides = Readonly<Partial<Record<VariableName, string>>>;

export interface Value {
  readonly text: string;
  /** The origin for messages: `.env`, `the environment`, a path. */
  readonly origin: string;
  /** Reads the value from its file again. Undefined if the value is not in a file. */
  readonly reread?: () => Promise<string | undefined>;
  /** Why the service that a connection string names could not be read. */
  readonly fault?: string;
}

export type Values = ReadonlyMap<VariableName, Value>;

interface Layers {
  readonly directory: string;
  readonly overrides: Overrides;
  readonly environment: Environment;
  /** The variables of `.env`; empty if there is none. */
  readonly envFile: Environment;
  readonly report: ReportProblem;
}

interface Layer {
  readonly origin: string;
  readonly values: Environment;
}

/**
 * In order of precedence: flags, the environment, a file that the environment names (`X_FILE`),
 * `$CREDENTIALS_DIRECTORY/X`, `.env`, a file that `.env` names. The environment of a process (from a shell, Docker or
 * systemd) is meant for this run. So it wins over the file in the directory.
 */
export async function readValues(layers: Layers): Promise<Values> {
  const values = new Map<VariableName, Value>();
  const problem = await credentialsProblem(layers.environment);
  if (problem) layers.report(problem);
  for (const { name } of VARIABLES) {
    const value =
      inline({ values: layers.overrides, origin: 'the command line' }, name) ??
      (await readNamed(name, layers));
    if (value) values.set(name, value);
  }
  return values;
}

/** The same for variables that the user has named. */
export async function readNamedValues(
  names: readonly string[],
  layers: Omit<Layers, 'overrides'>,
): Promise<ReadonlyMap<string, Value>> {
  const values = new Map<string, Value>();
  for (const name of names) {
    const value = await readNamed(name, layers);
    if (value) values.set(name, value);
  }
  return values;
}

const readNamed = async (name: string, layers: Omit<Layers, 'overrides'>): Promise<Value | undefined> =>
  (await inLayer({ values: layers.environment, origin: 'the environment' }, name, layers)) ??
  (await inCredentials(name, layers)) ??
  (await inLayer({ values: layers.envFile, origin: '.env' }, name, layers));

/** An empty variable counts as not set, because shells and compose files write "none" like this. */
function inline({ values, origin }: Layer, name: string): Value | undefined {
  const text = values[name];
  return text === undefined || text === '' ? undefined : { text, origin };
}

async function inLayer(
  layer: Layer,
  name: string,
  { directory, report }: Pick<Layers, 'directory' | 'report'>,
) {
  const value = inline(layer, name);
  const pointer = inline(layer, `${name}_FILE`);
  if (value && pointer) {
    report({
      where: `${name} (${layer.origin})`,
      what: `set together with ${name}_FILE; remove one of them`,
    });
  }
  if (value || !pointer) return value;
  const path = resolve(directory, pointer.text);
  const file = await readText(path);
  const found = fromFile(path, file.text);
  if (!found)
    report({ where: `${name}_FILE (${layer.origin})`, what: `${path} ${file.fault ?? 'is empty'}` });
  return found;
}

/** Without the right to search the directory, each of its files would be a problem. */
async function credentialsProblem({
  CREDENTIALS_DIRECTORY: folder,
}: Environment): Promise<Problem | undefined> {
  if (!folder) return undefined;
  const error = await access(folder, constants.X_OK).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!hasCode(error, 'EACCES')) return undefined;
  const owner = ownerOf(folder);
  return {
    where: 'CREDENTIALS_DIRECTORY (the environment)',
    what: `${folder} cannot be read: ${fileFault(error)}; it belongs to ${owner === undefined ? 'another user' : `user "${owner}"`}`,
    next: `Run the command as ${owner === undefined || owner === 'root' ? '' : `user "${owner}" or as `}root. To see how, run "increp help systemd".`,
  };
}

/** LoadCredential= of systemd creates one file per credential in this directory. */
async function inCredentials(name: string, { environment, report }: Pick<Layers, 'environment' | 'report'>) {
  const folder = environment['CREDENTIALS_DIRECTORY'];
  if (!folder || (await credentialsProblem(environment))) return undefined;
  const path = join(folder, name);
  const file = await readText(path);
  if (file.fault !== undefined && !file.isMissing) {
    report({ where: `${name} ($CREDENTIALS_DIRECTORY)`, what: `${path} ${file.fault}` });
  }
  return fromFile(path, file.text);
}

/** Editors and `echo` end a file with a newline that is not part of the secret. */
function fromFile(path: string, content = ''): Value | undefined {
  const text = content.replace(/\r?\n$/, '');
  const reread = async () => fromFile(path, (await readText(path)).text)?.text;
  return text === '' ? undefined : { text, origin: path, reread };
}
