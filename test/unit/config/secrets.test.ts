import { expect, test } from 'vitest';
import { redactor } from '../../../src/redact.ts';
import { CONNECTIONS, pipelineDirectory } from './pipeline-directory.ts';

const HOOK = 'https://Hook-User:h%40ok%2Fpass@hooks.example.com/services/T0/B0/Path-Token?key=Query-Token-1';

test.each([
  ['the whole URL', HOOK],
  ['its path', 'POST /services/T0/B0/Path-Token?key=Query-Token-1 failed'],
  ['its query', 'key Query-Token-1 refused'],
  ['its password', 'h@ok/pass'],
  ['its password as it was written', 'h%40ok%2Fpass'],
  ['its authorization', `Basic ${Buffer.from('Hook-User:h@ok/pass').toString('base64')}`],
])('of a webhook %s is a secret', async (_, text) => {
  await using pipeline = await pipelineDirectory();
  const { secrets } = await pipeline.load({ ...CONNECTIONS, WEBHOOK_URL: HOOK });
  expect(redactor(secrets)(text)).not.toMatch(/Token|h.{1,3}ok|Hook-User|SG9vay/);
  expect(redactor(secrets)('the webhook at https://hooks.example.com')).toContain(
    'https://hooks.example.com',
  );
});

test('of a healthcheck the URL, and its path alone, are secrets', async () => {
  await using pipeline = await pipelineDirectory({
    url: 'https://hc-ping.com/c0ffee00-aaaa-4bbb-8ccc-dddddddddddd\n',
  });
  const { secrets, healthcheckUrl } = await pipeline.load({ ...CONNECTIONS, HEALTHCHECK_URL_FILE: 'url' });
  expect(healthcheckUrl).toContain('c0ffee00');
  expect(
    redactor(secrets)(`${healthcheckUrl} and GET /c0ffee00-aaaa-4bbb-8ccc-dddddddddddd/start`),
  ).not.toContain('c0ffee');
});

test('a complaint about one setting does not show the secret of another', async () => {
  await using pipeline = await pipelineDirectory({ 'tables-config.json': '[{ "name": "Hunter-2-3",, }]' });
  const { message } = await pipeline.refusal({
    ...CONNECTIONS,
    SOURCE_PASSWORD: 'Hunter-2-3',
    SOURCE_PORT: 'Hunter-2-3',
    DEST_SSLMODE: 'Hunter-2-3',
  });
  expect(message).toMatch(/^3 problems /);
  expect(message).toContain('SOURCE_PORT (the environment): "***" is not a port');
  expect(message).not.toContain('Hunter');
});
