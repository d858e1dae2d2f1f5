/** `increp config`: what is in force and where it comes from, without a server and without a secret. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { ORDERS_CONFIG } from '../support/shop.ts';

interface Shown {
  readonly value: unknown;
  readonly from: string | null;
}

interface Config {
  readonly type: string;
  readonly version: string;
  readonly directory: string;
  readonly files: Record<string, string>;
  readonly settings: Record<string, Shown>;
  readonly tables: readonly { readonly name: string; readonly options: Record<string, Shown> }[];
  readonly warnings: readonly string[];
  readonly error: { readonly code: string } | null;
}

/** Nobody answers there; and no HOME, no locale, nothing. */
async function offline(pair: Pair): Promise<void> {
  await pair.setEnv({ SOURCE_HOST: 'no-such-host.invalid', DEST_PORT: '1' });
}

test('every setting with its value and its place, every option of a table with its', async () => {
  await using pair = await freshPair('orders');
  await offline(pair);
  const credentials = join(pair.directory, 'credentials');
  await mkdir(credentials);
  await writeFile(join(credentials, 'DEST_USERNAME'), 'from-systemd\n');
  await pair.writeTables({
    jobs: 4,
    schedule: { every: '30s' },
    defaults: { unique_cols: ['id'], lookback: '1m' },
    tables: [{ name: 'orders', replication_key: 'updated_at', deletes: 'soft' }],
  });
  const env = { CREDENTIALS_DIRECTORY: credentials, LOG_LEVEL: 'debug' };
  const { stdout, exitCode } = await increp('config --json', pair, { env });
  expect(exitCode).toBe(0);
  const config = JSON.parse(stdout) as Config;
  expect(config).toMatchObject({ type: 'config', directory: pair.directory, warnings: [], error: null });
  expect(config.files).toMatchObject({
    '.env': join(pair.directory, '.env'),
    state: join(pair.directory, 'sync-state'),
  });
  expect(config.settings).toMatchObject({
    SOURCE_HOST: { value: 'no-such-host.invalid', from: '.env' },
    SOURCE_PASSWORD: { value: '***', from: '.env' },
    SOURCE_URL: { value: null, from: null },
    DEST_USERNAME: { value: 'from-systemd', from: join(credentials, 'DEST_USERNAME') },
    STALL_TIMEOUT: { value: '2m', from: 'default' },
    LOG_LEVEL: { value: 'debug', from: 'the environment' },
    jobs: { value: '4', from: 'tables-config.json' },
    schedule: { value: '{"every":"30s"}', from: 'tables-config.json' },
  });
  expect(config.tables).toMatchObject([
    {
      name: 'orders',
      options: {
        dest_name: { value: 'orders', from: 'built in' },
        replication_key: { value: 'updated_at', from: 'the table' },
        unique_cols: { value: ['id'], from: 'defaults' },
        lookback: { value: '1m', from: 'defaults' },
        deletes: { value: 'soft', from: 'the table' },
        null_keys: { value: 'warn', from: 'built in' },
        max_staleness: { value: null, from: 'built in' },
      },
    },
  ]);
});

test('of a URL its parts are shown, and no secret of any length', async () => {
  await using pair = await freshPair('orders');
  const single = Object.fromEntries(
    ['HOST', 'PORT', 'USERNAME', 'PASSWORD', 'DB', 'SSLMODE'].map((field) => [`SOURCE_${field}`, undefined]),
  );
  const url = (password: string) => `postgresql://r%40x:${password}@[2001:db8::1]:5433/shop?sslmode=disable`;
  const outputs = [];
  for (const password of ['x', 'A-very-long-Password-%23-1']) {
    await pair.setEnv({
      ...single,
      SOURCE_URL: url(password),
      WEBHOOK_URL: 'https://hooks.example.com/Path-Token-88',
    });
    outputs.push((await increp('config', pair)).stdout);
  }
  const [short = '', long = ''] = outputs;
  expect(short).toBe(long);
  expect(short).toMatch(/^ {2}SOURCE_HOST +2001:db8::1 +SOURCE_URL$/m);
  expect(short).toMatch(/^ {2}SOURCE_PORT +5433 +SOURCE_URL$/m);
  expect(short).toMatch(/^ {2}SOURCE_USERNAME +r@x +SOURCE_URL$/m);
  expect(short).toMatch(/^ {2}SOURCE_SSLMODE +disable +SOURCE_URL$/m);
  expect(short).toMatch(/^ {2}SOURCE_PASSWORD +\*\*\* +SOURCE_URL$/m);
  expect(short).toMatch(/^ {2}WEBHOOK_URL +\*\*\* +\.env$/m);
});

