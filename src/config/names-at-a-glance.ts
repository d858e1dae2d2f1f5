/** The names of the tables for completion: at once, without a schema, and nothing rather than an error. */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { processEnvironment, type Environment } from './process-environment.ts';

/** @param flag what -C says */
export function namesAtAGlance(
  flag: string | undefined,
  environment: Environment = processEnvironment(),
): readonly string[] {
  try {
    const directory = resolve(atHome(flag) ?? (environment['INCREP_DIR'] || '.'));
    const text = readFileSync(join(directory, 'tables-config.json'), 'utf8').replace(/^\uFEFF/, '');
    const document: unknown = JSON.parse(text);
    const tables: unknown = Array.isArray(document) ? document : fieldOf(document, 'tables');
    const shared = Array.isArray(document) ? undefined : fieldOf(document, 'defaults');
    return Array.isArray(tables) ? tables.flatMap((table) => nameOf(table, shared) ?? []) : [];
  } catch {
    return [];
  }
}

/** The shell has not expanded what is still being typed. */
const atHome = (flag: string | undefined) => flag?.replace(/^~(?=\/|$)/, homedir());

const fieldOf = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[key] : undefined;

/** Behind its schema where it says one, which is right also of SOURCE_SCHEMA. */
function nameOf(table: unknown, defaults: unknown): string | undefined {
  const name = fieldOf(table, 'name');
  const schema = fieldOf(table, 'schema') ?? fieldOf(defaults, 'schema');
  if (typeof name !== 'string' || name === '') return undefined;
  return typeof schema === 'string' ? `${schema}.${name}` : name;
}
