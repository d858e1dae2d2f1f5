/** Passwords that change during a run: from a command, from files and from the password file. */
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { escapeLiteral } from 'pg';
import { expect, test } from 'vitest';
import { expectNoSecret, rememberSecrets } from '../support/canaries.ts';
import { fakeTools, whenWorking } from '../support/client-tools.ts';
import { increp, startIncrep, type RunningIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import { ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const ROTATED = String.raw`r0tated-by-hand:\ "$x" '#%41é@/?&`;

/** In a directory outside of the pipeline's, which is searched for secrets at the end. */
interface Vault {
  readonly directory: string;
  /** Files with the password: alone, and in the format of .pgpass. */
  readonly secret: string;
  readonly passfile: string;
  /** Prints the password. */
  readonly program: string;
  readonly store: (password: string) => Promise<void>;
  /** Replaces the script of the program. */
  readonly write: (script: string) => Promise<void>;
  readonly calls: () => Promise<number>;
}

async function vaultFor(pair: Pair, stack: AsyncDisposableStack): Promise<Vault> {
  const directory = await mkdtemp(join(tmpdir(), 'increp-vault-'));
  stack.defer(() => rm(directory, { recursive: true }));
  const inside = (name: string) => join(directory, name);
  const [secret, passfile, program, calls] = [
    inside('secret'),
    inside('pgpass'),
    inside('print'),
    inside('calls'),
  ];
  const { host, port, password } = pair.login('source', 'increp');
  // The secrets are not in .env, where the search would find them by itself.
  rememberSecrets(pair.directory, { SOURCE_PASSWORD: ROTATED, DEST_PASSWORD: password });
  const vault: Vault = {
    directory,
    secret,
    passfile,
    program,
    store: async (text) => {
      await writeFile(secret, `${text}\n`);
      await writeFile(passfile, `${host}:${port}:*:*:${text.replaceAll(/[\\:]/g, String.raw`\$&`)}\n`, {
        mode: 0o600,
      });
    },
    write: async (script) => {
      await writeFile(program, `#!/bin/sh\necho call >> '${calls}'\n${script}\n`);
      await chmod(program, 0o755);
    },
    calls: async () => (await readFile(calls, 'utf8')).split('\n').length - 1,
  };
  await writeFile(calls, '');
  await vault.store(password);
  await vault.write(`cat '${secret}'; echo another line`);
  await pair.setEnv({ SOURCE_PASSWORD: undefined, SOURCE_PASSWORD_COMMAND: program });
  return vault;
}

const ownPair = () => freshPair({ ...ordersPreset, isOwn: true });

async function setPassword(pair: Pair, password: string): Promise<void> {
  const { user } = pair.login('source', 'increp');
  await pair.source.query(`ALTER ROLE ${user} PASSWORD ${escapeLiteral(password)}`);
}

const endSessions = async (pair: Pair): Promise<void> => {
  await pair.source.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1', [
    pair.login('source', 'increp').user,
  ]);
};

async function waitsForLock(pair: Pair): Promise<boolean> {
  const { rowCount } = await pair.source.query(
    `SELECT FROM pg_stat_activity WHERE usename = $1 AND wait_event_type = 'Lock'`,
    [pair.login('source', 'increp').user],
  );
  return rowCount !== 0;
}

/** Changes the password in the middle of a run. A lock holds the run at its first read of the table. */
async function rotatedDuring(pair: Pair, vault: Vault, start: () => RunningIncrep): Promise<RunningIncrep> {
  const holder = await pair.source.connect();
  await holder.query('BEGIN; LOCK TABLE orders');
  const running = start();
  await expect.poll(() => waitsForLock(pair), { timeout: 20_000 }).toBe(true);
  await vault.store(ROTATED);
  await setPassword(pair, ROTATED);
  await endSessions(pair);
  await holder.query('ROLLBACK');
  holder.release();
  return running;
}