test('what is wrong is told after what could be read', async () => {
  await using pair = await freshPair('orders');
  await pair.setEnv({ SOURCE_PORT: 'many', DEST_HOST: undefined, SOURCE_DB: pair.sourceUrl('increp') });
  await pair.writeTables([{ ...ORDERS_CONFIG, lookbak: '1m' }]);
  const { exitCode, stdout, stderr } = await increp('config', pair);
  expect(exitCode).toBe(78);
  expect(stdout).toMatch(/^ {2}SOURCE_PORT +many +\.env$/m);
  expect(stdout).toMatch(/^ {2}SOURCE_DB +\*\*\* +\.env$/m);
  expect(stdout).toMatch(/not set: [^]*DEST_HOST/);
  expect(stderr).toMatch(
    /^error: 4 problems in the configuration of pipeline .* in .* \(CONFIG_INVALID\):\n/,
  );
  const json = await increp('config --json', pair);
  expect(json.exitCode).toBe(78);
  expect(json.json<Config>().error?.code).toBe('CONFIG_INVALID');
});

test('a pattern chooses tables, and dest_name is the name without escapes', async () => {
  await using pair = await freshPair('orders');
  const mode = 'full-refresh';
  await pair.writeTables(['t_1', 't_2', 'a\\*b', 'orders'].map((name) => ({ name, mode })));
  const { tables } = (await increp(['config', '--json', 't_*', 'a*b'], pair)).json<Config>();
  expect(tables.map(({ name }) => name)).toEqual(['t_1', 't_2', 'a*b']);
  expect(tables[2]?.options['dest_name']).toEqual({ value: 'a*b', from: 'built in' });
  const none = await increp(['config', 'x*'], pair);
  expect(none.stderr).toContain('no table in tables-config.json matches "x*"');
});

test('with several destinations, the address of a single one has no default', async () => {
  await using pair = await freshPair('orders');
  const single = ['HOST', 'PORT', 'USERNAME', 'PASSWORD', 'DB'].map((name) => [`DEST_${name}`, undefined]);
  const DEST_URLS = 'a=postgres://w@a.invalid/x b=postgres://w@b.invalid/x';
  await pair.setEnv({ ...Object.fromEntries(single), DEST_URLS });
  const { settings } = (await increp('config --json', pair)).json<Config>();
  expect(settings['DEST_PORT']).toEqual({ value: null, from: null });
  expect(settings['SOURCE_PORT']?.value).not.toBeNull();
});

test('a table that is not there, an empty directory, and one that is no directory', async () => {
  await using pair = await freshPair('orders');
  const misspelt = await increp('config ordes', pair);
  expect(misspelt.exitCode).toBe(64);
  expect(misspelt.stderr).toContain('did you mean "orders"?');
  const empty = join(pair.directory, 'empty');
  await mkdir(empty);
  const nothing = await increp(['-C', empty, 'config'], pair);
  expect(nothing.exitCode).toBe(78);
  expect(nothing.stdout).toBe('');
  expect(nothing.stderr).toMatch(
    /^error: there is no pipeline in .*\n {2}next: Name [^\n]*\. To create a pipeline:\n {10}increp -C \S+ init$/m,
  );
  expect((await increp(['-C', '/nowhere', 'config'], pair)).exitCode).toBe(64);
});
