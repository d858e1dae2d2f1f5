/** The variables of one pipeline of the service, in an environment that serves many pipelines. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Environment } from '../../environment.ts';
import { VARIABLES } from '../environment/variables.ts';

const OURS: ReadonlySet<string> = new Set(VARIABLES.flatMap(({ name }) => [name, `${name}_FILE`]));

/** `SHOP` of `SHOP_SOURCE_URL`, for a pipeline with the name "shop". */
const variablePrefix = (pipeline: string): string => pipeline.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_');

/**
 * Variables without the prefix would apply to every pipeline, so the result has none of them. A file of
 * $CREDENTIALS_DIRECTORY with such a name counts like a variable that names the file.
 */
export function environmentOf(pipeline: string, environment: Environment): Environment {
  const prefix = `${variablePrefix(pipeline)}_`;
  const { CREDENTIALS_DIRECTORY: credentials, ...others } = environment;
  const shared = Object.entries(others).filter(([name]) => !OURS.has(name) && !name.startsWith('SERVE_'));
  const own = Object.entries(others)
    .filter(([name]) => name.startsWith(prefix) && OURS.has(name.slice(prefix.length)))
    .map(([name, value]) => [name.slice(prefix.length), value] as const);
  const files = credentialsIn(credentials)
    .filter((name) => name.startsWith(prefix) && OURS.has(`${name.slice(prefix.length)}_FILE`))
    .map((name) => [`${name.slice(prefix.length)}_FILE`, join(credentials ?? '', name)] as const);
  return Object.fromEntries([...shared, ...files, ...own]);
}

function credentialsIn(directory: string | undefined): readonly string[] {
  if (!directory) return [];
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