test('a command prints the password, once for all connections of a run', async () => {
  await using pair = await ownPair();
  await using stack = new AsyncDisposableStack();
  const vault = await vaultFor(pair, stack);
  await pair.source.query('CREATE TABLE second (LIKE orders INCLUDING ALL)');
  await pair.source.query('INSERT INTO second SELECT * FROM orders');
  const chunked = { initial_load: 'copy', chunk: 3, load_jobs: 3 };
  await pair.writeTables([ORDERS_CONFIG, { ...ORDERS_CONFIG, name: 'second', ...chunked }]);
  await sync(pair, '-v');
  await expectSameRows(pair, 'orders');
  expect(await vault.calls()).toBe(1);
});

test('a password that is changed during a run is fetched again, and the run continues', async () => {
  await using pair = await ownPair();
  await using stack = new AsyncDisposableStack();
  const vault = await vaultFor(pair, stack);
  await using running = await rotatedDuring(pair, vault, () => startIncrep('sync -v --json', pair));
  const { exitCode, stdout, stderr } = await running.wait();
  expect(exitCode, stdout + stderr).toBe(0);
  await expectSameRows(pair, 'orders');
  expect(await vault.calls()).toBe(2);
});

testWithPgDump.each(
  oneIn(6, [
    ['a command', (vault: Vault) => ({ SOURCE_PASSWORD_COMMAND: vault.program })],
    ['a file', (vault: Vault) => ({ SOURCE_PASSWORD_FILE: vault.secret })],
    ['the password file', (vault: Vault) => ({ PGPASSFILE: vault.passfile })],
  ] as const),
)('pg_dump gets a password from %s that was changed after the session began', async (_title, envOf) => {
  await using pair = await ownPair();
  await using stack = new AsyncDisposableStack();
  const vault = await vaultFor(pair, stack);
  await vault.store(pair.login('source', 'increp').password);
  const [started, go] = [join(vault.directory, 'started'), join(vault.directory, 'go')];
  const tools = await fakeTools(vault.directory, {
    pg_dump: whenWorking(`touch '${started}'; while [ ! -e '${go}' ]; do sleep 0.05; done; real "$@"`),
  });
  await pair.setEnv({ SOURCE_PASSWORD_COMMAND: undefined });
  const synced = sync(pair, '-v', { env: { ...tools, ...envOf(vault) } });
  await expect.poll(() => existsSync(started), { timeout: 20_000 }).toBe(true);
  await vault.store(ROTATED);
  await setPassword(pair, ROTATED);
  await writeFile(go, '');
  expect((await synced).table()).toMatchObject({ loader: 'pg_dump', rows_inserted: 10 });
  await expectSameRows(pair, 'orders');
});

slowTest.each(
  oneIn(4, [
    ['SOURCE_PASSWORD_FILE', (vault: Vault) => ({ SOURCE_PASSWORD_FILE: vault.secret })],
    ['the password file', (vault: Vault) => ({ PGPASSFILE: vault.passfile })],
  ]),
)('%s is read again when a login fails, in the runs of --watch too', async (_title, envOf) => {
  await using pair = await ownPair();
  await using stack = new AsyncDisposableStack();
  const vault = await vaultFor(pair, stack);
  await vault.store(pair.login('source', 'increp').password);
  await pair.setEnv({ SOURCE_PASSWORD_COMMAND: undefined });
  await using running = await rotatedDuring(pair, vault, () =>
    startIncrep('sync -v --json --watch 1s', pair, { env: envOf(vault) }),
  );
  const summaries = () =>
    running.stdout.split('\n').flatMap((line) => /"type":"summary".*"status":"(\w+)"/.exec(line)?.[1] ?? []);
  await expect.poll(summaries, { timeout: 20_000 }).toEqual(expect.arrayContaining(['ok', 'ok']));
  expect(new Set(summaries())).toEqual(new Set(['ok']));
  running.kill('SIGTERM');
  await running.wait();
});

