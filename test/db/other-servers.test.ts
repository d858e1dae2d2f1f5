/**
 * Servers that speak the protocol and are not PostgreSQL: real servers behind a proxy that answers version() with what
 * another product says, or that hides what another product lacks.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { disguise } from '../support/disguise.ts';
import type { DisguisedServer } from '../support/disguise.ts';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair, Side } from '../support/pair.ts';
import { OTHER_SERVERS } from '../support/recorded-versions.ts';
import { expectRefusal, leftovers } from '../support/refusal.ts';
import { insertOrders, ordersPreset } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { oneIn } from '../support/tier.ts';

let pair: Pair;
beforeEach(async () => {
  pair = await freshPair('orders');
});
afterEach(() => pair[Symbol.asyncDispose]());

const PREFIX = { source: 'SOURCE', destination: 'DEST' } as const;

async function throughProxy(side: Side, look: Parameters<typeof disguise>[1]): Promise<DisguisedServer> {
  const other = await disguise(pair.login(side, 'increp'), look);
  await pair.setEnv({ [`${PREFIX[side]}_HOST`]: other.host, [`${PREFIX[side]}_PORT`]: String(other.port) });
  return other;
}

const recorded = (product: string): string => OTHER_SERVERS.find(([name]) => name === product)?.[1] ?? '';

const WRITES = /\b(CREATE|INSERT|COPY|MERGE|ALTER|LOCK)\b/;

for (const [side, product] of [
  ['source', 'YugabyteDB'],
  ['destination', 'CockroachDB'],
] as const)
  test(`${product} as the ${side} is refused by every command, before anything is read or written`, async () => {
    await using other = await throughProxy(side, { version: recorded(product) });
    for (const command of ['sync', 'plan', 'verify', 'check', 'status']) {
      const result = await increp(`${command} --json`, pair);
      const told = `${command}: ${result.stdout}${result.stderr}`;
      expect(told).toContain('NOT_POSTGRES');
      expect(told).toContain(`is ${product}, not PostgreSQL`);
      // Status shows what the state directory knows.
      expect(result.exitCode, told).toBe(command === 'status' ? 0 : 78);
    }
    expect(other.heard).not.toMatch(WRITES);
    expect(await leftovers(pair)).toEqual([]);
  });

test('init names the product and writes no file', async () => {
  const version = recorded('Amazon Redshift');
  await using other = await disguise(pair.login('source', 'increp'), { version });
  const sides = { SOURCE: 'source', DEST: 'destination' } as const;
  const env = Object.entries(sides).flatMap(([prefix, side]) => {
    const login = { ...pair.login(side, 'increp'), ...(side === 'source' && { port: other.port }) };
    return [
      [`${prefix}_HOST`, login.host],
      [`${prefix}_PORT`, String(login.port)],
      [`${prefix}_USERNAME`, login.user],
      [`${prefix}_PASSWORD`, login.password],
      [`${prefix}_DB`, login.database],
    ];
  });
  const result = await increp('init -C new --yes --all-tables', pair, {
    env: Object.fromEntries(env) as Record<string, string>,
  });
  expect(result.exitCode).toBe(78);
  expect(result.stderr).toContain('is Amazon Redshift, not PostgreSQL');
});

test('the message says what would be lost', async () => {
  await using _ = await throughProxy('source', { version: recorded('QuestDB') });
  await expectRefusal(pair, {
    exitCode: 78,
    code: 'NOT_POSTGRES',
    what: ['the source', 'is QuestDB, not PostgreSQL', 'version() is "PostgreSQL 12.3'],
    next: /pg_locks.*xmin.*rows would be missing.*SOURCE_HOST/,
  });
});

test.each(
  oneIn(2, [
    ['pg_locks', 'virtual transaction IDs in pg_locks'],
    ['pg_current_snapshot', 'pg_current_snapshot()'],
    ['xmin', 'the system column xmin'],
  ]),
)(
  'a server that calls itself PostgreSQL and has no %s is refused with what it lacks',
  async (name, lacks) => {
    await using _ = await throughProxy('source', { hidden: [name] });
    await expectRefusal(pair, {
      exitCode: 78,
      code: 'NOT_POSTGRES',
      what: ['is another product, not PostgreSQL', `it lacks ${lacks}`],
      next: 'SOURCE_HOST',
    });
  },
);

test('target_session_attrs does not hide what the server is', async () => {
  await using _ = await throughProxy('source', {
    version: recorded('CockroachDB'),
    hidden: ['pg_is_in_recovery'],
  });
  await pair.setEnv({ SOURCE_TARGET_SESSION_ATTRS: 'primary' });
  await expectRefusal(pair, {
    exitCode: 78,
    code: 'NOT_POSTGRES',
    what: ['is CockroachDB, not PostgreSQL'],
    next: 'CockroachDB',
  });
});

test('a fault of a PostgreSQL server keeps its own error', async () => {
  await using _ = await throughProxy('source', { hidden: ['pg_db_role_setting'] });
  const result = await increp('sync', pair);
  expect(result.stdout + result.stderr).toContain('relation "no_db_role_setting" does not exist');
  expect(result.stdout + result.stderr).toContain('QUERY_FAILED');
});

test('a hosted server that hides its control file and its WAL is synced', async () => {
  await using hosted = await freshPair({ ...ordersPreset, isOwn: true });
  await hosted.source.query(`REVOKE EXECUTE ON FUNCTION pg_control_system(), pg_control_checkpoint(),
    pg_current_wal_lsn(), pg_walfile_name(pg_lsn) FROM PUBLIC`);
  expect((await sync(hosted)).table()).toMatchObject({ action: 'initial', rows_inserted: 10 });
  await insertOrders(hosted, 2);
  expect((await sync(hosted)).table()).toMatchObject({ action: 'incremental', rows_inserted: 2 });
});

test('a server that answers under another name and lacks nothing is synced', async () => {
  await using _ = await throughProxy('source', {
    version: 'Babelfish 17.7 on x86_64-pc-linux-gnu, compiled by gcc (GCC) 14.3.1, 64-bit',
  });
  expect((await sync(pair)).table()).toMatchObject({ action: 'initial', rows_inserted: 10 });
});
