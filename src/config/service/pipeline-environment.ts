/** The variables of one pipeline or connection, in an environment that serves many. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Environment } from '../../environment.ts';
import { VARIABLES } from '../environment/variables.ts';

export const withFiles = (names: readonly string[]): ReadonlySet<string> =>
  new Set(names.flatMap((name) => [name, `${name}_FILE`]));

const OURS = withFiles(VARIABLES.map(({ name }) => name));

/** `SHOP` of `SHOP_SOURCE_URL`, for a pipeline with the name "shop". */
const variablePrefix = (pipeline: string): string => pipeline.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_');

/** Variables without the prefix would apply to every pipeline, so the result has none of them. */
export function environmentOf(pipeline: string, environment: Environment): Environment {
  return { ...sharedIn(environment), ...withoutPrefix(environment, `${variablePrefix(pipeline)}_`, OURS) };
}

/** The variables that are for any program. */
export const sharedIn = (environment: Environment): Environment =>
  Object.fromEntries(
    Object.entries(environment).filter(
      ([name]) => !OURS.has(name) && !name.startsWith('SERVE_') && name !== 'CREDENTIALS_DIRECTORY',
    ),
  );

/**
 * The variables that begin with the prefix, without it. A file of $CREDENTIALS_DIRECTORY with such a name counts like a
 * variable that names the file.
 */
export function withoutPrefix(
  { CREDENTIALS_DIRECTORY: credentials, ...others }: Environment,
  prefix: string,
  known: ReadonlySet<string>,
): Environment {
  const own = Object.entries(others)
    .filter(([name]) => name.startsWith(prefix) && known.has(name.slice(prefix.length)))
    .map(([name, value]) => [name.slice(prefix.length), value] as const);
  const files = credentialsIn(credentials)
    .filter((name) => name.startsWith(prefix) && known.has(`${name.slice(prefix.length)}_FILE`))
    .map((name) => [`${name.slice(prefix.length)}_FILE`, join(credentials ?? '', name)] as const);
  return Object.fromEntries([...files, ...own]);
}

/** The names of the files of $CREDENTIALS_DIRECTORY. */
export function credentialsIn(directory: string | undefined): readonly string[] {
  if (!directory) return [];
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
