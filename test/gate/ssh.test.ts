/** Tunnels that are lost or cannot be opened, and what is left of them when increp ends. */
import { existsSync } from 'node:fs';
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parse } from 'dotenv';
import { afterAll, beforeAll, expect } from 'vitest';
import { literal } from '../../src/sql/identifiers.ts';
import { waitForCopy } from '../support/activity.ts';
import { CTRL_C, ENTER, startDialogue } from '../support/dialogue.ts';
import { pairBehind, through } from '../support/behind-bastion.ts';
import { increp, startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshSeveral } from '../support/several.ts';
import { insertOrders, ORDERS_CONFIG } from '../support/shop.ts';
import {
  canTestSsh,
  startSshd,
  testWithSshd,
  tunnelDirectories,
  tunnelProcesses,
  type Sshd,
} from '../support/sshd.ts';
import { sync, trySync } from '../support/sync.ts';
import { slowKind } from '../support/tier.ts';

let bastion: Sshd;

beforeAll(async () => {
  if (canTestSsh) bastion = await startSshd();
});
afterAll(() => bastion?.[Symbol.asyncDispose]());

slowKind(testWithSshd)(
  'one run survives a new password during a load by pg_dump, and then a dropped tunnel in a window',
  async () => {
    await using sshd = await startSshd();
    await using pair = await pairBehind(sshd);
    const program = join(sshd.directory, 'print-password');
    const { password } = pair.login('source', 'increp');
    await writeFile(program, `#!/bin/sh\ncat '${join(sshd.directory, 'secret')}'\n`);
    await writeFile(join(sshd.directory, 'secret'), `${password}\n`);
    await chmod(program, 0o755);
    await pair.setEnv({ SOURCE_PASSWORD: undefined, SOURCE_PASSWORD_COMMAND: program });
    await sync(pair);
    await insertOrders(pair, 20);
    await pair.source.query(`CREATE TABLE first (LIKE orders INCLUDING ALL);
      INSERT INTO first (id, note) SELECT i, repeat('x', 1000) FROM generate_series(1, 30000) i`);
    // Each row of the window takes 50 ms.
    await pair.writeTables([
      { ...ORDERS_CONFIG, name: 'first', initial_load: 'pg_dump' },
      { ...ORDERS_CONFIG, where: 'pg_sleep(0.05) IS NOT NULL' },
    ]);
    await using running = startIncrep('sync -v --json', pair);
    await waitForCopy(pair.source, 'first');
    await pair.source.query(`ALTER ROLE ${pair.login('source', 'increp').user} PASSWORD 'Rotated-Secret-7'`);
    await writeFile(join(sshd.directory, 'secret'), 'Rotated-Secret-7\n');
    await waitForCopy(pair.source, 'orders');
    await sshd.stop();
    await delay(500);
    await sshd.start();
    const { exitCode, stdout, stderr } = await running.wait();
    expect(exitCode, stdout + stderr).toBe(0);
    expect(stderr).toMatch(
      /the SSH tunnel through \S+@127\.0\.0\.1:\d+ ended: .*(closed by remote host|Connection reset|Broken pipe)/,
    );
    await expectSameRows(pair, 'first');
    await expectSameRows(pair, 'orders');
    await pair.source.query(
      `ALTER ROLE ${pair.login('source', 'increp').user} PASSWORD ${literal(password)}`,
    );
  },
);

testWithSshd('nothing is left of the tunnel when increp is killed', async () => {
  await using pair = await pairBehind(bastion);
  await pair.writeTables([{ ...ORDERS_CONFIG, where: 'pg_sleep(1) IS NOT NULL', initial_load: 'copy' }]);
  await using running = startIncrep('sync', pair);
  await waitForCopy(pair.source, 'orders');
  const [directory = '', ...others] = tunnelDirectories(await tunnelProcesses(bastion));
  expect(others).toEqual([]);
  expect(((await stat(directory)).mode & 0o777).toString(8)).toBe('700');
  running.kill('SIGKILL');
  await running.wait();
  await expect.poll(() => tunnelProcesses(bastion)).toEqual([]);
  expect(existsSync(directory)).toBe(false);
});

