/** `.pgpass`: what libpq finds in it is what increp finds, and both the driver and pg_dump log in by it. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { passwordIn } from '../../src/config/connection/passfile.ts';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Login, Pair } from '../support/pair.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import { sync } from '../support/sync.ts';
import { slowKind } from '../support/tier.ts';

const escaped = (text: string) => text.replaceAll(/[\\:]/g, String.raw`\$&`);
const lineFor = ({ host, port, database, user, password }: Login): string =>
  [host, String(port), database, user, password].map(escaped).join(':');

/** Outside of the pipeline's directory, which is searched for secrets at the end. */
async function passfile(stack: AsyncDisposableStack, text: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'increp-passfile-'));
  stack.defer(() => rm(directory, { recursive: true }));
  const path = join(directory, 'pgpass');
  await writeFile(path, text, { mode: 0o600 });
  return path;
}

const withoutPasswords = (pair: Pair) =>
  pair.setEnv({ SOURCE_PASSWORD: undefined, DEST_PASSWORD: undefined });

/** By the password that the test's role really has; a server with trust would let everybody in. */
const HOSTILE: readonly (readonly [string, (login: Login) => string])[] = [
  ['the line itself', lineFor],
  ['no newline at the end, others before it', (login) => `#\n\n:\n::::\nx:1:y:z:w\n${lineFor(login)}`],
  ['stars', ({ password }) => `*:*:*:*:${escaped(password)}`],
  ['an earlier line with another password', (login) => `*:*:*:*:other\n${lineFor(login)}`],
  ['an earlier line with an empty password', (login) => `*:*:*:*:\n${lineFor(login)}`],
  ['an earlier line without a password', (login) => `*:*:*:*\n${lineFor(login)}`],
  ['a comment', (login) => `#${lineFor(login)}`],
  ['a space before it', (login) => ` ${lineFor(login)}`],
  ['carriage returns', (login) => `${lineFor(login)}\r\n`],
  ['a field behind the password', (login) => `${lineFor(login)}:more`],
  ['a space behind the password', (login) => `${lineFor(login)} `],
  ['backslashes that are not needed', (login) => lineFor(login).replace(/^1/, '\\1')],
  ['an escaped star', ({ password }) => `\\*:*:*:*:${escaped(password)}`],
  ['a star with more', ({ password }) => `12*:*:*:*:${escaped(password)}`],
  [
    'a port with a zero in front',
    (login) => lineFor({ ...login, host: `${login.host}:0` }).replace('\\:0', ''),
  ],
  ['another host', (login) => lineFor({ ...login, host: 'localhost' })],
  ['a role in capitals', (login) => lineFor({ ...login, user: login.user.toUpperCase() })],
  [
    'a password that is not escaped',
    (login) => lineFor(login).replace(escaped(login.password), login.password),
  ],
  ['a byte order mark', (login) => `\u{feff}${lineFor(login)}`],
  ['a very long line before it', (login) => `${'x'.repeat(100_000)}\n${lineFor(login)}`],
];

slowKind(testWithPgDump)('libpq and increp find the same in every file', async () => {
  await using pair = await freshPair('orders');
  await using stack = new AsyncDisposableStack();
  const login = pair.login('source', 'increp');
  for (const [what, write] of HOSTILE) {
    const text = write(login);
    const PGPASSFILE = await passfile(stack, text);
    const { host, port, user, database } = login;
    const { failed } = await execa(
      'pg_dump',
      ['-h', host, '-p', String(port), '-U', user, '-d', database, '--schema-only', '--no-password'],
      { env: { PATH: process.env['PATH'], PGPASSFILE }, extendEnv: false, reject: false },
    );
    expect({ what, isFound: passwordIn({ path: '', text }, login) === login.password }).toEqual({
      what,
      isFound: !failed,
    });
  }
});

testWithPgDump('a sync with nothing but a password file, by the driver and by pg_dump', async () => {
  await using pair = await freshPair('orders');
  await using stack = new AsyncDisposableStack();
  const lines = (['source', 'destination'] as const).map((side) => lineFor(pair.login(side, 'increp')));
  const env = { PGPASSFILE: await passfile(stack, `${lines.join('\n')}\n`) };
  await withoutPasswords(pair);
  expect((await sync(pair, '-v', { env })).table()).toMatchObject({ loader: 'pg_dump', rows_inserted: 10 });
  await expectSameRows(pair, 'orders');
});

test('a refused password names the file, the line and a colon that is not escaped', async () => {
  await using pair = await freshPair('orders');
  await using stack = new AsyncDisposableStack();
  const text = `#\n${lineFor({ ...pair.login('source', 'increp'), password: '' })}wr:ong\n`;
  const PGPASSFILE = await passfile(stack, text);
  await withoutPasswords(pair);
  const { stderr } = await increp('plan', pair, { env: { PGPASSFILE } });
  expect(stderr).toContain(`from the password file ${PGPASSFILE}, and the server refused it too.`);
  expect(stderr).toContain(`SOURCE_USERNAME and line 2 of ${PGPASSFILE}, which has more than five fields`);
});

test('a file that others can read is ignored, and why is told', async () => {
  await using pair = await freshPair('orders');
  await using stack = new AsyncDisposableStack();
  const PGPASSFILE = await passfile(stack, lineFor(pair.login('source', 'increp')));
  await chmod(PGPASSFILE, 0o644);
  await withoutPasswords(pair);
  const { exitCode, stdout } = await increp('sync', pair, { env: { PGPASSFILE } });
  expect(exitCode).toBe(77);
  expect(stdout).toContain('is not used: it can be read by other users (mode 0644)');
});
