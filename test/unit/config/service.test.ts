/** What the service reads without a database: pipelines, their variables and their schedules. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readServiceSettings } from '../../../src/config/service/control-database.ts';
import { findPipelines } from '../../../src/config/service/pipeline-directories.ts';
import { environmentOf } from '../../../src/config/service/pipeline-environment.ts';
import { readOutline } from '../../../src/config/service/schedules.ts';

async function directories(files: Readonly<Record<string, string>>) {
  const root = await mkdtemp(join(tmpdir(), 'increp-service-'));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(root, path, '..'), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return { root, [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }) };
}

test('each directory with a tables-config.json is a pipeline, if its name can be that of a queue', async () => {
  await using place = await directories({
    'shop/tables-config.json': '[]',
    'crm.eu/tables-config.json': '[]',
    'old shop/tables-config.json': '[]',
    'notes/readme.txt': '',
    '.git/tables-config.json': '[]',
  });
  const { pipelines, refused } = await findPipelines(place.root);
  expect(pipelines.map(({ name }) => name)).toEqual(['crm.eu', 'shop']);
  expect(refused).toEqual(['old shop']);
  await expect(findPipelines(join(place.root, 'nowhere'))).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
});

test('a pipeline gets the variables with its name, and none without', async () => {
  await using place = await directories({ 'secrets/CRM_EU_DEST_URL': 'x', 'secrets/OTHER': 'y' });
  const environment = {
    ...{ PATH: '/bin', SOURCE_URL: 'all', SERVE_DATABASE_URL: 'control', CRM_EU_SOURCE_URL: 'own' },
    ...{
      SHOP_SOURCE_URL: 'other',
      CRM_EU_NONSENSE: 'no',
      CREDENTIALS_DIRECTORY: join(place.root, 'secrets'),
    },
  };
  expect(environmentOf('crm.eu', environment)).toEqual({
    ...{ PATH: '/bin', SHOP_SOURCE_URL: 'other', CRM_EU_SOURCE_URL: 'own', CRM_EU_NONSENSE: 'no' },
    ...{ SOURCE_URL: 'own', DEST_URL_FILE: join(place.root, 'secrets/CRM_EU_DEST_URL') },
  });
});

test('the control database takes a password beside a URL without one', async () => {
  const { control, secrets } = await readServiceSettings('.', {
    SERVE_DATABASE_URL: 'postgres://a@b/c',
    SERVE_DATABASE_PASSWORD: 'hidden-77',
  });
  expect(control.credential.known).toBe('hidden-77');
  expect(secrets).toContain('hidden-77');
  const both = { SERVE_DATABASE_URL: 'postgres://a:x@b/c', SERVE_DATABASE_PASSWORD: 'hidden-77' };
  await expect(readServiceSettings('.', both)).rejects.toThrow(
    'SERVE_DATABASE_PASSWORD (the environment): set together with the password in SERVE_DATABASE_URL',
  );
});

const table = (name: string, more: object = {}) => ({
  ...{ name, replication_key: 'updated_at', unique_cols: ['id'] },
  ...more,
});

test('the schedules of a pipeline and of its tables', async () => {
  const tables = [
    table('orders'),
    table('audit', { schedule: { cron: '0 3 * * *', time_zone: 'Europe/Berlin' } }),
    table('events_*', { schedule: { every: '5m' } }),
  ];
  await using place = await directories({
    'tables-config.json': JSON.stringify({ schedule: { every: '30s' }, jobs: 3, tables }),
  });
  expect(await readOutline(place.root)).toEqual({
    jobs: 3,
    problem: undefined,
    schedules: [
      { entry: '', schedule: { kind: 'every', seconds: 30 } },
      { entry: 'audit', schedule: { kind: 'cron', expression: '0 3 * * *', timeZone: 'Europe/Berlin' } },
      { entry: 'events_*', schedule: { kind: 'every', seconds: 300 } },
    ],
  });
});

test.each([
  [{ every: '10 minutes' }, 'a duration'],
  [{ every: '500ms' }, '1s or longer'],
  [{ cron: '* * * *' }, 'five fields'],
  [{ cron: '0 3 * * *', time_zone: 'Mars/Base' }, 'a time zone'],
  [{ every: '30s', cron: '0 3 * * *' }, 'an object with "every"'],
  [{ every: '30s', time_zone: 'UTC' }, 'an object with "every"'],
  [{}, 'an object with "every"'],
])('the schedule %j is refused', async (schedule, allowed) => {
  await using place = await directories({
    'tables-config.json': JSON.stringify({ schedule, tables: [table('orders')] }),
  });
  const { problem } = await readOutline(place.root);
  expect(problem?.message).toMatch(/^\d problems? in tables-config\.json of pipeline /);
  expect(problem?.next).toContain('Fix the file. increp serve reads it again within seconds.');
  expect(problem?.message).toContain('tables-config.json, schedule');
  expect(problem?.message).toContain(allowed);
});

test('the service names the variable that it needs, and never shows a password', async () => {
  await expect(readServiceSettings('/srv', {})).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining('SERVE_DATABASE_URL: not set'),
  });
  const wrong = readServiceSettings('/srv', {
    SERVE_DATABASE_URL: 'postgres://a:S3cret-word@h/x?sslmode=nonsense',
  });
  await expect(wrong).rejects.toMatchObject({ message: expect.not.stringContaining('S3cret-word') });
});