interface Failure {
  readonly title: string;
  readonly env: (sshd: Sshd) => Promise<Record<string, string>> | Record<string, string>;
  readonly code: string;
  readonly exitCode?: number;
  readonly what: RegExp;
  readonly hint: RegExp;
}

const options = ({ command }: Sshd, more: string) => ({ SOURCE_SSH_COMMAND: `${command} ${more}` });

const FAILURES: readonly Failure[] = [
  {
    title: 'a bastion that is not known',
    env: (sshd) => options(sshd, '-o UserKnownHostsFile=/dev/null'),
    code: 'SSH_FAILED',
    what: /^source: the SSH tunnel through \S+@127\.0\.0\.1:\d+ cannot be opened: No ED25519 host key is known for .* Host key verification failed/,
    hint: /To accept the key after you compared its fingerprint, run as the user of increp: ssh -F \S+ -o UserKnownHostsFile=\/dev\/null -p \d+ \S+@127\.0\.0\.1 exit$/,
  },
  {
    title: 'a bastion with another key than before',
    env: async (sshd) => {
      const [key = ''] = (await readFile(join(sshd.directory, 'stranger.pub'), 'utf8')).split(' root', 1);
      const known = join(sshd.directory, 'other_hosts');
      await writeFile(known, `[127.0.0.1]:${sshd.port} ${key}\n`);
      return options(sshd, `-o UserKnownHostsFile=${known}`);
    },
    code: 'SSH_FAILED',
    what: /REMOTE HOST IDENTIFICATION HAS CHANGED!.*ssh-keygen -f/,
    hint: /^The host key differs .* Ask the administrator/,
  },
  {
    title: 'a key that the bastion does not accept',
    env: async (sshd) => {
      const config = join(sshd.directory, 'stranger_config');
      const text = await readFile(join(sshd.directory, 'config'), 'utf8');
      await writeFile(config, text.replace('/user\n', '/stranger\n'));
      return { SOURCE_SSH_COMMAND: `ssh -F ${config}` };
    },
    code: 'SSH_FAILED',
    what: /cannot be opened: \S+@127\.0\.0\.1: Permission denied \(publickey\)\.$/,
    hint: /Use a key without one, or an agent/,
  },
  {
    title: 'a bastion that does not listen',
    env: ({ user }) => ({ SOURCE_SSH: `${user}@127.0.0.1:1` }),
    code: 'SSH_FAILED',
    what: /ssh: connect to host 127\.0\.0\.1 port 1: Connection refused/,
    hint: /^Check SOURCE_SSH, and that this machine can reach that host/,
  },
  {
    title: 'a bastion that cannot be reached from the one before it',
    env: (sshd) => options(sshd, `-J ${sshd.user}@127.0.0.1:1`),
    code: 'SSH_FAILED',
    what: /ssh: connect to host 127\.0\.0\.1 port 1: Connection refused .*Connection closed/,
    hint: /^Check SOURCE_SSH/,
  },
  {
    title: 'a database that does not listen behind the bastion',
    env: () => ({ SOURCE_PORT: '1' }),
    code: 'CONNECTION_FAILED',
    what: /^source 127\.0\.0\.1:1\/\w+: the bastion \S+ cannot connect to 127\.0\.0\.1:1: connect failed: Connection refused/,
    hint: /^The login at the bastion works\. .* ssh -F \S+ -p \d+ -W 127\.0\.0\.1:1 /,
  },
  {
    title: 'a database whose name the bastion does not know',
    env: () => ({ SOURCE_HOST: 'nowhere.invalid' }),
    code: 'CONNECTION_FAILED',
    what: /cannot connect to nowhere\.invalid:\d+: connect failed: (Name or service not known|.*)/,
    hint: /^The login at the bastion works/,
  },
  {
    title: 'a password that the database refuses',
    env: () => ({ SOURCE_PASSWORD: 'Wr0ng-password' }),
    code: 'AUTHENTICATION_FAILED',
    exitCode: 77,
    what: /^source 127\.0\.0\.1:\d+\/\w+: password authentication failed/,
    hint: /psql -h 127\.0\.0\.1 -p 15432 .*\nThis command needs a tunnel in another terminal: ssh -F \S+ -p \d+ -N -L 15432:127\.0\.0\.1:\d+ \S+@127\.0\.0\.1$/,
  },
  {
    title: 'ssh that is not installed',
    env: () => ({ SOURCE_SSH_COMMAND: 'no-such-ssh -x' }),
    code: 'CONFIG_INVALID',
    exitCode: 78,
    what: /^SOURCE_SSH: the program "no-such-ssh" cannot be started/,
    hint: /^Install the OpenSSH client/,
  },
];

