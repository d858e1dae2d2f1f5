/** What becomes of an initial load when pg_dump is not there, not fit, or fails, and when we are stopped. */
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { activeQueries, processes, waitForCopy, waitUntil } from '../support/activity.ts';
import { fakeTools, noTools, whenWorking } from '../support/client-tools.ts';
import { startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { insertOrders, ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import { oneIn, slowKind } from '../support/tier.ts';

async function manyOrders(rows: number): Promise<Pair> {
  const pair = await freshPair({ tables: [ORDERS_CONFIG], sourceSql: ORDERS_SQL });
  await insertOrders(pair, rows);
  return pair;
}

/** What a failed or stopped load must not have touched. */
async function destinationOf(pair: Pair): Promise<unknown> {
  const { rows: tables } = await pair.destination.query(
    `SELECT oid::int, relname, relfilenode FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname LIKE 'orders%' ORDER BY 2`,
  );
  const { rows: state } = await pair.destination.query('SELECT * FROM _increp_state');
  return { tables, state };
}

/** A place for passfiles that no other test uses. */
async function temporaryDirectory({ directory }: Pair): Promise<string> {
  const path = join(directory, 'tmp');
  await mkdir(path);
  return path;
}

test('without pg_dump the table is loaded by COPY, and the reason is told', async () => {
  await using pair = await freshPair('orders');
  const { loader, reason, warnings } = (await sync(pair, '', { env: await noTools(pair.directory) })).table();
  expect({ loader, reason, warnings }).toEqual({
    loader: 'copy',
    reason: 'there is no destination table yet; loaded by COPY instead of pg_dump: pg_dump is not installed',
    warnings: [],
  });
  await expectSameRows(pair, 'orders');
});

testWithPgDump('a pg_dump older than the server is not used, and the reason is told', async () => {
  await using pair = await freshPair('orders');
  const env = await fakeTools(pair.directory, { pg_dump: 'echo "pg_dump (PostgreSQL) 12.1"' });
  const { loader, reason } = (await sync(pair, '', { env })).table();
  expect(loader).toBe('copy');
  expect(reason).toMatch(/pg_dump 12 cannot read a server of version \d+/);
  await expectSameRows(pair, 'orders');
});

const NO_CLIENT = 'Error: You must install at least one postgresql-client-<version> package';
const FAILS = `echo '${NO_CLIENT}' >&2; exit 1`;

testWithPgDump.each([
  [
    'a pg_restore older than pg_dump',
    { pg_dump: 'echo "pg_dump (PostgreSQL) 99.1"', pg_restore: 'echo "pg_restore (PostgreSQL) 98.4"' },
    'pg_restore 98 cannot read what pg_dump 99 writes',
  ],
  ['a wrapper without pg_dump', { pg_dump: FAILS }, `pg_dump does not work: ${NO_CLIENT}`],
  ['a wrapper without pg_restore', { pg_restore: FAILS }, `pg_restore does not work: ${NO_CLIENT}`],
  [
    'a pg_restore that prints no version',
    { pg_restore: 'echo hello' },
    'pg_restore does not work: "--version" printed no version',
  ],
])('with %s, the table is loaded by COPY, and the reason is told', async (_, tools, reason) => {
  await using pair = await freshPair('orders');
  const env = await fakeTools(pair.directory, tools);
  const { loader, reason: why } = (await sync(pair, '', { env })).table();
  expect({ loader, why }).toEqual({
    loader: 'copy',
    why: `there is no destination table yet; loaded by COPY instead of pg_dump: ${reason}`,
  });
  await expectSameRows(pair, 'orders');
});

/** As pg_wrapper of Debian does on a machine with a local server of an old version. */
const OLD_WITHOUT_HOST = (program: string) =>
  `if [ -z "$PGHOST" ]; then echo "${program} (PostgreSQL) 9.6.24"; [ "$1" = --version ]; exit; fi; real "$@"`;

testWithPgDump(
  'a wrapper that chooses an old version for a local server chooses it for no load',
  async () => {
    await using pair = await freshPair('orders');
    const env = await fakeTools(pair.directory, {
      pg_dump: OLD_WITHOUT_HOST('pg_dump'),
      pg_restore: OLD_WITHOUT_HOST('pg_restore'),
    });
    const { loader, warnings } = (await sync(pair, '', { env })).table();
    expect({ loader, warnings }).toEqual({ loader: 'pg_dump', warnings: [] });
    await expectSameRows(pair, 'orders');
  },
);

const BROKEN_TOOLS = [
  [
    'pg_dump',
    'exits 3 after half of its output',
    'real "$@" | head -c 300000; echo boom >&2; exit 3',
    /boom/,
  ],
  ['pg_dump', 'exits 3 at once', 'echo boom >&2; exit 3', /boom/],
  ['pg_dump', 'is killed', 'real "$@" | head -c 300000; kill -KILL $$', /SIGKILL/],
  ['pg_dump', 'exits 3 after all of its output', 'real "$@"; echo boom >&2; exit 3', /boom/],
  ['pg_dump', 'says nothing and succeeds', 'exit 0', /pg_restore/],
  [
    'pg_restore',
    'exits 3 after half of its output',
    'real "$@" | head -c 300000; echo boom >&2; exit 3',
    /boom/,
  ],
  ['pg_restore', 'exits 3 after all of its output', 'real "$@"; echo boom >&2; exit 3', /boom/],
  ['pg_restore', 'is killed', 'kill -KILL $$', /SIGKILL/],
  ['pg_restore', 'breaks off and succeeds', 'real "$@" | head -c 300000', /middle of its rows/],
] as const;

testWithPgDump.each(oneIn(8, BROKEN_TOOLS))(
  'a load fails when %s %s, and changes nothing',
  async (tool, _how, commands, said) => {
    await using pair = await manyOrders(20_000);
    await sync(pair);
    const before = await destinationOf(pair);
    await pair.source.query('ALTER TABLE orders ADD COLUMN more int DEFAULT 5');
    const env = await fakeTools(pair.directory, { [tool]: whenWorking(commands) });
    const result = await trySync(pair, '', { env });
    expect(result.exitCode).toBe(1);
    const { error } = result.table();
    expect(error?.code).toBe('DUMP_FAILED');
    expect(error?.message).toMatch(said);
    if (said.source === 'boom') expect(error?.message).toContain(tool);
    expect(await destinationOf(pair)).toEqual(before);
    await waitUntil('no child is left', async () => (await processes(pair.directory)).length === 0, 5000);
    await waitUntil('no backend is left', async () => (await activeQueries(pair.source)).length === 0, 5000);
    await sync(pair);
    await expectSameRows(pair, 'orders');
  },
);

slowKind(testWithPgDump).each(['SIGTERM', 'SIGINT'] as const)(
  '%s during a load leaves nothing behind',
  async (signal) => {
    await using pair = await manyOrders(100_000);
    await using proxy = await faultProxy(pair.login('source'));
    await pair.setEnv({ SOURCE_PORT: String(proxy.port) });
    proxy.throttle(500_000);
    const TMPDIR = await temporaryDirectory(pair);
    await using running = startIncrep('sync', pair, { env: { TMPDIR } });
    await waitForCopy(pair.source, 'orders');
    expect(await processes(`--snapshot=`)).not.toEqual([]);
    const started = Date.now();
    running.kill(signal);
    const { exitCode } = await running.wait();
    expect(exitCode).toBe(signal === 'SIGTERM' ? 143 : 130);
    expect(Date.now() - started).toBeLessThan(10_000);
    await waitUntil(
      'no backend is left at the source',
      async () => (await activeQueries(pair.source)).length === 0,
      5000,
    );
    await waitUntil(
      'and at the destination',
      async () => (await activeQueries(pair.destination)).length === 0,
      5000,
    );
    expect(await readdir(TMPDIR)).toEqual([]);
    const { rows } = await pair.destination.query(
      `SELECT relname FROM pg_class WHERE relname LIKE 'orders%'`,
    );
    expect(rows).toEqual([]);
    const locks = await pair.destination.query(`SELECT FROM pg_locks WHERE locktype = 'advisory'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`);
    expect(locks.rowCount).toBe(0);
    await proxy.resume();
    await sync(pair);
    await expectSameRows(pair, 'orders');
  },
);

testWithPgDump(
  'a password of special characters reaches pg_dump, and is in no argument and no file afterwards',
  async () => {
    await using pair = await manyOrders(1000);
    const password = `p:w\\d "so' $x#%é `;
    await pair.source.query(
      `ALTER ROLE ${pair.login('source', 'increp').user} PASSWORD '${password.replaceAll("'", "''")}'`,
    );
    await pair.setEnv({ SOURCE_PASSWORD: password });
    const TMPDIR = await temporaryDirectory(pair);
    const record = join(pair.directory, 'seen');
    const env = await fakeTools(pair.directory, {
      pg_dump: whenWorking(
        `{ env; echo "$0 $@"; stat -c %a "$PGPASSFILE"; stat -c %a "$HOME"; } > ${record}\nreal "$@"`,
      ),
    });
    expect((await sync(pair, '', { env: { ...env, TMPDIR } })).table().loader).toBe('pg_dump');
    await expectSameRows(pair, 'orders');
    const seen = await readFile(record, 'utf8');
    expect(seen).toMatch(/\n600\n700\n$/);
    expect(seen).not.toContain(password);
    expect(seen).not.toMatch(/^(?!PATH|HOME|PWD|SHLVL|_=|OLDPWD|PG\w+=|\S*pg_dump )[A-Z_]+=/m);
    expect(await readdir(TMPDIR)).toEqual([]);
  },
);

testWithPgDump(
  'no process ever shows a password, and its file is gone when the dump begins to flow',
  async () => {
    await using pair = await manyOrders(50_000);
    await using proxy = await faultProxy(pair.login('source'));
    await pair.setEnv({ SOURCE_PORT: String(proxy.port) });
    proxy.throttle(1_000_000);
    const TMPDIR = await temporaryDirectory(pair);
    await using running = startIncrep('sync', pair, { env: { TMPDIR } });
    await waitForCopy(pair.source, 'orders');
    for (const side of ['source', 'destination'] as const) {
      expect(await processes(pair.login(side, 'increp').password)).toEqual([]);
    }
    const files = async () =>
      (await readdir(TMPDIR, { recursive: true })).filter((name) => name.includes('pgpass'));
    await waitUntil('no passfile is left', async () => (await files()).length === 0);
    expect(await processes('--snapshot=')).not.toEqual([]);
    await proxy.resume();
    expect((await running.wait()).exitCode).toBe(0);
  },
);
