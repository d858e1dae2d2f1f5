/** `sync --quiet` as cron runs it: with next to no environment, and whatever it prints is a mail. */
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { faultProxy } from '../support/proxy.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { PROJECT } from '../support/project.ts';
import { goThrough } from '../support/chunked.ts';
import { insertOrders, ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { slowTest } from '../support/tier.ts';

const two = {
  tables: [
    { ...ORDERS_CONFIG, initial_load: 'copy' },
    { ...ORDERS_CONFIG, name: 'events', initial_load: 'copy' },
  ],
  sourceSql: `${ordersPreset.sourceSql}; CREATE TABLE events (LIKE orders INCLUDING ALL); INSERT INTO events TABLE orders`,
};

async function cron(pair: Pair, args = '') {
  const command = `cd / && ${process.execPath} ${join(PROJECT, 'bin', 'increp.js')} -C ${pair.directory} sync --quiet ${args}`;
  const { stdout, stderr, exitCode } = await execa(
    'env',
    ['-i', 'SHELL=/bin/sh', 'PATH=/usr/bin:/bin', `HOME=${pair.directory}`, '/bin/sh', '-c', command],
    { reject: false, stdin: 'ignore', extendEnv: false, stripFinalNewline: false },
  );
  return { stdout, stderr, exitCode };
}

const lastSuccess = / {4}last success: 20\d\d-\d\d-\d\d [\d:]+, \d+\.\d s before/;

slowTest('no mail while all is well', async () => {
  await using pair = await freshPair(two);
  expect(await cron(pair)).toEqual({ stdout: '', stderr: '', exitCode: 0 });
  await insertOrders(pair, 3);
  expect(await cron(pair)).toEqual({ stdout: '', stderr: '', exitCode: 0 });
});

test('a table that fails: which pipeline and table, why, what to do, and since when', async () => {
  await using pair = await freshPair(two);
  await cron(pair);
  const loadedAt = Date.now();
  await cron(pair);
  await pair.source.query('ALTER TABLE events DROP COLUMN updated_at');
  const { stdout, stderr, exitCode } = await cron(pair);
  expect(exitCode).toBe(3);
  expect(stderr).toBe('');
  const lines = stdout.split('\n');
  expect(lines[0]).toBe(`pipeline pipeline_${pair.login('source').database}: partly failed`);
  expect(lines[1]).toMatch(/^FAILED {2}events /);
  expect(stdout).toMatch(/^ {4}error: [^]*updated_at[^]*\([A-Z_]+\)\n {6}next: \S/m);
  expect(stdout).toMatch(lastSuccess);
  // The run without changes counts, as in "status".
  expect(Date.parse(/last success: (\S+ \S+),/.exec(stdout)?.[1] ?? '')).toBeGreaterThan(loadedAt - 1000);
  expect(stdout).toMatch(/^1 table ok, 1 failed in /m);
  expect(stdout).not.toContain('orders');
  expect(Buffer.from(stdout).every((byte) => byte < 128)).toBe(true);
});

slowTest('the code and the SQLSTATE of a server are told', async () => {
  await using pair = await freshPair(two);
  await cron(pair);
  await insertOrders(pair, 1);
  await pair.destination.query(`ALTER TABLE orders ADD CONSTRAINT none_today CHECK (id < 11)`);
  const { stdout, exitCode } = await cron(pair);
  expect(exitCode).toBe(3);
  expect(stdout).toMatch(/FAILED {2}orders[^]*\([A-Z_]+, SQLSTATE 23514\)/);
});

slowTest('a server that is away: one mail, without a word about the tries before', async () => {
  await using pair = await freshPair(two);
  await cron(pair);
  await using proxy = await faultProxy(pair.login('source'));
  await goThrough(pair, 'source', proxy);
  await proxy.refuse();
  const { stdout, stderr, exitCode } = await cron(pair);
  expect(exitCode).toBe(69);
  expect(stderr).toBe('');
  expect(stdout).toMatch(
    /^pipeline \S+: FAILED\nlast success: 20[\d: -]+, [\d.]+ s before\nerror: [^]*\(CONNECTION_FAILED[^]*\n {2}next: [^]*Run failed after [\d.]+ s\. No table was synced\.\n$/,
  );
});

test('a warning of the configuration may be the cause, so each mail of a run that ends before its tables has it', async () => {
  await using pair = await freshPair(two);
  await appendFile(join(pair.directory, '.env'), 'SOURCE_PASSWORD=pa #ss\n');
  for (const _ of [1, 2]) {
    const { stdout, exitCode } = await cron(pair);
    expect(exitCode).not.toBe(0);
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain('the value of SOURCE_PASSWORD ends before the #');
  }
});

slowTest('a connection that breaks and works again is no news', async () => {
  await using pair = await freshPair(two);
  await cron(pair);
  await insertOrders(pair, 5);
  await using proxy = await faultProxy(pair.login('source'));
  await goThrough(pair, 'source', proxy);
  proxy.when({ from: 'client', seen: 'COPY (', fault: 'cut' });
  expect(await cron(pair)).toEqual({ stdout: '', stderr: '', exitCode: 0 });
  expect(proxy.fired).toBe(1);
});

/** As if the runs so far had been hours earlier. */
async function ageWarnings(pair: Pair, hours: number): Promise<void> {
  const path = join(pair.directory, 'sync-state', 'reported.warnings.json');
  const text = await readFile(path, 'utf8');
  const earlier = (time: string) => new Date(Date.parse(time) - hours * 3_600_000).toISOString();
  await writeFile(path, text.replaceAll(/(?<=")20\d\d-[^"]+Z(?=")/g, earlier));
}

test('a warning is worth a mail, which names only its table; one that stays is mailed again after an hour', async () => {
  await using pair = await freshPair(two);
  await cron(pair);
  await pair.source.query(
    'ALTER TABLE orders ALTER updated_at DROP NOT NULL; INSERT INTO orders VALUES (99, 1, NULL, NULL)',
  );
  await insertOrders(pair, 1);
  const { stdout, stderr, exitCode } = await cron(pair);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^pipeline \S+: done, with warnings\nok {2}orders [^]*\n {4}warning: .*NULL/);
  expect(stdout).not.toContain('events');
  expect(stderr).toBe('');
  expect(await cron(pair)).toEqual({ stdout: '', stderr: '', exitCode: 0 });
  await ageWarnings(pair, 2);
  expect((await cron(pair)).stdout).toContain('NULL');
  expect(await cron(pair)).toEqual({ stdout: '', stderr: '', exitCode: 0 });
});

slowTest(
  'one transaction that stays open is one warning of one mail, whatever the number of tables',
  async () => {
    await using pair = await freshPair(two);
    await cron(pair);
    const open = await pair.source.connect();
    try {
      await open.query('BEGIN; UPDATE orders SET id = id; UPDATE events SET id = id');
      await insertOrders(pair, 1);
      await pair.source.query(`INSERT INTO events SELECT max(id) + 1 FROM events`);
      const { stdout } = await cron(pair, '--wait-transactions 0s');
      expect(stdout).toMatch(
        /^pipeline \S+: done, with warnings\nwarning: 2 tables \(orders, events\): 1 transaction is open /,
      );
      expect(stdout).not.toMatch(/^ok/m);
      expect((await cron(pair, '--wait-transactions 0s')).stdout).toBe('');
      await open.query('ROLLBACK');
    } finally {
      open.release();
    }
  },
);

slowTest('a dead webhook is a warning of the pipeline with what to do, and is mailed once', async () => {
  await using pair = await freshPair(two);
  await pair.setEnv({ WEBHOOK_URL: 'http://127.0.0.1:9/', METRICS_TEXTFILE: '/nowhere/shop.prom' });
  const { stdout, stderr, exitCode } = await cron(pair);
  expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
  expect(stdout).toMatch(/^pipeline \S+: done, with warnings\n/);
  expect(stdout).toMatch(
    /^warning: the webhook at http:\/\/127\.0\.0\.1:9 .* Test WEBHOOK_URL with:\n +\S+ \S+increp\.js -C \S+ check --webhook$/m,
  );
  expect(stdout).toMatch(/^warning: the metrics were not written .*create it, or correct METRICS_TEXTFILE$/m);
  expect(await cron(pair)).toEqual({ stdout: '', stderr: '', exitCode: 0 });
});

test('LOG_FORMAT=json brings the log, without text in the same pipe, and a standing warning once', async () => {
  await using pair = await freshPair(two);
  await pair.setEnv({ LOG_FORMAT: 'json', WEBHOOK_URL: 'http://127.0.0.1:9/' });
  await pair.destination.query('CREATE VIEW orders AS SELECT 1 AS one');
  const merged = async () => {
    const { stdout } = await cron(pair, '2>&1 | cat');
    return stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  const first = await merged();
  expect(first).toContainEqual(expect.objectContaining({ level: 'error', table: 'orders' }));
  expect(first.filter(({ level }) => level === 'warn')).toHaveLength(1);
  expect((await merged()).filter(({ level }) => level === 'warn')).toEqual([]);
  const apart = await cron(pair);
  expect(apart.stdout).toMatch(/^FAILED +orders/m);
  expect(apart.stderr).toMatch(/^\{"level":"error".*"table":"orders"/m);
});

test('a load that no command requested is one mail', async () => {
  await using pair = await freshPair(two);
  await cron(pair);
  await pair.destination.query('TRUNCATE orders; DROP TABLE events');
  const { stdout, exitCode } = await cron(pair);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(
    /^ok +orders +initial .*\n {4}because the destination table was emptied\n {4}warning: no command requested this load, and the table was empty until its end$/m,
  );
  expect(stdout).toMatch(
    /^ +warning: the destination table was missing, so increp loaded it again\. If you made grants/m,
  );
  expect(stdout).toMatch(/^2 tables ok, 2 with warnings in /m);
  expect((await cron(pair)).stdout).toBe('');
  await pair.destination.query('ALTER TABLE orders DROP COLUMN note');
  expect((await cron(pair)).stdout).toMatch(
    /warning: no command requested this load: the destination table was altered$/m,
  );
  await pair.source.query('ALTER TABLE orders ADD more int');
  expect((await cron(pair)).stdout).toBe('');
  await pair.source.query(
    `CREATE TABLE restored (LIKE orders INCLUDING ALL); DROP TABLE orders; ALTER TABLE restored RENAME TO orders;
    GRANT SELECT ON orders TO PUBLIC`,
  );
  expect((await cron(pair, '--force')).stdout).toMatch(
    /warning: no command requested this load: the source table was dropped and created again \(rows removed: \d+\)$/m,
  );
  expect((await cron(pair)).stdout).toBe('');
});
