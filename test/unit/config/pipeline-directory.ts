import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { loadSettings } from '../../../src/config/load.ts';
import type { Settings } from '../../../src/config/settings.ts';
import type { Environment } from '../../../src/environment.ts';
import type { Overrides } from '../../../src/config/environment/values.ts';
import { IncrepError } from '../../../src/errors.ts';

/** The least that connects; a test adds or replaces what it is about. */
export const CONNECTIONS = {
  SOURCE_HOST: 'db',
  SOURCE_USERNAME: 'reader',
  SOURCE_DB: 'shop',
  DEST_HOST: 'warehouse',
  DEST_USERNAME: 'writer',
  DEST_DB: 'analytics',
};

export const TABLE = { name: 'orders', replication_key: 'updated_at', unique_cols: ['id'] };

export interface PipelineDirectory extends AsyncDisposable {
  readonly directory: string;
  readonly write: (file: string, text: string, mode?: number) => Promise<string>;
  readonly load: (environment?: Environment, overrides?: Overrides) => Promise<Settings>;
  /** The error that loading ends with. */
  readonly refusal: (environment?: Environment, overrides?: Overrides) => Promise<IncrepError>;
}

/** A directory with these files and a sound tables-config.json unless that is given, or undefined. */
export async function pipelineDirectory(
  files: Record<string, string | undefined> = {},
): Promise<PipelineDirectory> {
  const directory = await mkdtemp(join(tmpdir(), 'increp-config-'));
  const write = async (file: string, text: string, mode = 0o600) => {
    const path = join(directory, file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text, { mode });
    return path;
  };
  for (const [file, text] of Object.entries({ 'tables-config.json': JSON.stringify([TABLE]), ...files })) {
    if (text !== undefined) await write(file, text);
  }
  const load = (environment: Environment = CONNECTIONS, overrides: Overrides = {}) =>
    // No password file of the developer.
    loadSettings({ directory, environment: { HOME: directory, ...environment }, overrides });
  const refusal = async (environment?: Environment, overrides?: Overrides) => {
    const thrown = await load(environment, overrides).catch((error: unknown) => error);
    if (thrown instanceof IncrepError) return thrown;
    throw new Error('the configuration was accepted', { cause: thrown });
  };
  return {
    directory,
    write,
    load,
    refusal,
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  };
}

/** As lines of a `.env`. */
export const envFile = (variables: Record<string, string>) =>
  Object.entries(variables)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
