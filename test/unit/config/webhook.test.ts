import { describe, expect, test } from 'vitest';
import { CONNECTIONS, pipelineDirectory } from './pipeline-directory.ts';

const URL = 'https://hooks.example.com/increp';

test('a webhook needs only a URL', async () => {
  await using pipeline = await pipelineDirectory();
  const { webhook } = await pipeline.load({ ...CONNECTIONS, WEBHOOK_URL: URL });
  expect(webhook).toEqual({
    url: URL,
    secret: undefined,
    events: ['run.succeeded', 'run.partial', 'run.failed'],
    format: 'json',
  });
});

test('a webhook takes a secret, a format and a list of events', async () => {
  await using pipeline = await pipelineDirectory();
  const { webhook } = await pipeline.load({
    ...CONNECTIONS,
    WEBHOOK_URL: 'http://localhost:8080/',
    WEBHOOK_SECRET: 'whsec_c2VjcmV0IGtleQ==',
    WEBHOOK_EVENTS: ' table.failed, run.failed,table.failed,',
    WEBHOOK_FORMAT: 'slack',
  });
  expect(webhook).toEqual({
    url: 'http://localhost:8080/',
    secret: 'whsec_c2VjcmV0IGtleQ==',
    events: ['table.failed', 'run.failed'],
    format: 'slack',
  });
});

test('any text can be the secret', async () => {
  await using pipeline = await pipelineDirectory();
  const { webhook } = await pipeline.load({
    ...CONNECTIONS,
    WEBHOOK_URL: URL,
    WEBHOOK_SECRET: 'pass phrase!',
  });
  expect(webhook?.secret).toBe('pass phrase!');
});

describe('a webhook is refused', () => {
  test.each([
    ['WEBHOOK_URL', 'hooks.example.com', 'not a URL that begins with https:// or http://'],
    ['WEBHOOK_URL', 'ftp://hooks.example.com', 'not a URL that begins with https:// or http://'],
    ['WEBHOOK_SECRET', 'whsec_', 'the text after whsec_ is not base64'],
    ['WEBHOOK_SECRET', 'whsec_not!base64', 'the text after whsec_ is not base64'],
    ['WEBHOOK_EVENTS', 'run.suceeded', 'did you mean run.succeeded?'],
    ['WEBHOOK_EVENTS', ' , ', 'contains no event'],
    ['WEBHOOK_FORMAT', 'teams', '"teams" is unknown; allowed: "json" or "slack"'],
  ])('with %s=%s', async (name, value, what) => {
    await using pipeline = await pipelineDirectory();
    const { message } = await pipeline.refusal({ ...CONNECTIONS, WEBHOOK_URL: URL, [name]: value });
    expect(message).toMatch(/^1 problem /);
    expect(message).toContain(`${name} (the environment): `);
    expect(message).toContain(what);
  });
});

test('what belongs to a webhook that has no URL is warned about', async () => {
  await using pipeline = await pipelineDirectory();
  const { warnings, webhook } = await pipeline.load({ ...CONNECTIONS, WEBHOOK_EVENTS: 'run.failed' });
  expect(webhook).toBeUndefined();
  expect(warnings).toEqual(['WEBHOOK_EVENTS has no effect without WEBHOOK_URL']);
});
