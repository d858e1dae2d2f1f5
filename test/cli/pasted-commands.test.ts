/** What is printed to be typed works when it is pasted into a shell, whatever tables are called. */
import { execFile } from 'node:child_process';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const HOSTILE = ['$(touch x)', '`touch x`', 'a b', "it's", '-x', 'two\nlines', 'Escap3e;', '"', 'x=y'];
const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;

/** The words that a shell makes of a line. */
async function wordsOf(line: string, directory: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)('bash', ['-c', String.raw`printf '%s\0' ` + line], {
    cwd: directory,
    encoding: 'utf8',
  });
  return stdout.split('\0').slice(0, -1);
}

const urls = (pair: Pair) => ({
  SOURCE_URL: pair.sourceUrl('increp'),
  DEST_URL: pair.destinationUrl('increp'),
});

test('the flags that init tells to use', async () => {
  const names = HOSTILE.filter((name) => !name.includes('='));
  await using pair = await freshPair({
    sourceSql: names
      .map((name) => `CREATE TABLE ${quoted(name)} (id serial PRIMARY KEY, note text)`)
      .join(';'),
  });
  const init = (args: readonly string[]) =>
    increp(['init', '-C', 'new', '--yes', '--force', '--all-tables', '--json', ...args], pair, {
      env: urls(pair),
    });
  const first = (await init([])).json<{ read_whole: { name: string; hint: string }[] }>();
  expect(first.read_whole.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
  const flags = first.read_whole.map(
    ({ hint }) => /--replication-key .*(?= reads new rows)/s.exec(hint)?.[0],
  );
  const words = await wordsOf(flags.join(' '), pair.directory);
  const second = await init(words);
  expect(second.exitCode, second.stderr).toBe(0);
  const { tables } = second.json<{ tables: { name: string; replication_key: string | null }[] }>();
  expect(tables.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
  expect(tables.every(({ replication_key: key }) => key === 'id')).toBe(true);
  expect(await readdir(pair.directory)).not.toContain('x');
});

test('init of a database without a clear key gives a pipeline that works', async () => {
  await using pair = await freshPair({
    sourceSql: `CREATE TABLE genre (id int PRIMARY KEY, name text); INSERT INTO genre VALUES (1, 'Rock');
      CREATE TABLE tags (tag text); INSERT INTO tags VALUES ('a'), ('a')`,
  });
  const made = await increp('init -C new --yes --all-tables', pair, { env: urls(pair) });
  expect(made.exitCode, made.stderr).toBe(0);
  expect(made.stdout).toContain('Read completely at each sync');
  expect(JSON.parse(await readFile(join(pair.directory, 'new', 'tables-config.json'), 'utf8'))).toMatchObject(
    {
      tables: [
        { name: 'genre', mode: 'full-refresh', unique_cols: ['id'] },
        { name: 'tags', mode: 'full-refresh' },
      ],
    },
  );
  for (const command of ['check', 'sync', 'verify'])
    expect((await increp(`-C new ${command}`, pair)).exitCode, command).toBe(0);
});

slowTest('tables without a clear key do not get the keys of the others', async () => {
  await using pair = await freshPair({
    sourceSql: `CREATE TABLE words (word text PRIMARY KEY); INSERT INTO words VALUES ('a');
      ${['a', 'b', 'c'].map((name) => `CREATE TABLE ${name} (id int PRIMARY KEY, updated_at timestamptz DEFAULT now())`).join(';')}`,
  });
  await increp('init -C new --yes --all-tables', pair, { env: urls(pair) });
  const done = await increp('-C new sync', pair);
  expect(done.exitCode, done.stdout).toBe(0);
});

test('--full-refresh reads a table whole although its key is clear', async () => {
  await using pair = await freshPair('orders');
  const made = await increp('init -C new --yes --all-tables --full-refresh orders --json', pair, {
    env: urls(pair),
  });
  expect(made.json<object>()).toMatchObject({
    tables: [{ name: 'orders', replication_key: null, unique_cols: ['id'], mode: 'full-refresh' }],
    read_whole: [],
  });
});

test.each(oneIn(9, HOSTILE))('the command that follows from an error: %j', async (name) => {
  await using pair = await freshPair({
    tables: [{ name, replication_key: 'id', unique_cols: ['id'], on_schema_change: 'fail' }],
    sourceSql: `CREATE TABLE ${quoted(name)} (id int PRIMARY KEY)`,
  });
  const verified = await increp('verify --json', pair);
  const { tables } = verified.json<{ tables: { error: { hint: string } }[] }>();
  const first = /^First run "increp (.*)"\.$/s.exec(tables[0]?.error.hint ?? '')?.[1];
  expect((await increp(await wordsOf(first ?? '', pair.directory), pair)).exitCode).toBe(0);
  await sync(pair);
  await pair.source.query(`ALTER TABLE ${quoted(name)} ADD note text`);
  const { hint = '' } = (await trySync(pair)).table().error ?? {};
  const [, reset = '', again = ''] = /run "increp (.*)"\. Then run "increp (.*)"\.$/s.exec(hint) ?? [];
  expect(reset, hint).not.toBe('');
  for (const command of [reset, again])
    expect((await increp(await wordsOf(command, pair.directory), pair)).exitCode, command).toBe(0);
  expect(await readdir(pair.directory)).not.toContain('x');
});

slowTest('a printed command works in the directory where increp was started', async () => {
  await using pair = await freshPair('orders');
  await increp(['init', '-C', 'my shop', '--yes', '--tables', 'orders'], pair, { env: urls(pair) });
  await increp(['-C', 'my shop', 'sync'], pair);
  await rm(join(pair.directory, 'my shop', 'sync-state'), { recursive: true });
  await pair.destination.query('DELETE FROM _increp_state');
  const { stdout } = await increp(['-C', 'my shop', 'sync'], pair);
  const [command = ''] = /increp -C .*? sync orders --adopt/.exec(stdout) ?? [];
  const [, ...words] = await wordsOf(command, pair.directory);
  expect(words[1], stdout).toBe(join(pair.directory, 'my shop'));
  expect((await increp(words, pair)).exitCode).toBe(0);
});
