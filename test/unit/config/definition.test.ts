/** Pipelines that the API creates: their configuration, and the connections that a worker finds for them. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readConfiguration } from '../../../src/config/load.ts';
import { connectionsIn, resolveConnections } from '../../../src/config/service/connections.ts';
import {
  definitionSchema,
  outlineOfDefinition,
  REFUSED_KEYS,
  type PipelineDefinition,
} from '../../../src/config/service/definition.ts';
import { defaultsSchema, envelopeSchema, tableSchema } from '../../../src/config/tables/tables-schema.ts';
import type { Environment } from '../../../src/environment.ts';
import { TABLE } from './pipeline-directory.ts';

const DEFINITION: PipelineDefinition = { source: 'shop', destinations: ['wh'], config: { tables: [TABLE] } };

const URLS = {
  CONNECTION_SHOP_URL: 'postgresql://reader:Shop-Word@db/shop',
  CONNECTION_WH_URL: 'postgresql://writer:Wh-Word@wh/analytics',
};

async function configurationOf(definition: PipelineDefinition, environment: Environment) {
  const place = { name: 'shop', definition, environment, stateDirectory: '/state/shop' };
  const resolved = resolveConnections(place);
  if ('missing' in resolved) throw new Error(`missing: ${resolved.missing.join(', ')}`);
  return readConfiguration({ directory: '/srv', ...resolved });
}

test('the connections of a worker are those with a variable or a credential of their name', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'increp-connections-'));
  await using _ = { [Symbol.asyncDispose]: () => rm(directory, { recursive: true }) };
  await mkdir(join(directory, 'secrets'));
  await writeFile(join(directory, 'secrets', 'CONNECTION_CRM_URL'), 'postgresql://a@b/c');
  const found = connectionsIn({
    ...{ CONNECTION_SHOP_URL: 'x', CONNECTION_SHOP_EU_PASSWORD_COMMAND: 'x', CONNECTION_WH_2_HOST_FILE: 'x' },
    ...{ CONNECTION_EMPTY_URL: '', CONNECTION_X_NONSENSE: 'x', SHOP_SOURCE_URL: 'x', CONNECTION__URL: 'x' },
    CREDENTIALS_DIRECTORY: join(directory, 'secrets'),
  });
  expect(found).toEqual(['crm', 'shop', 'shop_eu', 'wh_2']);
});

test('a connection has all settings of a side, and the pipeline has the schemas', async () => {
  const { settings } = await configurationOf(
    { ...DEFINITION, source_schema: 'sales', dest_schema: 'copy' },
    {
      CONNECTION_SHOP_HOST: 'db',
      CONNECTION_SHOP_USERNAME: 'reader',
      CONNECTION_SHOP_PASSWORD: 'Shop-Word',
      CONNECTION_SHOP_DB: 'shop',
      CONNECTION_SHOP_SSLMODE: 'require',
      CONNECTION_SHOP_SSH: 'deploy@bastion',
      CONNECTION_SHOP_SCHEMA: 'ignored',
      CONNECTION_WH_URL: URLS.CONNECTION_WH_URL,
      // Neither variables of sides nor those of other pipelines count.
      ...{
        SHOP_SOURCE_URL: 'postgresql://x@elsewhere/x',
        SHOP_DEST_PORT: '1',
        SOURCE_URL: 'x',
        DEST_URLS: 'x',
      },
      ...{ SHOP_RETRY_ATTEMPTS: '7', RETRY_ATTEMPTS: '9', SHOP_PIPELINE_NAME: 'other' },
    },
  );
  expect(settings).toMatchObject({
    ...{ pipeline: 'shop', stateDirectory: '/state/shop', destinations: [] },
    source: { host: 'db', schema: 'sales', tls: { mode: 'require' }, bastion: { host: 'bastion' } },
    destination: { host: 'wh', port: 5432, database: 'analytics', schema: 'copy' },
    retry: { attempts: 7 },
    tables: [{ name: 'orders' }],
  });
  expect(settings?.secrets).toEqual(expect.arrayContaining(['Shop-Word', 'Wh-Word']));
});

test('several destinations have a connection each, with settings of their own', async () => {
  const { settings } = await configurationOf(
    { ...DEFINITION, destinations: ['wh', 'lake'] },
    {
      ...URLS,
      CONNECTION_LAKE_URL: 'postgresql://loader:Lake-Word@lake/raw',
      CONNECTION_LAKE_SSLMODE: 'require',
    },
  );
  expect(settings?.destinations).toMatchObject([
    { name: 'wh', connection: { host: 'wh', tls: { mode: 'prefer' } } },
    { name: 'lake', connection: { host: 'lake', tls: { mode: 'require' } } },
  ]);
  expect(settings?.secrets).toEqual(expect.arrayContaining(['Shop-Word', 'Wh-Word', 'Lake-Word']));
});

test.each([
  [{ CONNECTION_WH_PORT: 'x' }, ['wh'], 'CONNECTION_WH_PORT (the environment): "x" is not a port'],
  [{ CONNECTION_WH_SSLMODE: 'no' }, ['wh'], 'CONNECTION_WH_SSLMODE (the environment)'],
  [
    { CONNECTION_LAKE_HOST: 'lake' },
    ['wh', 'lake'],
    'CONNECTION_LAKE_USERNAME: not set; write CONNECTION_LAKE_',
  ],
  [
    { CONNECTION_LAKE_URL: URLS.CONNECTION_WH_URL },
    ['wh', 'lake'],
    'are the same schema of the same database',
  ],
])('a problem names the variable of the connection: %j', async (wrong, destinations, message) => {
  const withoutUrl = 'CONNECTION_WH_PORT' in wrong ? { CONNECTION_WH_HOST: 'h', CONNECTION_WH_URL: '' } : {};
  const { error } = await configurationOf(
    { ...DEFINITION, destinations },
    { ...URLS, ...withoutUrl, ...wrong },
  );
  expect(error?.message).toContain(message);
  expect(error?.message).not.toMatch(/\b(SOURCE|DEST)_|\.env/);
});

test('connections that are not here are named, each once', () => {
  const place = { name: 'shop', environment: URLS, stateDirectory: '/state' };
  const definition = { ...DEFINITION, source: 'crm', destinations: ['wh', 'lake', 'crm'] };
  expect(resolveConnections({ ...place, definition })).toEqual({ missing: ['crm', 'lake'] });
});

test('the configuration of a pipeline is checked like a file, and problems have its path', () => {
  const { jobs, schedules, problem } = outlineOfDefinition('shop', {
    ...DEFINITION,
    config: { jobs: 3, schedule: { every: '30s' }, tables: [TABLE] },
  });
  expect({ jobs, schedules, problem }).toEqual({
    ...{ jobs: 3, problem: undefined },
    schedules: [{ entry: '', schedule: { kind: 'every', seconds: 30 } }],
  });
  const wrong = outlineOfDefinition('shop', {
    ...DEFINITION,
    config: { $schema: './x.json', destinations: [], jobs: 0, tables: [{ ...TABLE, mod: 'x' }] },
  });
  const text = wrong.problem?.message ?? '';
  expect(text).toContain('4 problems in the configuration of pipeline shop:');
  expect(wrong.problem?.next).toContain('Correct the definition, then send it again.');
  expect(text).toContain('config.$schema: names a file');
  expect(text).toContain('config.destinations: names URLs, variables or SSH servers');
  expect(text).toContain('config.jobs: 0 is not allowed');
  expect(text).toContain('config.tables[0].mod (table orders): unknown key');
  expect(outlineOfDefinition('shop', { ...DEFINITION, config: [{}] }).problem?.message).toContain(
    'config[0].name',
  );
  expect(outlineOfDefinition('shop', { ...DEFINITION, config: {} }).problem?.message).toContain(
    'config.tables',
  );
});

test('a host, a password, a file or a socket in a definition is refused by its name', () => {
  for (const key of ['host', 'password', 'source_url', 'sslrootcert', 'ssh'])
    expect(definitionSchema.safeParse({ ...DEFINITION, [key]: 'x' }).error?.issues[0]?.message).toContain(
      key,
    );
  for (const source of [
    'postgresql://a:b@c/d',
    '/var/run/postgresql',
    'db.example.com',
    'Shop',
    '',
    'a'.repeat(41),
  ])
    expect(definitionSchema.safeParse({ ...DEFINITION, source }).success).toBe(false);
  for (const destinations of [[], ['wh', 'wh'], ['wh', { host: 'x' }], 'wh'])
    expect(definitionSchema.safeParse({ ...DEFINITION, destinations }).success).toBe(false);
});

/** If this fails for a new option: does it name a file, a program, a variable or an address? Then refuse it, too. */
test('each option of tables-config.json was judged for requests', () => {
  const allowed = ['defaults', 'jobs', 'schedule', 'tables'];
  expect(Object.keys(envelopeSchema.shape).toSorted()).toEqual(
    [...allowed, ...Object.keys(REFUSED_KEYS)].toSorted(),
  );
  const own = [
    ...['name', 'dest_name', 'replication_key', 'unique_cols', 'mode', 'initial_load', 'chunk', 'load_jobs'],
    ...[
      'on_schema_change',
      'lookback',
      'null_keys',
      'deletes',
      'deletes_every',
      'deletes_from',
      'delete_limit',
    ],
    ...[
      'dropped_columns',
      'schema',
      'dest_schema',
      'columns',
      'exclude_columns',
      'transform',
      'rename',
      'where',
    ],
    ...['query', 'metadata_columns', 'on_conflict', 'merge', 'conflict_log', 'conflict_retention'],
    ...['skip_unchanged', 'types', 'indexes', 'constraints', 'max_staleness', 'warn_staleness', 'schedule'],
    ...['enabled'],
  ];
  expect(Object.keys(tableSchema.shape).toSorted()).toEqual(own.toSorted());
  expect(own).toEqual(expect.arrayContaining(Object.keys(defaultsSchema.shape)));
});
