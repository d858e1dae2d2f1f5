/**
 * Failures of every kind, with a secret in every setting. That none gets out is checked where the program is run
 * (test/support/increp.ts), where a pair ends and where the webhook ends: here they are only provoked.
 */
import { appendFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { escapeLiteral } from 'pg';
import { expect, test } from 'vitest';
import { expectNoSecret } from '../support/canaries.ts';
import { fakeTools, whenWorking } from '../support/client-tools.ts';
import { increp } from '../support/increp.ts';
import { expectNoSecretLeft } from '../support/no-secret-left.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import { ORDERS_CONFIG } from '../support/shop.ts';
import { trySync } from '../support/sync.ts';
import { webhookServer, type WebhookServer } from '../support/webhook-server.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const TOKEN = "t0ken/Of the 'hook'";
const SECRET = 'whsec_U2VjcmV0T2ZUaGVIb29r';

/** Credentials, a path and a query that are all as good as a password. */
function hookUrl(hook: Pick<WebhookServer, 'url'>): string {
  const url = new URL(hook.url);
  [url.username, url.password] = ['Hook-User-1', encodeURIComponent(TOKEN)];
  url.searchParams.set('token', TOKEN);
  return url.href;
}

const hookSettings = (hook: Pick<WebhookServer, 'url'>) => ({
  WEBHOOK_URL: hookUrl(hook),
  WEBHOOK_SECRET: SECRET,
  WEBHOOK_EVENTS: 'run.succeeded,run.partial,run.failed,table.synced,table.failed',
  LOG_LEVEL: 'trace',
});

/** SOURCE_URL and DEST_URL in the place of the single variables. */
const asUrls = (pair: Pair) => ({
  ...Object.fromEntries(
    ['SOURCE', 'DEST'].flatMap((side) =>
      ['HOST', 'PORT', 'USERNAME', 'PASSWORD', 'DB'].map((field) => [`${side}_${field}`, undefined]),
    ),
  ),
  SOURCE_URL: pair.sourceUrl('increp'),
  DEST_URL: pair.destinationUrl('increp'),
});

const password = (pair: Pair) => pair.login('source', 'increp').password;

type Change = (pair: Pair) => Record<string, string | undefined>;

const FAILURES: readonly (readonly [title: string, change: Change, exitCode: number])[] = [
  ['a wrong password', (pair) => ({ SOURCE_PASSWORD: `${password(pair)}!` }), 77],
  ['a wrong password in a URL', (pair) => ({ ...asUrls(pair), DEST_URL: pair.sourceUrl('increp') }), 78],
  ['a host that nobody knows', () => ({ SOURCE_HOST: 'no-such-host.invalid' }), 69],
  ['a URL to nowhere', (pair) => ({ ...asUrls(pair), SOURCE_URL: moved(pair, 'no-such-host.invalid') }), 69],
  ['a port that is closed', () => ({ DEST_PORT: '1' }), 69],
  ['a password in the place of the host', (pair) => ({ SOURCE_HOST: password(pair) }), 78],
  ['a password in the place of the port', (pair) => ({ SOURCE_PORT: password(pair) }), 78],
  ['a password as sslmode', (pair) => ({ DEST_SSLMODE: pair.login('destination', 'increp').password }), 78],
  ['a password as the file of a key', (pair) => ({ SOURCE_SSLROOTCERT: password(pair) }), 78],
  ['a password as the database', (pair) => ({ SOURCE_DB: password(pair) }), 69],
  ['a password as the role', (pair) => ({ SOURCE_USERNAME: password(pair) }), 77],
  ['a variable that nobody knows', (pair) => ({ SOURCE_PASWORD: password(pair) }), 78],
  ['a URL that cannot be read', (pair) => ({ ...asUrls(pair), SOURCE_URL: unreadable(pair) }), 78],
  ['a URL with an option unknown', (pair) => ({ ...asUrls(pair), SOURCE_URL: withOption(pair) }), 78],
  ['a URL beside single variables', (pair) => ({ SOURCE_URL: pair.sourceUrl('increp') }), 78],
  ['a webhook of another protocol', () => ({ WEBHOOK_URL: 'ftp://u:Hook-Pass-77@h/Path-Token-88' }), 78],
  ['a webhook that is no URL', () => ({ WEBHOOK_URL: 'hooks.example.com/Path-Token-88' }), 78],
  ['a secret that is no base64', () => ({ WEBHOOK_SECRET: 'whsec_N0t*base64*At-All' }), 78],
];

const moved = (pair: Pair, host: string) => pair.sourceUrl('increp').replace(/@[^/]+\//, `@${host}:5432/`);
const unreadable = (pair: Pair) => pair.sourceUrl('increp').replace(/:(\d+)\//, ':port$1/');
const withOption = (pair: Pair) =>
  `${pair.sourceUrl('increp')}?passwrod=${encodeURIComponent(password(pair))}`;

test.each(oneIn(4, FAILURES))('no secret gets out with %s', async (_title, change, exitCode) => {
  await using hook = await webhookServer(200);
  await using pair = await freshPair('orders');
  await pair.setEnv({ ...hookSettings(hook), ...change(pair) });
  const codes: (number | undefined)[] = [];
  const said: string[] = [];
  for (const command of ['sync -v --json', 'check']) {
    const result = await increp(command, pair);
    codes.push(result.exitCode);
    said.push(result.stderr);
  }
  expect(codes, said.join('\n')).toEqual([exitCode, exitCode]);
});

test.each([
  ['refuses', 400],
  ['answers with what it was sent to', 'echo'],
  ['cannot be reached', 'closed'],
] as const)('no secret gets out when the webhook %s', async (_title, answer) => {
  await using hook = await webhookServer(typeof answer === 'number' ? answer : 200);
  await using pair = await freshPair('orders');
  const url = answer === 'closed' ? { url: 'http://127.0.0.1:1/hook/Path-Token-88' } : hook;
  await pair.setEnv(hookSettings(url));
  if (answer === 'echo') {
    const said = `${hookUrl(hook)} ${SECRET}`;
    hook.answerWith({ status: 302, headers: { location: hookUrl(hook) }, body: said });
  }
  const { stderr, exitCode } = await increp('sync -v', pair);
  expect(exitCode).toBe(0);
  expect(stderr).toContain('the webhook at http://127.0.0.1');
});

test('no secret gets out when a server quotes it', async () => {
  await using hook = await webhookServer(200);
  await using pair = await freshPair('orders');
  await pair.setEnv(hookSettings(hook));
  await increp('sync', pair);
  await pair.destination.query(`ALTER TABLE orders ADD CONSTRAINT quoted CHECK (note NOT LIKE '%@%')`);
  const secrets = [password(pair), encodeURIComponent(password(pair)), pair.destinationUrl('increp'), TOKEN];
  for (const secret of secrets) {
    await pair.source.query(
      `INSERT INTO orders (id, note) SELECT max(id) + 1, ${escapeLiteral(`@ ${secret}`)} FROM orders`,
    );
    const { summary } = await trySync(pair, '-v');
    expect(summary.tables[0]?.error?.message).toContain('violates check constraint');
  }
  for (const command of [
    'check --json',
    'plan --json',
    'status',
    'status --json',
    'verify',
    'verify --json',
  ]) {
    await increp(command, pair);
  }
});

testWithPgDump('no secret gets out when pg_dump repeats it', async () => {
  await using pair = await freshPair('orders');
  const env = await fakeTools(pair.directory, {
    pg_dump: whenWorking('cat "$PGPASSFILE" >&2; cut -d: -f5- "$PGPASSFILE" >&2; exit 1'),
  });
  for (const args of ['-v', '']) {
    const { summary } = await trySync(pair, args, { env });
    expect(summary.tables[0]?.error?.message).toContain('*:*:*:*:***');
  }
});

testWithPgDump('a secret that gets out in spite of all is found', async () => {
  const pair = await freshPair('orders');
  // No redaction can know a part of a password.
  const env = await fakeTools(pair.directory, {
    pg_dump: whenWorking('cut -c9-20 "$PGPASSFILE" >&2; exit 1'),
  });
  await expect(increp('sync', pair, { env })).rejects.toThrow(/got out: std.* holds SOURCE_PASSWORD/);
  await expect(expectNoSecretLeft(pair)).rejects.toThrow(/history\.jsonl holds SOURCE_PASSWORD/);
  await rm(join(pair.directory, 'sync-state', 'history.jsonl'));
  const leak = join(pair.directory, 'sync-state', 'leak');
  await writeFile(leak, `user:${password(pair).slice(0, 12)}`);
  await expect(expectNoSecretLeft(pair)).rejects.toThrow(/leak holds SOURCE_PASSWORD/);
  await rm(leak);
  await expect(pair[Symbol.asyncDispose]()).rejects.toThrow(/the history .* holds SOURCE_PASSWORD/);
});

test.each([
  ['as it is', (text: string) => text],
  ['in JSON', (text: string) => JSON.stringify({ text })],
  ['in a URL', encodeURIComponent],
  ['in an authorization', (text: string) => Buffer.from(`some-role:${text}`).toString('base64')],
  ['in part', (text: string) => text.slice(0, 12)],
])('a secret is found %s', async (_title, write) => {
  await using pair = await freshPair();
  const text = `before ${write(password(pair))} after`;
  expect(() => expectNoSecret(pair.directory, { text })).toThrow('text holds SOURCE_PASSWORD');
  expect(() => expectNoSecret(pair.directory, { text: 'before after' })).not.toThrow();
});

test('a bug of ours shows its stack and no secret', async () => {
  await using pair = await freshPair('orders');
  const preload = join(pair.directory, 'preload.mjs');
  await writeFile(
    preload,
    `import { Socket } from 'node:net';
     Socket.prototype.connect = () => { throw new TypeError('boom ' + process.env.BOOM); };`,
  );
  const env = { NODE_OPTIONS: `--import ${preload}`, BOOM: password(pair) };
  const { exitCode, stderr } = await increp('sync -v', pair, { env });
  expect(exitCode).toBe(70);
  expect(stderr).toContain('boom ***');
  // In lines of src/, not of a bundle.
  const { stderr: stack } = await increp('plan -v', pair, { env });
  expect(stack).toMatch(/\(src\/postgres\/connect\.ts:\d+:\d+\)/);
  expect(stack).not.toContain('/dist/');
  const status = await increp('verify --json', pair, { env });
  expect(status.json<{ error: { code: string } }>().error.code).toBe('INTERNAL');
});

test.each(oneIn(5, ['SOURCE_PASSWORD %', 'SOURCE_PASSWORD= "%', 'DEST_PASSWORD = #%', '%', '%=x']))(
  'no secret gets out of the line <%s> in .env',
  async (line) => {
    await using pair = await freshPair('orders');
    await appendFile(join(pair.directory, '.env'), `\n${line.replace('%', 'Line-Secret-99')}\n`);
    let said = '';
    for (const command of ['sync', 'check --json']) {
      const { stdout, stderr } = await increp(command, pair);
      said += stdout + stderr;
    }
    expect(said).not.toContain('Line-Secret-99');
  },
);

test('no secret gets out of a tables-config.json that it stands in', async () => {
  await using pair = await freshPair('orders');
  const secret = password(pair);
  await pair.writeTables([{ ...ORDERS_CONFIG, mode: secret, [secret]: 1 }]);
  expect((await increp('sync', pair)).exitCode).toBe(78);
  await writeFile(join(pair.directory, 'tables-config.json'), `[{ "name": ${JSON.stringify(secret)},, }]`);
  const { exitCode, stderr } = await increp('check', pair);
  expect({ exitCode, stderr }).toMatchObject({
    exitCode: 78,
    stderr: expect.stringContaining('***') as string,
  });
  // It is a file of the user's, not of ours.
  await pair.writeTables([ORDERS_CONFIG]);
});

slowTest.each(oneIn(9, ['a', 'ok', 'null', 'name', '":"', 'failed', 'orders', 'summary', 'incremental']))(
  'the password <%s> leaves the answers readable for programs',
  async (weak) => {
    await using pair = await freshPair('orders');
    await pair.source.query(
      `ALTER ROLE ${pair.login('source', 'increp').user} PASSWORD ${escapeLiteral(weak)}`,
    );
    await pair.setEnv({ SOURCE_PASSWORD: weak });
    const { summary } = await trySync(pair, '-v');
    expect(summary).toMatchObject({
      status: 'ok',
      tables: [{ name: 'orders', status: 'ok', action: 'initial' }],
    });
    const check = (await increp('check --json', pair)).json<{ type: string; findings: object[] }>();
    expect(check.type).toBe('check');
    expect(check.findings).toContainEqual(expect.objectContaining({ level: 'note', code: 'SERVER_INFO' }));
    expect((await increp('status --json', pair)).json()).toMatchObject({
      tables: [{ name: 'orders', state: 'ok' }],
    });
    const { stderr } = await increp('sync -v', pair, { env: { SOURCE_PASSWORD: `${weak}-wrong-1` } });
    expect(stderr).toContain('password authentication failed');
  },
);
