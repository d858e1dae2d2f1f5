/** What is wrong with the settings or on the command line is told in one clear message: what, where, why, and what to do next. Nothing is changed. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { expectRefusal, leftovers } from '../support/refusal.ts';
import type { Said } from '../support/refusal.ts';
import { ORDERS_CONFIG } from '../support/shop.ts';

let pair: Pair;
beforeEach(async () => {
  pair = await freshPair('orders');
});
afterEach(() => pair[Symbol.asyncDispose]());

const tables = (change: object) => pair.writeTables([{ ...ORDERS_CONFIG, ...change }]);

describe('settings', () => {
  const invalid = (...what: (string | RegExp)[]): Said => ({
    exitCode: 78,
    code: 'CONFIG_INVALID',
    what,
    next: 'Fix the configuration, then run the command again.',
  });

  test('that are missing', async () => {
    await pair.setEnv({ DEST_HOST: undefined, SOURCE_DB: undefined });
    await expectRefusal(pair, invalid(/2 problems/, /DEST_HOST/, /SOURCE_DB/));
  });

  test('that contradict each other', async () => {
    await pair.setEnv({ SOURCE_URL: pair.sourceUrl() });
    await expectRefusal(pair, invalid(/SOURCE_URL/, /SOURCE_HOST/));
  });

  test('that a # cuts off, with the reason', async () => {
    const url = `SOURCE_URL=postgres://reader:p#ss@127.0.0.1/shop\n`;
    const rest = (await readFile(join(pair.directory, '.env'), 'utf8')).replaceAll(/^SOURCE_.*\n/gm, '');
    await writeFile(join(pair.directory, '.env'), `${rest}${url}`);
    await expectRefusal(
      pair,
      invalid(
        /1 problem /,
        /SOURCE_URL \(\.env\): the value ends before the #; quote the value/,
        /no database/,
      ),
    );
  });

  test('that nobody knows, with the nearest name', async () => {
    await pair.setEnv({ SOURCE_HSOT: 'x' });
    await tables({ replikation_key: 'x', uniqe_cols: ['id'] });
    await expectRefusal(
      pair,
      invalid(
        'SOURCE_HSOT',
        'SOURCE_HOST',
        'replikation_key',
        'replication_key',
        'uniqe_cols',
        'unique_cols',
      ),
    );
  });

  test('all of them at once, each with file, path and table', async () => {
    await pair.setEnv({ SOURCE_PORT: 'many', DEST_SSLMODE: 'maybe' });
    await tables({ unique_cols: [], mode: 'upsert', lookback: 'ten' });
    await expectRefusal(
      pair,
      invalid(
        /5 problems/,
        'SOURCE_PORT',
        'DEST_SSLMODE',
        /tables-config\.json.*unique_cols.*orders/,
        'upsert',
        'ten',
      ),
    );
  });

  test('without a merge key', async () => {
    await pair.writeTables([{ name: 'orders', replication_key: 'updated_at' }]);
    await expectRefusal(pair, invalid('orders', 'unique_cols'));
  });

  test('of which a file is missing or no JSON', async () => {
    await writeFile(join(pair.directory, 'tables-config.json'), '[{"name": "orders",}]');
    await expectRefusal(pair, invalid(/tables-config\.json, line 1/));
    await rm(join(pair.directory, 'tables-config.json'));
    await expectRefusal(pair, invalid(/tables-config\.json/));
  });

  test('that name the same database twice', async () => {
    const { host, port, database, user, password } = pair.login('source', 'increp');
    await pair.setEnv({
      DEST_HOST: host === '127.0.0.1' ? 'localhost' : host,
      DEST_PORT: String(port),
      DEST_DB: database,
      DEST_USERNAME: user,
      DEST_PASSWORD: password,
    });
    const what = [`source and destination are the same: schema "public" of database "${database}"`];
    await expectRefusal(pair, { exitCode: 78, code: 'SAME_DATABASE', what, next: 'DEST_SCHEMA' });
    await expectRefusal(pair, { exitCode: 78, code: 'SAME_DATABASE', what, next: 'DEST_SCHEMA' }, 'plan');
    expect((await pair.source.query(`SELECT FROM pg_class WHERE relname LIKE '%increp%'`)).rowCount).toBe(0);
  });
});

describe('the command line', () => {
  test.each([
    [
      'a table that is not configured',
      'sync ordrs',
      'no table "ordrs" in tables-config.json; did you mean "orders"?',
      'orders',
    ],
    [
      'a flag that is not there',
      'sync --full-refersh',
      '"sync" has no option --full-refersh; did you mean --full-refresh?',
      'See:\n          increp sync --help\n',
    ],
    ['a dash too few', 'sync --dryrun', 'did you mean --dry-run?', 'See:\n          increp sync --help\n'],
    [
      'a flag in short',
      'sync --full',
      'did you mean --full-refresh?',
      'See:\n          increp sync --help\n',
    ],
    [
      'a flag of another command',
      'status --dry-run',
      '"status" has no option --dry-run; it is an option of "sync"',
      'See:\n          increp status --help\n',
    ],
    ['a short flag of another command', 'reset -q', 'no option -q; it is an option of "sync"', '--help'],
    ['a flag in front of the command', '--repair verify', '"increp" has no option --repair', '--help'],
    ['-v without a command', '-v', '"increp -V" prints the version', '--help'],
    ['a global flag that is not there', 'sync --colour', 'has no option --colour', '--help'],
    [
      'an argument that is missing',
      'completion',
      'the shell is missing: one of bash, zsh, fish',
      'See:\n          increp completion --help\n',
    ],
    [
      'a flag without its value',
      'sync --wait-lock',
      'argument missing',
      'See:\n          increp sync --help\n',
    ],
    [
      'a command that is not there',
      'snyc',
      'increp has no command "snyc"; did you mean "sync"?',
      'For all commands, see:\n          increp help\n',
    ],
    [
      'help of a command that is not there',
      'help frobnicate',
      'there is no help about "frobnicate"',
      'configuration',
    ],
    ['help of a command that is misspelt', 'help plna', 'did you mean "plan"?', 'Name a command'],
    ['a word too many', 'demo orders', 'too many arguments', 'See:\n          increp demo --help\n'],
    ['a directory that is not there', '-C /no/such/place sync', '-C names /no/such/place', '.env'],
    ['too many jobs', 'sync --jobs 17', '-j, --jobs: "17" is not a number of jobs', '1 to 16'],
    ['a duration that is none', 'sync --wait-lock soon', '--wait-lock: "soon" is not a duration', '--help'],
    ['no table to reset', 'reset', 'reset needs the names of tables', '--all'],
    [
      'a table and all of them',
      'reset orders --all',
      '--all cannot be combined with table names',
      'one of them',
    ],
    [
      'flags that contradict each other',
      'sync -q -v',
      '-q, --quiet and -v, --verbose contradict each other',
      'Use one of them',
    ],
    ['all tables excluded', 'sync --exclude orders', 'leaves no table', '--exclude'],
  ])('with %s', async (_what, args, what, next) => {
    const before = await leftovers(pair);
    const result = await increp(args, pair);
    expect(result.exitCode).toBe(64);
    expect(result.stderr).toContain(what);
    expect(result.stderr).toContain(next);
    expect(await leftovers(pair)).toEqual(before);
  });

  test('with LOG_FORMAT=json, an error before the log starts is a line of it', async () => {
    const env = { LOG_FORMAT: 'json' };
    const { stderr, exitCode } = await increp('plan --colour', pair, { env });
    const command = await increp(['-C', pair.directory, 'sync', '--watch', '9s', '--full-refresh'], pair, {
      env,
    });
    expect(exitCode).toBe(64);
    expect(JSON.parse(stderr)).toMatchObject({
      level: 'error',
      code: 'USAGE',
      msg: '"plan" has no option --colour',
      hint: 'See "increp plan --help".',
    });
    expect(JSON.parse(command.stderr).hint).toContain(`increp -C ${pair.directory} sync --full-refresh`);
  });
});
