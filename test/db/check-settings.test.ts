/** Findings of `check` about settings: addresses, a missing schema, encryption, .env and the webhook. */
import { appendFile, chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { signatureOf } from '../../src/notify/signature.ts';
import { check } from '../support/check.ts';
import { freshPair } from '../support/pair.ts';
import { webhookServer } from '../support/webhook-server.ts';
import { slowTest } from '../support/tier.ts';

test('source and destination that are one schema, and a state directory that cannot be written', async () => {
  await using pair = await freshPair('orders');
  const { host, port, database, user, password } = pair.login('source', 'increp');
  await pair.setEnv({
    DEST_HOST: host,
    DEST_PORT: String(port),
    DEST_DB: database,
    DEST_USERNAME: user,
    DEST_PASSWORD: password,
  });
  await writeFile(join(pair.directory, 'sync-state'), 'a file');
  const { errors, exitCode } = await check(pair);
  expect(errors).toEqual(expect.arrayContaining(['STATE_NOT_WRITABLE', 'SAME_DATABASE']));
  expect(exitCode).toBe(1);
});

test('a schema that is not there', async () => {
  await using pair = await freshPair('orders');
  const { errors, find } = await check(pair, '', { env: { SOURCE_SCHEMA: 'nowhere' } });
  expect(errors).toEqual(['TABLE_NOT_FOUND']);
  expect(find('TABLE_NOT_FOUND')?.action).toContain('Set SOURCE_SCHEMA');
});

test('a connection over the network that is not encrypted', async () => {
  await using pair = await freshPair('orders');
  // An address of this machine that does not look like one.
  const { warnings, find } = await check(pair, '', { env: { SOURCE_HOST: '0.0.0.0' } });
  expect(warnings).toEqual(['NOT_ENCRYPTED']);
  expect(find('NOT_ENCRYPTED')?.message).toContain('the source at 0.0.0.0 is not encrypted');
});

test('.env that others can read, or that cuts a value at a #', async () => {
  await using pair = await freshPair('orders');
  await appendFile(join(pair.directory, '.env'), '\nLOG_LEVEL=info #1\n');
  await chmod(join(pair.directory, '.env'), 0o644);
  const found = await check(pair);
  const settings = found.findings.filter(({ code }) => code === 'SETTINGS');
  expect(settings).toMatchObject([
    {
      message: expect.stringContaining('.env can be read by other users'),
      action: expect.stringMatching(/^Run: chmod 600 \/\S+\/\.env$/),
    },
    { message: expect.stringContaining('LOG_LEVEL ends before the #') },
  ]);
  expect(found.exitCode).toBe(0);
});

slowTest('--webhook sends one signed message, whatever the events; without it nothing is sent', async () => {
  await using pair = await freshPair('orders');
  await using server = await webhookServer(200, 401, { status: 302, headers: { location: '/' } }, 'reset');
  const env = { WEBHOOK_URL: server.url, WEBHOOK_SECRET: 'a secret of ours', WEBHOOK_EVENTS: 'table.failed' };
  expect((await check(pair, '', { env })).find('WEBHOOK')).toBeUndefined();
  expect(server.requests).toHaveLength(0);

  const accepted = await check(pair, '--webhook', { env });
  expect(accepted.find('WEBHOOK')?.message).toMatch(
    /^increp sent a test message \("test\.ping", format json, signed\) to WEBHOOK_URL \(http:\/\/127\.0\.0\.1:\d+[^ ]*\), and the endpoint accepted it: it answered 200, after 0\.\d s$/,
  );
  const [request] = server.requests;
  expect(request?.json()).toMatchObject({ type: 'test.ping', message: expect.stringContaining('is a test') });
  const [id, timestamp] = ['webhook-id', 'webhook-timestamp'].map((name) => String(request?.headers[name]));
  expect(request?.headers['webhook-signature']).toBe(
    signatureOf('a secret of ours', {
      id: id ?? '',
      timestamp: Number(timestamp),
      body: String(request?.rawBody),
    }),
  );

  for (const [why, action] of [
    [/it answered 401/, /WEBHOOK_SECRET/],
    [/302, and redirects are not followed/, /target of the redirect/],
    [/the connection failed/, /whether this machine can reach http/],
  ] as const) {
    const refused = await check(pair, '--webhook', { env });
    expect(refused).toMatchObject({ exitCode: 78, errors: ['WEBHOOK_FAILED'] });
    expect(refused.find('WEBHOOK_FAILED')).toMatchObject({
      message: expect.stringMatching(why),
      action: expect.stringMatching(action),
    });
    expect(refused.find('WEBHOOK_FAILED')?.action).toMatch(/ Then run "increp check --webhook"\.$/);
  }
  expect(server.requests).toHaveLength(4);
  expect((await check(pair, '--webhook')).find('WEBHOOK_FAILED')?.message).toContain(
    'WEBHOOK_URL is not set',
  );
});
