/** Services of libpq in connection strings. test/gate/connection-strings.test.ts compares them with psql. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadSettings } from '../../../src/config/load.ts';
import { redactor } from '../../../src/redact.ts';
import { pipelineDirectory } from './pipeline-directory.ts';

const SERVICES = `[shop]
host=db.example.com
port=5433
dbname=shop
user=reader
password=it's a secret
sslmode=disable
[copy]
host=wh
dbname=copy
user=writer
password=other-secret
`;

const DESTINATION = { DEST_HOST: 'wh', DEST_USERNAME: 'writer', DEST_DB: 'copy', DEST_PASSWORD: 'w' };

test('a service fills what the string does not set, and its password is secret', async () => {
  await using pipeline = await pipelineDirectory({ '.env': '', services: SERVICES });
  const settings = await pipeline.load({
    ...DESTINATION,
    SOURCE_URL: 'service=shop servicefile=services dbname=other',
  });
  expect(settings.source).toMatchObject({
    host: 'db.example.com',
    port: 5433,
    database: 'other',
    user: 'reader',
    credential: { known: "it's a secret" },
  });
  expect(redactor(settings.secrets)("it's a secret")).toBe('***');
  expect(settings.origins['SOURCE_URL']).toMatch(/service "shop" in \S+services$/);
});

test('the file is found by PGSERVICEFILE, in HOME or in PGSYSCONFDIR', async () => {
  await using pipeline = await pipelineDirectory({
    '.env': '',
    services: SERVICES,
    '.pg_service.conf': '[mine]\nhost=home\n',
    'pg_service.conf': SERVICES,
  });
  const { directory } = pipeline;
  const base = { ...DESTINATION, SOURCE_URL: 'service=shop' };
  for (const found of [
    { PGSERVICEFILE: join(directory, 'services'), HOME: '/nowhere' },
    { HOME: directory, PGSYSCONFDIR: directory },
  ])
    expect((await loadSettings({ directory, environment: { ...base, ...found } })).source.port).toBe(5433);
});

test('destinations may be services too', async () => {
  await using pipeline = await pipelineDirectory({ '.env': '', services: SERVICES });
  const settings = await pipeline.load({
    SOURCE_URL: 'service=shop servicefile=services',
    DEST_URLS: 'postgresql:///?service=copy&servicefile=services',
  });
  expect(settings.destinations).toMatchObject([
    { name: 'wh-copy', connection: { user: 'writer', credential: { known: 'other-secret' } } },
  ]);
});

test('after a failed login, the password is read again from the service file', async () => {
  await using pipeline = await pipelineDirectory({ '.env': '', services: SERVICES });
  const { source } = await pipeline.load({ ...DESTINATION, SOURCE_URL: 'service=shop servicefile=services' });
  await writeFile(join(pipeline.directory, 'services'), SERVICES.replace("it's a secret", 'renewed'));
  const wait = { seconds: 5, signal: undefined };
  expect(await source.credential.renewed("it's a secret", wait)).toBe('renewed');
});

test.each([
  ['service=nowhere servicefile=services', /no service "nowhere" in \S+services/],
  ['service=shop servicefile=missing', /the service file \S+missing does not exist/],
  ['servicefile=services host=db user=u dbname=d', /"servicefile" has no effect without "service"/],
])('%s is refused by what is wrong', async (SOURCE_URL, says) => {
  await using pipeline = await pipelineDirectory({ '.env': '', services: SERVICES });
  await expect(pipeline.load({ ...DESTINATION, SOURCE_URL })).rejects.toThrow(says);
});

test('no message shows a line of the file', async () => {
  await using pipeline = await pipelineDirectory({
    '.env': '',
    services: '[shop]\npassword hunter2hunter2\n',
  });
  const refused = pipeline.load({ ...DESTINATION, SOURCE_URL: 'service=shop servicefile=services' });
  await expect(refused).rejects.toThrow(/line 2 is not KEYWORD=VALUE in \S+services/);
  await expect(refused).rejects.not.toThrow(/hunter2/);
});
