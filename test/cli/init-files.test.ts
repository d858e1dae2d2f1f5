/** `increp init` in scripts: what it writes, and what it leaves alone. */
import { chmod, chown, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { parse } from 'dotenv';
import { describe, expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import { ordersPreset } from '../support/shop.ts';
import { slowTest } from '../support/tier.ts';
import { variables, init, written, read, type InitJson } from '../support/init.ts';

describe('what is written', () => {
  slowTest('is a pipeline that needs nothing more: check and sync work in it', async () => {
    await using pair = await freshPair(ordersPreset);
    const result = await init(pair, '--yes --all-tables');
    expect(result.exitCode, result.stderr).toBe(0);
    expect(result.stdout.trimEnd().split('\n').at(-1)).toBe(
      `Next: increp -C ${join(pair.directory, 'new')} check`,
    );
    expect(result.stdout).not.toContain('\u001b');
    const env = parse(await read(pair, '.env'));
    expect(env).toEqual(variables(pair));
    expect((await stat(join(pair.directory, 'new', '.env'))).mode & 0o777).toBe(0o600);
    expect(await read(pair, '.gitignore')).toBe('.env\nsync-state/\n');
    const schema = JSON.parse(await read(pair, 'tables-config.schema.json')) as object;
    expect(schema).toHaveProperty('$schema');
    const checked = await increp('-C new check', pair);
    expect(checked.exitCode, checked.stdout).toBe(0);
    const synced = await increp('-C new sync --json', pair);
    expect(synced.exitCode, synced.stderr).toBe(0);
    expect((await pair.destination.query('SELECT count(*)::int AS n FROM orders')).rows).toEqual([{ n: 10 }]);
  });

  test('the next command begins with npx once if npx started increp', async () => {
    await using pair = await freshPair(ordersPreset);
    const env = { ...variables(pair), npm_command: 'exec' };
    const { stdout } = await increp('init --yes --all-tables --force', pair, { env });
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('Next: npx increp check');
    const { next } = (await increp('init --yes --all-tables --force --json', pair, { env })).json<InitJson>();
    expect(next).toBe('npx increp check');
  });

  test('again with the same answers it changes nothing', async () => {
    await using pair = await freshPair(ordersPreset);
    await init(pair, '--yes --all-tables');
    const { files } = (await init(pair, '--yes --all-tables --json')).json<InitJson>();
    expect(files.map(({ change }) => change)).toEqual(['none', 'none', 'none', 'none']);
    // The .env that is there is an answer as well.
    expect((await init(pair, '--yes --all-tables', {})).exitCode).toBe(0);
  });

  test('nothing that exists is overwritten without --force, and the rest of a .env stays', async () => {
    await using pair = await freshPair(ordersPreset);
    await mkdir(join(pair.directory, 'new'));
    const before = {
      '.env': "# mine\nSOURCE_HOST=old\nWEBHOOK_SECRET='kept # with me'\n",
      'tables-config.json': '[]\n',
      '.gitignore': 'dist/',
    };
    const put = (name: string, text: string) => writeFile(join(pair.directory, 'new', name), text);
    for (const [name, text] of Object.entries(before)) await put(name, text);
    const refused = await init(pair, '--yes --all-tables');
    expect(refused.exitCode).toBe(64);
    expect(refused.stderr).toContain('.env and tables-config.json would be overwritten');
    expect(refused.stderr).toContain('--force');
    for (const [name, text] of Object.entries(before)) expect(await read(pair, name)).toBe(text);
    expect(await written(pair)).toHaveLength(3);
    const forced = await init(pair, '--yes --all-tables --force');
    expect(forced.exitCode, forced.stderr).toBe(0);
    expect(parse(await read(pair, '.env'))).toEqual({ ...variables(pair), WEBHOOK_SECRET: 'kept # with me' });
    expect(await read(pair, '.gitignore')).toBe('dist/\n.env\nsync-state/\n');
    expect(await written(pair)).toHaveLength(4);
  });

  test('invalid JSON, and a list of destinations, are reported at once', async () => {
    await using pair = await freshPair(ordersPreset);
    const config = join(pair.directory, 'tables-config.json');
    const answers = 'init --yes --all-tables';
    await writeFile(config, '{ "tables": [],\n}');
    const invalid = await increp(answers, pair);
    expect(invalid.exitCode).toBe(78);
    expect(invalid.stderr).toMatch(/tables-config.json, line 1, column 15: JSON allows no comma[^]*--force/);
    await writeFile(config, '{ "destinations": [], "tables": [] }');
    const DEST_URLS = pair.destinationUrl();
    for (const [env, what] of [
      [{}, '"destinations" in tables-config.json is for several destinations'],
      [{ DEST_URLS }, 'DEST_URLS (the environment) is for several destinations'],
    ] as const) {
      const refused = await increp(answers, pair, { env });
      expect(refused.exitCode).toBe(64);
      expect(refused.stderr).toContain(what);
      expect(refused.stderr).toContain('increp help several-destinations');
    }
    expect((await increp(`${answers} --force`, pair)).exitCode).toBe(0);
  });

  test('the sample of a clone goes without asking', async () => {
    await using pair = await freshPair(ordersPreset);
    await mkdir(join(pair.directory, 'new'));
    const sample = await readFile(new URL('../../tables-config.json', import.meta.url), 'utf8');
    await writeFile(join(pair.directory, 'new', 'tables-config.json'), sample);
    const elsewhere = await init(pair, '--yes --all-tables');
    expect(elsewhere.exitCode).toBe(0);
    expect(elsewhere.stdout).not.toContain('Git tracks');
    expect(await read(pair, 'tables-config.json')).toContain('"orders"');
  });

  test('in a clone of increp, a note says that git tracks the file', async () => {
    await using pair = await freshPair(ordersPreset);
    await mkdir(join(pair.directory, 'new', '.git'), { recursive: true });
    await writeFile(join(pair.directory, 'new', 'package.json'), '{\n  "name": "increp"\n}\n');
    const result = await init(pair, '--yes --all-tables');
    expect(result.stdout).toMatch(/note: Git tracks tables-config\.json here[^]*increp -C ~\/shop init/);
    expect((await init(pair, '--yes --all-tables')).stdout).not.toContain('Git tracks');
  });

  test('a secret in a file stays there: its path is written', async () => {
    await using pair = await freshPair(ordersPreset);
    const path = join(pair.directory, 'password');
    const { DEST_PASSWORD, ...others } = variables(pair);
    await writeFile(path, `${String(DEST_PASSWORD)}\n`);
    const result = await init(pair, '--yes --all-tables', { ...others, DEST_PASSWORD_FILE: path });
    expect(result.exitCode, result.stderr).toBe(0);
    expect(parse(await read(pair, '.env'))).toEqual({ ...others, DEST_PASSWORD_FILE: path });
    expect((await increp('-C new check', pair)).exitCode).toBe(0);
    await rm(path);
  });

  test('a URL stays a URL, schemas and name are written beside it', async () => {
    await using pair = await freshPair({ ...ordersPreset, schema: 'Shop 1' });
    const urls = { SOURCE_URL: pair.sourceUrl('increp'), DEST_URL: pair.destinationUrl('increp') };
    const result = await increp(
      [
        'init',
        '-C',
        'new',
        '--yes',
        '--all-tables',
        '--source-schema',
        'Shop 1',
        '--dest-schema',
        "it's",
        '--pipeline-name',
        'p #1',
      ],
      pair,
      { env: urls },
    );
    expect(result.exitCode, result.stderr).toBe(0);
    expect(parse(await read(pair, '.env'))).toEqual({
      ...urls,
      SOURCE_SCHEMA: 'Shop 1',
      DEST_SCHEMA: "it's",
      PIPELINE_NAME: 'p #1',
    });
    expect((await increp('-C new sync', pair)).exitCode).toBe(0);
  });

  slowTest('a password that nothing can quote is written as a URL', async () => {
    await using pair = await freshPair(ordersPreset);
    const password = `Ab1'"\`#\\ ${'z'.repeat(8)}`;
    const { user } = pair.login('destination', 'increp');
    await pair.destination.query(`ALTER ROLE ${user} PASSWORD '${password.replaceAll("'", "''")}'`);
    const env = { ...variables(pair), DEST_PASSWORD: password };
    const result = await init(pair, '--yes --all-tables', env);
    expect(result.exitCode, result.stderr).toBe(0);
    expect(parse(await read(pair, '.env'))['DEST_URL']).toContain('%27%22%60%23');
    expect((await increp('-C new check', pair)).exitCode).toBe(0);
  });

  test('where it cannot be written nothing is left', async () => {
    await using pair = await freshPair(ordersPreset);
    const directory = join(pair.directory, 'new');
    await mkdir(join(directory, 'tables-config.json'), { recursive: true });
    const result = await init(pair, '--yes --all-tables --force');
    expect(result.exitCode).toBe(78);
    expect(result.stderr).toContain('tables-config.json is a directory');
    expect(await written(pair)).toEqual(['tables-config.json']);
    await chmod(directory, 0o700);
  });

  test('a role that may write at the source deserves a word', async () => {
    await using pair = await freshPair(ordersPreset);
    const { user } = pair.login('source', 'increp');
    await pair.source.query(`GRANT UPDATE ON orders TO ${user}`);
    const { stdout } = await init(pair, '--yes --all-tables');
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain(
      `warning: role "${user}" may write to orders at the source`,
    );
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain('note: No trigger sets updated_at of orders.');
    const { notes } = (await init(pair, '--yes --tables orders --json --force')).json<InitJson>();
    expect(notes).toEqual([
      expect.stringContaining('No trigger sets updated_at of orders.'),
      expect.stringMatching(/^Rows that are deleted at the source stay.*every 24 hours.*sync --deletes/),
    ]);
  });
});

test('files that root creates belong to the owner of the directory', async () => {
  await using pair = await freshPair(ordersPreset);
  const nobody = 65_534;
  if (process.getuid?.() === 0) await chown(pair.directory, nobody, nobody);
  const { uid } = await stat(pair.directory);
  const { stdout } = await init(pair, '--yes --all-tables');
  expect(stdout.includes(`new files belong to the owner of the directory, user ${nobody}`)).toBe(
    uid === nobody,
  );
  for (const name of ['', '.env', 'tables-config.json', '.gitignore'])
    expect((await stat(join(pair.directory, 'new', name))).uid, name).toBe(uid);
});
