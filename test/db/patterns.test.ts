/** Names with stars in tables-config.json: which tables they stand for, and who is asked. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseExposition, valueOf } from '../support/exposition.ts';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { addSourceSchema, inSchema } from '../support/schemas.ts';
import { sync, trySync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

const KEYS = { replication_key: 'at', unique_cols: ['id'] };

const tableSql = (...names: readonly string[]) =>
  names
    .map(
      (name) => `CREATE TABLE "${name}" (id int PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());
      INSERT INTO "${name}" VALUES (1)`,
    )
    .join(';');

const EVENTS = { name: 'events_*', ...KEYS };

const events = (): Promise<Pair> =>
  freshPair({ tables: [EVENTS], sourceSql: tableSql('events_2', 'events_1', 'other') });

/** The source's port answers nobody. */
const away = (pair: Pair) => pair.setEnv({ SOURCE_HOST: '127.0.0.1', SOURCE_PORT: '1' });

const namesOf = ({ summary }: Awaited<ReturnType<typeof trySync>>) => summary.tables.map(({ name }) => name);

interface Named {
  readonly tables: readonly { readonly name: string; readonly [key: string]: unknown }[];
}
const listed = async (pair: Pair, args: string) =>
  (await increp(args, pair)).json<Named>().tables.map(({ name }) => name);

test('one entry for many tables; a new one is found by the next run, and one that is gone is kept and named', async () => {
  await using pair = await events();
  expect(namesOf(await sync(pair))).toEqual(['events_1', 'events_2']);
  await expectSameRows(pair, 'events_1');

  await pair.source.query(tableSql('events_3'));
  const plan = (await increp('plan --json', pair)).json<Named>().tables;
  expect(plan).toMatchObject([
    { name: 'events_1', action: 'incremental', pattern: 'events_*' },
    { name: 'events_2', action: 'incremental', pattern: 'events_*' },
    { name: 'events_3', action: 'initial', pattern: 'events_*' },
  ]);
  const shown = (await increp('plan', pair)).stdout;
  expect(shown.match(/found by: the pattern "events_\*"/g)).toHaveLength(1);
  expect((await sync(pair)).table('events_3')).toMatchObject({ action: 'initial', rows_inserted: 1 });

  await pair.source.query('DROP TABLE events_2; INSERT INTO events_1 VALUES (2)');
  const after = await sync(pair);
  expect(namesOf(after)).toEqual(['events_1', 'events_3']);
  expect(after.summary.warnings).toEqual([
    expect.stringMatching(
      /^the source no longer has public.events_2, .* is kept. .* run "increp reset events_2"$/,
    ),
  ]);
  expect(after.table('events_1')).toMatchObject({ rows_inserted: 1 });
  expect((await pair.destination.query('SELECT id FROM events_2')).rows).toEqual([{ id: 1 }]);
  expect((await increp('verify', pair)).exitCode).toBe(0);
  // It has a state still, which can be forgotten.
  const checked = (await increp('check', pair)).stdout.replaceAll(/\s+/g, ' ');
  expect(checked).toContain('belong to no table of tables-config.json: events_2.json');
  expect((await increp('reset events_2', pair)).stdout).toContain(
    'events_2: reset. The source no longer has',
  );
  expect((await sync(pair)).summary.warnings).toEqual([]);
});

test('several dropped tables share a remark and a command', async () => {
  await using pair = await freshPair({
    tables: [EVENTS],
    sourceSql: tableSql('events_1', 'events_2', 'events_3'),
  });
  await sync(pair);
  await pair.source.query('DROP TABLE events_2, events_3');
  expect((await sync(pair)).summary.warnings).toEqual([
    expect.stringMatching(
      /no longer has 2 tables .*: public\.events_2, public\.events_3; .* run "increp reset events_2 events_3"$/,
    ),
  ]);
});

test('the remark about a renamed table has its new name and the entry with which it continues', async () => {
  await using pair = await events();
  await sync(pair);
  await pair.source.query('ALTER TABLE events_2 RENAME TO former; INSERT INTO former VALUES (2)');
  const entry = '"name": "former", "dest_name": "events_2"';
  const moved =
    'public.events_2, which a pattern found, is now named public.former at the source (same table)';
  const [warning] = (await sync(pair)).summary.warnings;
  expect(warning).toContain(`${moved}; its destination table public.events_2 is kept`);
  expect(warning).toContain(`add an entry with ${entry} to tables-config.json: nothing is loaded again`);
  expect((await increp('status', pair)).stderr.replaceAll(/\s+/g, ' ')).toContain(moved);
  await pair.writeTables([EVENTS, { name: 'former', dest_name: 'events_2', ...KEYS }]);
  const after = await sync(pair);
  expect(after.table('former')).toMatchObject({ action: 'incremental', rows_inserted: 1 });
  expect(after.summary.warnings).toEqual([]);
});

