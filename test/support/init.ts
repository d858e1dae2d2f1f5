/** `increp init` without questions, in a directory of its own: its settings, its files and its JSON. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { increp } from './increp.ts';
import type { Pair, Side } from './pair.ts';

export interface InitJson {
  readonly type: string;
  readonly files: readonly { readonly name: string; readonly change: string }[];
  readonly tables: readonly {
    readonly name: string;
    readonly replication_key: string | null;
    readonly unique_cols: readonly string[];
    readonly mode?: string;
  }[];
  readonly read_whole: readonly { readonly name: string; readonly message: string; readonly hint: string }[];
  readonly left_out: readonly { readonly name: string; readonly message: string; readonly hint: string }[];
  readonly warnings: readonly string[];
  readonly notes: readonly string[];
  readonly next: string;
}

export const side = (pair: Pair, prefix: string, which: Side) => {
  const { host, port, user, password, database } = pair.login(which, 'increp');
  return {
    [`${prefix}_HOST`]: host,
    [`${prefix}_PORT`]: String(port),
    [`${prefix}_USERNAME`]: user,
    [`${prefix}_PASSWORD`]: password,
    [`${prefix}_DB`]: database,
  };
};

export const variables = (pair: Pair) => ({
  ...side(pair, 'SOURCE', 'source'),
  ...side(pair, 'DEST', 'destination'),
});

/** In a directory of its own, which is still to be made. */
export const init = (pair: Pair, args: string, env: Record<string, string | undefined> = variables(pair)) =>
  increp(`init -C new ${args}`, pair, { env });

export const written = (pair: Pair) => readdir(join(pair.directory, 'new')).catch(() => 'nothing');
export const read = (pair: Pair, name: string) => readFile(join(pair.directory, 'new', name), 'utf8');