slowTest(
  'a command runs once for several runs of --watch, and again when its password is too old',
  async () => {
    await using pair = await ownPair();
    await using stack = new AsyncDisposableStack();
    const vault = await vaultFor(pair, stack);
    const callsOf = async () => {
      const before = await vault.calls();
      await using running = startIncrep('sync --json --watch 1s', pair);
      const runs = () => running.stdout.split('"type":"summary"').length - 1;
      await expect.poll(runs, { timeout: 20_000 }).toBeGreaterThanOrEqual(3);
      running.kill('SIGTERM');
      await running.wait();
      return (await vault.calls()) - before;
    };
    expect(await callsOf()).toBe(1);
    await pair.setEnv({ SOURCE_PASSWORD_TTL: '1s' });
    expect(await callsOf()).toBeGreaterThanOrEqual(2);
  },
);

test('a password that is refused again is an error that names its origin', async () => {
  await using pair = await ownPair();
  await using stack = new AsyncDisposableStack();
  const vault = await vaultFor(pair, stack);
  await vault.store('Wr0ng-password');
  const { summary, exitCode } = await trySync(pair);
  expect(exitCode).toBe(77);
  expect(summary.error).toMatchObject({
    code: 'AUTHENTICATION_FAILED',
    hint: expect.stringMatching(
      /^increp read the password again from SOURCE_PASSWORD_COMMAND, and the server refused it too\. Check /,
    ) as string,
  });
  expect(await vault.calls()).toBe(2);
});

test('a program that does not exist is a problem of the configuration', async () => {
  await using pair = await ownPair();
  await pair.setEnv({ SOURCE_PASSWORD: undefined, SOURCE_PASSWORD_COMMAND: 'no-such-program --token x' });
  const { exitCode, stdout } = await increp('sync', pair);
  expect(exitCode).toBe(78);
  expect(stdout).toContain('SOURCE_PASSWORD_COMMAND: the program "no-such-program" does not exist');
  expect(stdout).not.toContain('--token');
});

test('the program of a command gets no secret of increp, and what it prints is redacted', async () => {
  await using pair = await ownPair();
  await using stack = new AsyncDisposableStack();
  const vault = await vaultFor(pair, stack);
  const { password } = pair.login('source', 'increp');
  // The program itself gets no other secret of increp.
  await vault.write(`env > '${vault.directory}/environment'; cat '${vault.secret}'`);
  await sync(pair, '-v', {
    env: { DEST_PASSWORD: pair.login('destination', 'increp').password, VAULT_ADDR: 'v' },
  });
  const environment = await readFile(join(vault.directory, 'environment'), 'utf8');
  expect(environment).toContain('VAULT_ADDR=v');
  expect(environment).not.toMatch(/PASSWORD=/);
  // A server that quotes the password, which no setting holds.
  await pair.destination.query(`ALTER TABLE orders ADD CONSTRAINT quoted CHECK (note NOT LIKE '%@%')`);
  await pair.source.query(`INSERT INTO orders (id, note) VALUES (99, ${escapeLiteral(`@ ${password}`)})`);
  expect((await trySync(pair, '-v')).table().error?.message).toContain('***');
});

test.each([
  ['fails', 'echo "the vault is sealed" >&2; exit 3', 'failed (exit code 3): the vault is sealed'],
  ['prints nothing', 'exit 0', 'printed no password'],
  ['prints an empty line first', 'echo; echo secret', 'printed no password'],
  ['repeats the password in its error', 'echo Hidden-77; echo "for Hidden-77" >&2; exit 1', 'for ***'],
  ['hangs', 'sleep 30 | cat', 'did not end within 500ms'],
])('a command that %s is an error with what to do', async (_title, script, said) => {
  await using pair = await ownPair();
  await using stack = new AsyncDisposableStack();
  const vault = await vaultFor(pair, stack);
  await vault.write(script);
  const before = Date.now();
  const { summary } = await trySync(pair, '', { timing: { passwordCommand: 0.5 } });
  const [failure] = [summary.error ?? summary.tables[0]?.error];
  expect(failure).toMatchObject({ code: 'AUTHENTICATION_FAILED' });
  expect(failure?.message).toContain('SOURCE_PASSWORD_COMMAND');
  expect(failure?.message).toContain(said);
  expect(Date.now() - before).toBeLessThan(15_000);
  expectNoSecret(pair.directory, { said: JSON.stringify(summary) });
});