test('ordinary and partitioned tables, and nothing else', async () => {
  await using pair = await freshPair({
    tables: [{ name: '*', replication_key: 'at', unique_cols: ['id', 'at'] }],
    sourceSql: `${tableSql('plain', '_increp_state')};
      CREATE TABLE parted (LIKE plain INCLUDING DEFAULTS, PRIMARY KEY (id, at)) PARTITION BY RANGE (id);
      CREATE TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (9); INSERT INTO parted VALUES (1), (2);
      CREATE VIEW seen AS SELECT * FROM plain; CREATE MATERIALIZED VIEW kept AS SELECT * FROM plain;
      CREATE SEQUENCE counted; CREATE TABLE plain_stg (LIKE plain);
      COMMENT ON TABLE plain_stg IS 'Made by increp: the staging table of "plain". Its rows are of no use; it is emptied and made again at will.'`,
  });
  const { table, ...result } = await sync(pair);
  expect(namesOf({ table, ...result })).toEqual(['parted', 'plain']);
  expect(table('parted')).toMatchObject({ rows_inserted: 2 });
});

slowTest('an entry of its own wins, of two patterns the first, and each schema has its own', async () => {
  await using pair = await freshPair({ sourceSql: tableSql('events_1', 'events_2', 'events_3', 'odd') });
  await addSourceSchema(pair, 'crm', tableSql('events_1', 'events_9', 'odd'));
  await pair.writeTables({
    defaults: KEYS,
    tables: [
      { name: 'events_2', deletes: 'soft' },
      { name: 'events_*', enabled: false },
      { name: 'events_*', schema: 'crm', dest_name: 'crm_*' },
      { name: '*' },
    ],
  });
  const { table } = await sync(pair);
  expect(table('events_2')).toMatchObject({ status: 'ok' });
  for (const name of ['events_1', 'events_3']) expect(table(name)).toMatchObject({ status: 'skipped' });
  expect(table('odd')).toMatchObject({ status: 'ok' });
  await expectSameRows(inSchema(pair, 'crm'), 'events_9', {
    destinationSchema: 'public',
    destinationTable: 'crm_9',
  });
  expect(await listed(pair, 'plan --json')).toEqual([
    'events_2',
    'events_1',
    'events_3',
    'crm.events_1',
    'crm.events_9',
    'odd',
  ]);
});

slowTest('tables are named on the command line one by one, by their schema, or by patterns', async () => {
  await using pair = await freshPair({
    tables: [{ name: '*', ...KEYS }],
    sourceSql: tableSql('events_1', 'events_2', 'a*b', 'axb', 'with space', "it's"),
  });
  const planned = async (...args: readonly string[]) =>
    (await increp(['plan', '--json', ...args], pair)).json<Named>().tables.map(({ name }) => name);
  expect(await planned('events_2')).toEqual(['events_2']);
  expect(await planned('public.events_2', "it's")).toEqual(['events_2', "it's"]);
  expect(await planned('events_*', 'with *')).toEqual(['events_1', 'events_2', 'with space']);
  expect(await planned('public.*', '--exclude', 'events_*', '--exclude', 'nothing_*')).toEqual([
    'a*b',
    'axb',
    "it's",
    'with space',
  ]);
  // A name is that name before it is a pattern.
  expect(await planned('a*b')).toEqual(['a*b']);
  expect(await planned(String.raw`a\*b`)).toEqual(['a*b']);
  expect(await planned('a*')).toEqual(['a*b', 'axb']);
  const none = await increp(['sync', 'evens_*'], pair);
  expect(none).toMatchObject({ exitCode: 64 });
  expect(none.stderr.replaceAll(/\s+/g, ' ')).toContain('no table in tables-config.json matches "evens_*"');
  expect((await increp('sync event_1', pair)).stderr).toContain('did you mean "events_1"?');
});

slowTest('a pattern that matches nothing is a warning', async () => {
  await using pair = await events();
  await pair.writeTables([EVENTS, { name: 'evens_*', ...KEYS }]);
  const what = 'no table of the source matches "evens_*"';
  const { summary } = await sync(pair);
  expect(summary.warnings).toEqual([`${what} of tables-config.json`]);
  for (const args of ['plan', 'status', 'verify']) {
    const { exitCode, stderr } = await increp(args, pair);
    expect(exitCode, args).toBe(0);
    expect(stderr.replaceAll(/\s+/g, ' '), args).toContain(`warning: ${what}`);
  }
  expect((await increp('plan --json', pair)).json()).toMatchObject({ unmatched_patterns: ['evens_*'] });
  const { findings } = (await increp('check --json', pair)).json<{ findings: { code: string }[] }>();
  expect(findings.filter(({ code }) => code === 'PATTERN_UNMATCHED')).toMatchObject([
    { level: 'warning', message: what },
  ]);
});

