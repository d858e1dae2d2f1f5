/** Connection strings as people paste them, on real servers. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { freshPair, type Pair } from '../support/pair.ts';

const withSource = (pair: Pair, SOURCE_URL: string) =>
  pair.setEnv({
    SOURCE_HOST: undefined,
    SOURCE_PORT: undefined,
    SOURCE_USERNAME: undefined,
    SOURCE_PASSWORD: undefined,
    SOURCE_DB: undefined,
    SOURCE_URL,
  });

interface Config {
  readonly notes: readonly string[];
  readonly warnings: readonly string[];
}

interface Check {
  readonly findings: readonly { readonly code: string; readonly message: string }[];
}

test('parameters of frameworks are one note in check and config, and the sync works', async () => {
  await using pair = await freshPair('orders');
  const { host, port, user, password, database } = pair.login('source', 'increp');
  await withSource(
    pair,
    `postgresql://${host}/${database}?user=${user}&password=${encodeURIComponent(password)}&port=${port}&pgbouncer=true&connection_limit=1&schema=sales`,
  );
  const note =
    'source: increp ignores "pgbouncer", "connection_limit", "schema" in the connection URL; to name the schema of the tables, set SOURCE_SCHEMA';
  expect((await increp('config --json', pair)).json<Config>()).toMatchObject({ notes: [note], warnings: [] });
  expect((await increp('config', pair)).stdout).toContain(`note: ${note}`);
  const { findings } = (await increp('check --json', pair)).json<Check>();
  expect(findings.filter(({ code }) => code === 'URL_PARAMETER')).toMatchObject([{ message: note }]);
  expect((await increp('sync', pair)).exitCode).toBe(0);
});
