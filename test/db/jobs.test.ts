/** `--jobs`: several tables at the same time, each over connections of its own. */
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { Asides } from '../../src/postgres/asides.ts';
import { waitUntil } from '../support/activity.ts';
import { increp, startIncrep, type RunningIncrep } from '../support/increp.ts';
import { hold, KEYED, letGo, NAMES, shop, summaryOf, tableSql, told, touch } from '../support/jobs.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair, type Pair, type PairOptions } from '../support/pair.ts';
import { freshSeveral } from '../support/several.ts';
import { sync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

async function expectAllSame(pair: Pair, names: readonly string[] = NAMES): Promise<void> {
  for (const name of names) await expectSameRows(pair, name);
}

const waitForResults = (running: RunningIncrep, count: number) =>
  waitUntil(`${count} results`, () => told(running, 'table').length >= count);

test('while the source is written, four jobs copy every row', async () => {
  await using pair = await freshPair(shop());
  await sync(pair, '--jobs 4');
  const writers = NAMES.map((name) =>
    pair.source.query(`DO $$ BEGIN FOR i IN 11..40 LOOP
      INSERT INTO ${name} (id, note) VALUES (i, 'written'); UPDATE ${name} SET note = i::text, updated_at = clock_timestamp() WHERE id = i % 10 + 1;
      COMMIT; PERFORM pg_sleep(0.01); END LOOP; END $$`),
  );
  for (let run = 0; run < 2; run += 1) await sync(pair, '--jobs 4');
  await Promise.all(writers);
  const { summary } = await sync(pair, '--jobs 4');
  expect(summary.tables.map(({ name }) => name)).toEqual(NAMES);
  await expectAllSame(pair);
  const { rows } = await pair.destination.query(
    'SELECT table_name, run_id, count(*)::int FROM _increp_runs GROUP BY 1, 2 HAVING count(*) > 1',
  );
  expect(rows).toEqual([]);
});

slowTest(
  'a slow table does not hold up the others, and the summary has the order of the configuration',
  async () => {
    await using pair = await freshPair(shop());
    await pair.writeTables({ jobs: 2, tables: NAMES.map((name) => ({ name, ...KEYED })) });
    await sync(pair);
    await touch(pair);
    await using slow = await hold(pair, 'a');
    await using running = startIncrep('sync --json', pair);
    await waitForResults(running, 5);
    expect(told(running, 'table')).toEqual(['b', 'c', 'd', 'e', 'f']);
    await letGo(slow);
    const { exitCode, summary } = await summaryOf(running);
    expect(exitCode).toBe(0);
    expect(summary.tables.map(({ name, rows_updated }) => [name, rows_updated])).toEqual(
      NAMES.map((name) => [name, 1]),
    );
  },
);

slowTest('--fail-fast starts no other table, and the tables that are being synced finish', async () => {
  await using pair = await freshPair(shop(['bad', 'slow', 'later', 'last']));
  await sync(pair);
  await touch(pair, ['bad', 'slow', 'later', 'last']);
  await pair.destination.query(`ALTER TABLE bad ADD CONSTRAINT never CHECK (note <> 'new')`);
  await using slow = await hold(pair, 'slow');
  await using running = startIncrep('sync --json --fail-fast --jobs 2', pair);
  await waitForResults(running, 1);
  await letGo(slow);
  const { exitCode, summary } = await summaryOf(running);
  expect(exitCode).toBe(3);
  expect(summary.tables.map(({ name, status }) => [name, status])).toEqual([
    ['bad', 'failed'],
    ['slow', 'ok'],
  ]);
});

const FAMILY = `${tableSql('child')}; ${tableSql('other')}; ${tableSql('parent')}; ALTER TABLE child ADD parent_id bigint DEFAULT 1`;
const family = (sourceSql = FAMILY): PairOptions => ({
  tables: ['child', 'other', 'parent'].map((name) => ({ name, ...KEYED })),
  sourceSql,
});
const REFER = 'ALTER TABLE child ADD FOREIGN KEY (parent_id) REFERENCES parent';

for (const side of oneIn(2, ['source', 'destination'] as const))
  test(`a table waits for the table that it refers to: foreign key at the ${side}`, async () => {
    await using pair = await freshPair(family());
    await sync(pair);
    await pair[side].query(REFER);
    await touch(pair, ['child', 'other', 'parent']);
    await using slow = await hold(pair, 'parent');
    await using running = startIncrep('sync --json --jobs 3', pair);
    await waitForResults(running, 1);
    expect(told(running, 'table')).toEqual(['other']);
    expect(told(running, 'table_planned').toSorted()).toEqual(['other', 'parent']);
    await letGo(slow);
    const { exitCode, summary } = await summaryOf(running);
    expect(exitCode).toBe(0);
    expect(summary.tables.map(({ name }) => name)).toEqual(['child', 'other', 'parent']);
    await expectAllSame(pair, ['child', 'other', 'parent']);
  });

slowTest('tables that refer to each other in a circle are synced one after the other', async () => {
  await using pair = await freshPair(family());
  await sync(pair);
  await pair.destination.query(
    `${REFER}; ALTER TABLE parent ADD child_id bigint REFERENCES child (id) DEFERRABLE INITIALLY DEFERRED`,
  );
  await touch(pair, ['child', 'other', 'parent']);
  await pair.source.query(
    `INSERT INTO parent (id) VALUES (11); INSERT INTO child (id, parent_id) VALUES (11, 11)`,
  );
  await using slow = await hold(pair, 'parent');
  await using running = startIncrep('sync --json --jobs 3', pair);
  await waitForResults(running, 1);
  expect(told(running, 'table_planned').toSorted()).toEqual(['other', 'parent']);
  await letGo(slow);
  expect((await summaryOf(running)).exitCode).toBe(0);
  for (const name of ['child', 'other']) await expectSameRows(pair, name);
});

slowTest('children that need new rows of one parent at the same time all get them', async () => {
  const children = ['child1', 'child2', 'child3'];
  await using pair = await freshPair({
    tables: [...children, 'parent'].map((name) => ({ name, ...KEYED })),
    sourceSql: [
      tableSql('parent'),
      ...children.map((name) => `${tableSql(name)}; ALTER TABLE ${name} ADD parent_id bigint DEFAULT 1`),
    ].join('; '),
  });
  await sync(pair);
  for (const name of children)
    await pair.destination.query(`ALTER TABLE ${name} ADD FOREIGN KEY (parent_id) REFERENCES parent`);
  const writer = pair.source.query(`DO $$ BEGIN FOR i IN 11..100 LOOP INSERT INTO parent (id) VALUES (i);
    ${children.map((name) => `INSERT INTO ${name} (id, parent_id) VALUES (i, i);`).join('\n')}
    COMMIT; PERFORM pg_sleep(0.005); END LOOP; END $$`);
  for (let run = 0; run < 2; run += 1) await sync(pair, '--jobs 4');
  await writer;
  await sync(pair, '--jobs 4');
  await expectAllSame(pair, [...children, 'parent']);
});

slowTest('several destinations have several jobs each', async () => {
  await using pair = await freshSeveral({ ...shop(), names: ['one', 'two'] });
  const first = await sync(pair, '--jobs 3');
  expect(first.summary.tables.map(({ name, destination }) => `${destination} ${name}`)).toEqual(
    ['one', 'two'].flatMap((destination) => NAMES.map((name) => `${destination} ${name}`)),
  );
  await touch(pair);
  await sync(pair, '--jobs 3');
  for (const name of NAMES) await pair.expectAllSame(name);
});

interface Finding {
  readonly code: string;
  readonly message: string;
  readonly action: string;
}

slowTest('check says which limits are too low for the jobs, and which number of jobs fits', async () => {
  await using pair = await freshPair({ ...shop(), isOwn: true });
  const findings = async () =>
    (await increp('check --json', pair))
      .json<{ findings: Finding[] }>()
      .findings.filter(({ code }) => code === 'CONNECTIONS');
  await pair.writeTables({ jobs: 6, tables: NAMES.map((name) => ({ name, ...KEYED })) });
  expect(await findings()).toEqual([]);
  const { user } = pair.login('source', 'increp');
  await pair.source.query(`ALTER ROLE "${user}" CONNECTION LIMIT 5`);
  const { database } = pair.login('destination');
  const connections = await pair.destination.query(
    `SELECT count(*)::int AS count FROM pg_stat_activity WHERE datname = current_database()`,
  );
  const used = (connections.rows[0] as { count: number }).count;
  await pair.destination.query(`ALTER DATABASE "${database}" CONNECTION LIMIT ${used + 4}`);
  const [source, destination] = await findings();
  expect(source).toMatchObject({
    message: `a sync with 6 jobs needs up to 6 connections to the source, and 5 are left: the CONNECTION LIMIT of role "${user}" is 5, of which 0 are in use`,
    action: `Set "jobs" to 5 in tables-config.json. Or at the source, run: ALTER ROLE "${user}" CONNECTION LIMIT 6`,
  });
  expect(destination).toMatchObject({
    message: `a sync with 6 jobs needs up to 7 connections to the destination, and 4 are left: the CONNECTION LIMIT of database "${database}" is ${used + 4}, of which ${used} are in use`,
    action: expect.stringMatching(/^Set "jobs" to 3 .* ALTER DATABASE .* CONNECTION LIMIT \d+$/),
  });
  const { summary } = await sync(pair, '--full-refresh');
  expect(summary.warnings).toEqual([
    expect.stringMatching(
      /^the (?:source|destination|source and the destination|destination and the source) had no free connections for 6 jobs, so [1-5] jobs? synced the rest of the tables/,
    ),
  ]);
  await expectAllSame(pair);
});

slowTest.each(oneIn(1, [1, 2, 3]))('random foreign keys: every table is synced once, round %i', async () => {
  const names = Array.from({ length: 12 }, (_, index) => `t${index}`);
  await using pair = await freshPair(shop(names));
  await sync(pair);
  for (const [index, name] of names.entries())
    if (index > 0)
      await pair.destination.query(
        `ALTER TABLE ${name} ADD ref bigint REFERENCES t${Math.floor(Math.random() * index)}`,
      );
  await touch(pair, names);
  const { summary } = await sync(pair, '--jobs 8');
  expect(summary.tables.map(({ name, rows_updated }) => [name, rows_updated])).toEqual(
    names.map((name) => [name, 1]),
  );
});

test('questions about silent sessions that come together share one connection', async () => {
  await using pair = await freshPair();
  const asides = new Asides();
  let connections = 0;
  const open = async () => {
    connections += 1;
    const client = new Client(pair.sourceUrl());
    client.on('error', () => undefined);
    await client.connect();
    return client;
  };
  const ask = () =>
    asides.ask(open, async (client) => (await client.query('SELECT pg_backend_pid() AS pid')).rows[0]);
  const answers = await Promise.all([ask(), ask(), ask()]);
  expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  expect(connections).toBe(1);
  await ask();
  expect(connections).toBe(2);
  const refused = () =>
    asides.ask(
      () => Promise.reject(new Error('refused')),
      () => Promise.resolve(),
    );
  await Promise.all([refused(), refused()].map((each) => expect(each).rejects.toThrow('refused')));
  await ask();
});

slowTest('tables of one enum create and extend it once, whichever job is first', async () => {
  const options = { ...KEYED, types: 'native' };
  await using pair = await freshPair({
    tables: NAMES.map((name) => ({ name, ...options })),
    sourceSql: `CREATE TYPE mood AS ENUM ('sad', 'ok'); ${NAMES.map(
      (name) => `${tableSql(name)}; ALTER TABLE ${name} ADD mood mood DEFAULT 'ok'`,
    ).join('; ')}`,
  });
  const first = await sync(pair, '--jobs 6');
  expect(first.stderr).not.toContain('trying again');
  await pair.source.query(`ALTER TYPE mood ADD VALUE 'great'`);
  await pair.source.query(
    NAMES.map(
      (name) => `UPDATE ${name} SET mood = 'great', updated_at = clock_timestamp() WHERE id = 1`,
    ).join('; '),
  );
  await sync(pair, '--jobs 6');
  for (const name of NAMES) await expectSameRows(pair, name);
});