test('patterns that match nothing at all are an error', async () => {
  await using pair = await freshPair({ tables: [{ name: 'evens_*', ...KEYS }] });
  const failed = await trySync(pair);
  expect(failed.exitCode).toBe(78);
  expect(failed.summary.error).toMatchObject({
    code: 'TABLE_NOT_FOUND',
    message: expect.stringContaining('no table of the source matches "evens_*"'),
  });
  for (const args of ['plan', 'status', 'check']) expect((await increp(args, pair)).exitCode, args).toBe(78);
  // The run that failed is in the history for whoever asks later.
  expect((await increp('history --local', pair)).stdout).toContain('TABLE_NOT_FOUND');
});

slowTest('a new table whose copy has no place of its own is refused, and the others go on', async () => {
  await using pair = await events();
  await sync(pair);
  await pair.source.query(tableSql('events_1_stg'));
  const { exitCode, table } = await trySync(pair);
  expect(exitCode).toBe(3);
  expect(table('events_1')).toMatchObject({ status: 'ok' });
  expect(table('events_1_stg').error).toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining('is the staging table of public.events_1, which "events_*" matches'),
  });
  await pair.writeTables([EVENTS, { ...KEYS, name: 'events_1_stg', dest_name: 'events_one' }]);
  await sync(pair);
  await expectSameRows(pair, 'events_1_stg', { destinationTable: 'events_one' });
});

/** Synced, and then without its source. */
async function bereft(): Promise<Pair> {
  const pair = await freshPair({ sourceSql: tableSql('events_1', 'events_2') });
  await addSourceSchema(pair, 'crm', tableSql('events_1'));
  await pair.writeTables([EVENTS, { ...EVENTS, schema: 'crm', dest_schema: 'crm' }]);
  await pair.setEnv({ METRICS_TEXTFILE: 'increp.prom' });
  await sync(pair);
  await away(pair);
  return pair;
}

const ALL = ['events_1', 'events_2', 'crm.events_1'];

slowTest('while the source is away, status and history are of the tables of earlier syncs', async () => {
  await using pair = await bereft();
  for (const args of ['status --json', 'status --json --no-source', 'status --json --local'])
    expect(await listed(pair, args), args).toEqual(ALL);
  expect(await listed(pair, 'status --json events_2 crm.*')).toEqual(['events_2', 'crm.events_1']);
  const told = (await increp('status', pair)).stderr.replaceAll(/\s+/g, ' ');
  expect(told).toContain('increp uses the tables of earlier syncs for patterns');
  expect(told).toContain('schema changes were not checked');
  expect((await increp('history --json crm.*', pair)).json<{ runs: unknown[] }>().runs).toMatchObject([
    { tables: [{ name: 'crm.events_1' }] },
  ]);
});

test('while the source is away, a run fails as ever, and its tables are told of', async () => {
  await using pair = await bereft();
  const failed = await trySync(pair);
  expect(failed.exitCode).toBe(69);
  expect(failed.summary.error).toMatchObject({ code: 'CONNECTION_FAILED' });
  expect((await increp('plan', pair)).exitCode).toBe(69);
  const series = parseExposition(await readFile(join(pair.directory, 'increp.prom'), 'utf8'));
  for (const table of ALL)
    expect(valueOf(series, 'increp_table_consecutive_failures', { table }), table).toBe(1);
  const { runs } = (await increp('history --json --local --failed crm.events_1', pair)).json<{
    runs: unknown[];
  }>();
  expect(runs).toHaveLength(1);
});

slowTest('while the source is away, reset finds what there is to forget', async () => {
  await using pair = await bereft();
  expect((await increp(['reset', 'events_*'], pair)).stdout).toContain('events_2: reset');
  expect(await listed(pair, 'status --json --no-source')).toEqual(['crm.events_1']);
});

test('a first sync while the source is away fails like any other one', async () => {
  await using pair = await events();
  await away(pair);
  const { exitCode, summary } = await trySync(pair);
  expect(exitCode).toBe(69);
  expect(summary.error).toMatchObject({ code: 'CONNECTION_FAILED' });
  expect((await increp('sync events_1', pair)).exitCode).toBe(69);
  expect((await increp('check', pair)).exitCode).toBe(69);
  expect((await increp('status', pair)).exitCode).toBe(69);
});

test('a table of the destination alone is remembered by its state there', async () => {
  await using pair = await events();
  await sync(pair);
  await pair.setEnv({ STATE_DIR: 'elsewhere' });
  await away(pair);
  expect(await listed(pair, 'status --json')).toEqual(['events_1', 'events_2']);
  const local = await increp('status --local', pair);
  expect(local.exitCode).toBe(1);
  expect(local.stderr).toContain('was synced before');
});