testWithSshd.each(FAILURES)('$title is named', async ({ env, code, exitCode = 69, what, hint }) => {
  await using pair = await pairBehind(bastion);
  const change = await env(bastion);
  await pair.setEnv(change);
  const { summary, exitCode: actual } = await trySync(pair, '', { timing: { connectTimeout: 3 } });
  expect(summary.error).toMatchObject({ code });
  expect(summary.error?.message).toMatch(what);
  expect(summary.error?.hint).toMatch(hint);
  expect(actual).toBe(exitCode);
});

testWithSshd('a bastion that forbids the connection is named, and increp does not retry', async () => {
  await using sshd = await startSshd({ permitOpen: '127.0.0.1:9' });
  await using pair = await pairBehind(sshd);
  const { summary } = await trySync(pair);
  expect(summary.error).toMatchObject({
    code: 'SSH_FAILED',
    message: expect.stringMatching(
      /the bastion \S+ cannot connect to \S+: administratively prohibited: open failed$/,
    ) as string,
    hint: expect.stringContaining('PermitOpen') as string,
  });
  expect(sshd.logins()).toBe(1);
});

testWithSshd('several destinations behind one bastion share a tunnel', async () => {
  await using pair = await freshSeveral('orders');
  await pair.setEnv(through(bastion, 'DEST'));
  const before = bastion.logins();
  await sync(pair);
  await pair.expectAllSame('orders');
  expect(bastion.logins() - before).toBe(1);
});

testWithSshd('the dialogue of init asks for the bastion again if it cannot be reached', async () => {
  await using pair = await pairBehind(bastion);
  await pair.setEnv({ SOURCE_SSH: `${bastion.user}@127.0.0.1:1` });
  const env = parse(await readFile(join(pair.directory, '.env'), 'utf8'));
  await using dialogue = startDialogue('init -C new', pair.directory, env);
  await dialogue.answer('What do you want to correct?', ENTER);
  expect(dialogue.seen()).toContain('port 1: Connection refused');
  const BACKSPACE = '\u007f';
  await dialogue.answer('SSH server for the source', `${BACKSPACE}${bastion.port}${ENTER}`);
  await dialogue.answer('Which tables', CTRL_C);
  expect(dialogue.seen()).toContain(`TLS, through ${bastion.address}`);
});

testWithSshd('each command opens one tunnel, and init keeps its variables', async () => {
  await using pair = await pairBehind(bastion);
  await sync(pair);
  for (const command of ['plan', 'status', 'verify', 'history', 'reset orders']) {
    const count = bastion.logins();
    expect((await increp(command, pair)).exitCode).toBe(0);
    expect(bastion.logins() - count, command).toBeLessThanOrEqual(1);
  }
  const env = parse(await readFile(join(pair.directory, '.env'), 'utf8'));
  const count = bastion.logins();
  const { stdout, stderr, exitCode } = await increp('init -C new --yes --tables orders', pair, { env });
  expect(exitCode, stdout + stderr).toBe(0);
  expect(stdout).toContain(`schema public, through ${bastion.address}\n`);
  expect(bastion.logins() - count).toBe(1);
  expect(parse(await readFile(join(pair.directory, 'new', '.env'), 'utf8'))).toMatchObject(through(bastion));
});
