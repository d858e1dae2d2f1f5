/** Several destinations, as they are written. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { settingsFor } from '../../../src/config/connection/destinations.ts';
import { redactor } from '../../../src/redact.ts';
import { CERTIFICATE } from './pem.ts';
import { CONNECTIONS, envFile, pipelineDirectory, TABLE } from './pipeline-directory.ts';

const { SOURCE_HOST, SOURCE_USERNAME, SOURCE_DB } = CONNECTIONS;
const SOURCE = { SOURCE_HOST, SOURCE_USERNAME, SOURCE_DB };

const withDestinations = (destinations: unknown, env?: string) =>
  pipelineDirectory({
    'tables-config.json': JSON.stringify({ destinations, tables: [TABLE] }),
    ...(env !== undefined && { '.env': env }),
  });

test('one destination has no name, and its state lies where it always did', async () => {
  await using pipeline = await pipelineDirectory();
  const settings = await pipeline.load();
  expect(settings.destinations).toEqual([]);
  expect(settings.destinationLabel).toBeUndefined();
});

test('DEST_URLS names several, each with a directory of its own', async () => {
  await using pipeline = await pipelineDirectory();
  const settings = await pipeline.load({
    ...SOURCE,
    DEST_URLS: `near=postgresql://writer:one-secret@wh/analytics
      postgresql://writer:two-secret@Far.Example.com:5433/An%20other?sslmode=require`,
    DEST_SCHEMA: 'copies',
    DEST_SSLMODE: 'disable',
  });
  expect(settings.destinations.map(({ name }) => name)).toEqual(['near', 'far-an-other']);
  const [near, far] = settings.destinations.map((each) => settingsFor(settings, each));
  expect(near?.destination).toMatchObject({ host: 'wh', database: 'analytics', schema: 'copies' });
  expect(near?.destination.tls.mode).toBe('disable');
  // What a URL says counts before what is said for all.
  expect(far?.destination).toMatchObject({
    host: 'Far.Example.com',
    port: 5433,
    credential: { known: 'two-secret' },
  });
  expect(far?.destination.tls.mode).toBe('require');
  expect(far?.stateDirectory).toBe(join(pipeline.directory, 'sync-state', 'far-an-other'));
  const redact = redactor(settings.secrets);
  expect(redact('one-secret, two-secret')).toBe('***, ***');
});

test('tables-config.json names several, by variables that hold their URLs', async () => {
  await using pipeline = await withDestinations(
    [
      { name: 'warehouse', url_env: 'DEST_WAREHOUSE_URL', schema: 'w' },
      { url_env: 'BACKUP_URL' },
      { url: 'postgresql://writer@third/db' },
    ],
    envFile({
      ...SOURCE,
      DEST_WAREHOUSE_URL: 'postgresql://a:first-secret@wh/x',
      BACKUP_URL_FILE: 'backup.url',
    }),
  );
  await pipeline.write('backup.url', 'postgresql://b:second-secret@bk/y\n');
  await pipeline.write('.pgpass', 'third:*:*:*:third-secret\n');
  const { destinations, secrets, origins } = await pipeline.load({});
  expect(destinations.map(({ name, origin }) => [name, origin])).toEqual([
    ['warehouse', 'DEST_WAREHOUSE_URL'],
    ['bk-y', 'BACKUP_URL'],
    ['third-db', 'tables-config.json, destinations[2].url'],
  ]);
  expect(destinations.map(({ connection: { schema, credential } }) => [schema, credential.known])).toEqual([
    ['w', 'first-secret'],
    ['public', 'second-secret'],
    ['public', 'third-secret'],
  ]);
  expect(secrets).toEqual(expect.arrayContaining(['first-secret', 'second-secret', 'third-secret']));
  expect(origins['SOURCE_HOST']).toBe('.env');
});

test('a certificate is read for each of them', async () => {
  await using pipeline = await pipelineDirectory({ 'ca.pem': CERTIFICATE });
  const DEST_URLS = 'a=postgres://u@one/d?sslmode=verify-full b=postgres://u@two/d?sslmode=nonsense';
  const { message } = await pipeline.refusal({ ...SOURCE, DEST_URLS, DEST_SSLROOTCERT: 'ca.pem' });
  expect(message).toContain(
    'DEST_URLS (the environment), destination b: sslmode "nonsense" is unknown; allowed: "disable", "allow"',
  );
  expect(message).not.toContain('destination a');
});

test('all that is wrong is told at once, and no password with it', async () => {
  await using pipeline = await pipelineDirectory();
  const { message } = await pipeline.refusal({
    ...CONNECTIONS,
    DEST_PASSWORD: 'common-secret',
    DEST_URLS:
      'Big=postgres://u@h/d two=postgres://u:hidden-secret@h:0/e three=nothing-hidden postgres://u@h/f postgres://u@h/f postgres://u@h.org/f',
  });
  for (const said of [
    'DEST_HOST (the environment): set together with DEST_URLS; use one way to name the destinations',
    'DEST_PASSWORD (the environment): set together with DEST_URLS',
    'DEST_URLS (the environment), destination Big: "Big" is not a valid destination name',
    'DEST_URLS (the environment), destination two: "0" is not a port',
    'DEST_URLS (the environment), destination 3: not a connection URL',
    'DEST_URLS: two destinations have the name "h-f"; give each its own name',
    'DEST_URLS: the destinations "h-f" and "h-f" are the same schema of the same database',
  ])
    expect(message).toContain(said);
  expect(message).not.toMatch(/hidden|common-secret/);
});

test('what is wrong in the file is told by its place', async () => {
  await using pipeline = await withDestinations([
    { nam: 'x', url_env: 'A_URL' },
    { name: 'a', url_env: 'A_URL' },
    { name: 'b' },
    { name: 'c', url: 'postgresql://u:in-the-file@h/d' },
    { name: 'd', url: 'postgresql://u@h/d', url_env: 'A_URL' },
    { name: 'e', url: 'postgresql://u@h/d', schema: '' },
  ]);
  const { message } = await pipeline.refusal({ ...SOURCE, DEST_URLS: 'x=postgres://u@h/d' });
  for (const said of [
    'DEST_URLS (the environment): set together with destinations of tables-config.json',
    'tables-config.json, destinations[0].nam: unknown key; did you mean name?',
    'tables-config.json, destinations[1].url_env: the variable A_URL is not set',
    'tables-config.json, destinations[2].url_env: missing; name the variable that holds the URL',
    'tables-config.json, destinations[3].url: contains a password, and this file is not secret',
    'tables-config.json, destinations[4].url: set together with url_env; remove one of them',
    'tables-config.json, destinations[5].schema: ',
  ])
    expect(message).toContain(said);
  expect(message).not.toContain('in-the-file');
});

test('an empty list is no destination', async () => {
  await using pipeline = await withDestinations([]);
  expect((await pipeline.refusal(SOURCE)).message).toContain(
    'tables-config.json, destinations: there are no destinations',
  );
});

test('a list of something else is refused', async () => {
  await using pipeline = await withDestinations('warehouse');
  expect((await pipeline.refusal(CONNECTIONS)).message).toContain(
    'tables-config.json, destinations: "warehouse" is not allowed; allowed: an array of destinations',
  );
});

test('DEST_URLS accepts keywords, with and without a name, beside URLs', async () => {
  await using pipeline = await pipelineDirectory();
  const settings = await pipeline.load({
    ...SOURCE,
    DEST_URLS: String.raw`near=host=wh port=5433 dbname='my shop' user=writer password='it\'s host=x'
      far=postgresql://writer:two-secret@far/shop
      host=third dbname=db user=writer password=a=b=c
      last=dbname=db host = fourth user=writer`,
  });
  expect(settings.destinations.map(({ name }) => name)).toEqual(['near', 'far', 'third-db', 'last']);
  const [near, , third, last] = settings.destinations.map(({ connection }) => connection);
  expect(near).toMatchObject({ host: 'wh', port: 5433, database: 'my shop' });
  expect(near?.credential.known).toBe("it's host=x");
  expect(third?.credential.known).toBe('a=b=c');
  expect(last).toMatchObject({ host: 'fourth' });
  expect(redactor(settings.secrets)("it's host=x, a=b=c")).toBe('***, ***');
});
