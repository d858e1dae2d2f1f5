/** Findings that no test on a server can bring about at will. */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { ConnectionSettings } from '../../../src/config/settings.ts';
import { ERROR_CLASSES } from '../../../src/errors.ts';
import { ensureSupported } from '../../../src/postgres/identity.ts';
import { judgeDirectory } from '../../../src/check/directory-findings.ts';
import { FINDING_CODES } from '../../../src/check/finding.ts';
import { buildFindings } from '../../../src/check/build-findings.ts';
import type { Inspection } from '../../../src/check/inspect.ts';
import type { Relation } from '../../../src/schema/relations.ts';
import type { TableFacts } from '../../../src/sync/facts/facts.ts';
import { connection, inspection, LOCAL, planWith } from './inspection.ts';
import { column } from '../schema/columns.ts';
import { facts, ORDERS_COLUMNS, relation } from '../sync/table-facts.ts';

const found = (given: Inspection, code: string, connections = LOCAL) =>
  buildFindings(given, connections).find((each) => each.code === code);

test('servers are named with their versions and their encryption', () => {
  const { message } = found(inspection(), 'SERVER_INFO') ?? {};
  expect(message).toBe(
    'source: PostgreSQL 15.0, TLSv1.3 (TLS_AES_256_GCM_SHA384); destination: PostgreSQL 15.0, no TLS',
  );
});

test('clocks that are apart, in either direction', () => {
  expect(found(inspection({ clockSkewSeconds: 1.9 }), 'CLOCK_SKEW')).toBeUndefined();
  for (const clockSkewSeconds of [2.5, -2.5]) {
    expect(found(inspection({ clockSkewSeconds }), 'CLOCK_SKEW')).toMatchObject({
      level: 'warning',
      action: 'Synchronize both clocks with NTP.',
    });
  }
});

test('a standby as source', () => {
  expect(found(inspection({}, { isStandby: true }), 'STANDBY')).toMatchObject({
    level: 'warning',
    table: undefined,
  });
  expect(found(inspection(), 'STANDBY')).toBeUndefined();
});

test('transactions that have been open for long, each', () => {
  const longTransactions = [
    { pid: 7, user: 'app', seconds: 3600.4 },
    { pid: 8, user: 'app', seconds: 61 },
  ];
  const messages = buildFindings(inspection({ longTransactions }), LOCAL)
    .filter(({ code }) => code === 'LONG_TRANSACTION')
    .map(({ message }) => message);
  expect(messages).toEqual([
    'the session with pid 7 (role app) has a transaction open at the source for 1 h 0 min',
    'the session with pid 8 (role app) has a transaction open at the source for 1 min 1 s',
  ]);
});

test('a way over the network that others may listen on, or step into', () => {
  const at = (host: string, tls: Partial<ConnectionSettings['tls']> = {}) => ({
    ...LOCAL,
    source: connection({ host, tls: { ...LOCAL.source.tls, ...tls } }),
  });
  const plain = inspection({ encryption: { source: undefined, destination: undefined } });
  for (const host of ['localhost', '127.0.0.1', '::1', '/run/postgresql'])
    expect(found(plain, 'NOT_ENCRYPTED', at(host))).toBeUndefined();
  expect(found(plain, 'NOT_ENCRYPTED', at('db.example'))).toMatchObject({
    level: 'warning',
    action: expect.stringContaining('SOURCE_SSLMODE=verify-full and SOURCE_SSLROOTCERT'),
  });
  const verdicts = ([['require'], ['verify-ca', 'ca.pem'], ['verify-full', 'ca.pem']] as const).map(
    ([mode, rootCert]) => found(inspection(), 'NOT_VERIFIED', at('db.example', { mode, rootCert }))?.level,
  );
  expect(verdicts).toEqual(['warning', 'note', undefined]);
});

test('versions that are too old or not known yet', () => {
  expect(() => ensureSupported({ version: 130014 }, 'source')).toThrow(
    'the source is PostgreSQL 13.14; increp needs 14 or later',
  );
  expect(() => ensureSupported({ version: 140000 }, 'source')).not.toThrow();
  const given = inspection();
  const { source, destination } = given.facts.servers;
  const servers = { source: { ...source, version: 190001 }, destination };
  expect(found({ ...given, facts: { ...given.facts, servers } }, 'VERSION_UNTESTED')).toMatchObject({
    level: 'note',
    message: 'the source is PostgreSQL 19; this version of increp is tested with 14 to 18',
  });
});

test('a prepared transaction that nobody ends, with the two ways to end it', () => {
  const preparedTransactions = [{ gid: "it's", owner: 'app', seconds: 90 }];
  expect(found(inspection({ preparedTransactions }), 'PREPARED_TRANSACTION')?.action).toBe(
    "As app, run in that database: COMMIT PREPARED 'it''s', or ROLLBACK PREPARED 'it''s'",
  );
});

test('a large table that would be loaded as a whole, unless chunks are set or impossible', () => {
  const loaded = (source: Parameters<typeof relation>[0], chunk?: { rows: number }) => {
    const table = facts({
      source: relation({ bytes: 2_000_000_000, ...source }),
      saved: { kind: 'none', why: { code: 'cursor-unknown' }, warnings: [] },
      destination: undefined,
    });
    return found(
      inspection({}, { table: { ...table, settings: { ...table.settings, chunk } } }),
      'LARGE_LOAD',
    );
  };
  expect(loaded({})).toMatchObject({ level: 'note', message: expect.stringContaining('reads 2.0 GB of') });
  expect(loaded({ bytes: 900_000_000 })).toBeUndefined();
  expect(loaded({ kind: 'view' })).toBeUndefined();
  expect(loaded({}, { rows: 1_000_000 })).toBeUndefined();
});

test('a table whose partitions fill the lock table of the source is named, with the setting', () => {
  const needs = { tables: 4001, indexes: 8002, perTransaction: 64, transactions: 100 };
  const oid = relation().oid;
  expect(found(inspection({ lockNeeds: new Map([[oid, needs]]) }), 'LOCK_TABLE')).toMatchObject({
    level: 'warning',
    message: expect.stringMatching(/orders has 4,000 partitions with 8,002 indexes/),
    action: expect.stringContaining('max_locks_per_transaction = 134'),
  });
  const small = new Map([[oid, { ...needs, tables: 40, indexes: 80 }]]);
  expect(found(inspection({ lockNeeds: small }), 'LOCK_TABLE')).toBeUndefined();
});

test('pg_dump that is too old or missing is said once, and not for each table', async () => {
  const path = '/usr/bin/pg_dump';
  const fit = inspection({ pgDump: { tools: { pgDump: 17, pgRestore: 17 }, path } });
  expect(found(fit, 'PG_DUMP')?.message).toBe(
    'pg_dump 17 (/usr/bin/pg_dump) can read the source, PostgreSQL 15',
  );
  const old = inspection({ pgDump: { tools: { pgDump: 13, pgRestore: 13 }, path } });
  expect(found(old, 'PG_DUMP')?.message).toBe(
    'pg_dump 13 cannot read a server of version 15 (/usr/bin/pg_dump), so increp loads tables by COPY, with the same result',
  );
  const unlike = inspection({ pgDump: { tools: { pgDump: 17, pgRestore: 15 }, path } });
  expect(found(unlike, 'PG_DUMP')?.message).toBe(
    'pg_restore 15 cannot read what pg_dump 17 writes (/usr/bin/pg_dump), so increp loads tables by COPY, with the same result',
  );
  const tools = { pgDump: 'missing', pgRestore: 'missing' } as const;
  const table = facts({ destination: undefined });
  const missing = inspection({ pgDump: { tools, path: undefined } });
  const findings = buildFindings(
    {
      ...missing,
      facts: { ...missing.facts, tables: [table] },
      plans: new Map([[table, await planWith(tools, table)]]),
    },
    LOCAL,
  );
  expect(findings.map(({ code }) => code)).toEqual([
    'SERVER_INFO',
    'PG_DUMP',
    'KEY_NOT_INDEXED',
    'KEY_WITHOUT_TRIGGER',
  ]);
});

test('a large table whose bytea travels as text because of another column', () => {
  const mood = column({ name: 'mood', type: 'public.mood', position: 5, isBuiltIn: false });
  const scan = column({ name: 'scan', type: 'bytea', position: 4 });
  const table = (bytes: number, columns = [...ORDERS_COLUMNS, scan, mood]) =>
    facts({ source: relation({ columns, bytes }), destination: undefined });
  const told = (of: TableFacts) => found(inspection({}, { table: of }), 'ROW_SIZE')?.message;
  expect(told(table(600_000_000))).toMatch(
    /because of the type of "mood"; as text, "scan" \(bytea\) is twice as long/,
  );
  expect(told(table(60_000_000))).toBeUndefined();
  expect(told(table(600_000_000, [...ORDERS_COLUMNS, scan]))).toBeUndefined();
});

test('an index pays only for a larger table, and a key that sees inserts only is wanted only in mode append', () => {
  const table = (change: Partial<Relation>) => facts({ source: relation(change), destination: undefined });
  const index = (change: Partial<Relation>) =>
    found(inspection({}, { table: table(change) }), 'KEY_NOT_INDEXED');
  expect(index({ bytes: 8192 })).toMatchObject({
    level: 'note',
    action: expect.stringMatching(
      /^If the table is larger than 10\.0 MB, or becomes so, run at the source: CREATE/,
    ) as string,
  });
  expect(index({ bytes: 11_000_000 })?.level).toBe('warning');
  const level = (mode: 'incremental-append' | 'incremental-deduped') => {
    const settings = { ...facts().settings, replicationKey: 'id', mode };
    return found(inspection({}, { table: facts({ settings, destination: undefined }) }), 'KEY_INSERT_ONLY')
      ?.level;
  };
  expect([level('incremental-deduped'), level('incremental-append')]).toEqual(['warning', 'note']);
});

test('a long lookback whose rows are read again is noted, with what ends that', () => {
  const noted = (change: Partial<Relation>, lookbackSeconds = 3600) => {
    const settings = { ...facts().settings, lookbackSeconds };
    const table = facts({ settings, source: relation(change), destination: undefined });
    return found(inspection({}, { table }), 'READ_AGAIN');
  };
  expect(noted({})).toBeUndefined();
  expect(noted({ canSelectTable: false }, 10)).toBeUndefined();
  expect(noted({ canSelectTable: false })).toMatchObject({
    level: 'note',
    message: expect.stringMatching(
      /^each sync reads the rows of the 1h before the cursor again, because role ".+" may not/,
    ),
    action: expect.stringMatching(/"lookback", or run at the source: GRANT SELECT ON "public"."orders" TO "/),
  });
  expect(noted({ kind: 'partitioned table', hasChildren: true })).toMatchObject({
    message: expect.stringContaining('because a partition or child table may have been attached'),
    action: 'If these are many rows, set a shorter "lookback".',
  });
});

test('a view that records deleted rows is not told to get an index', () => {
  const deleted_at = column({ name: 'deleted_at', type: 'timestamp with time zone', position: 2 });
  const table = facts({
    settings: {
      ...facts().settings,
      deletionLog: { schema: undefined, table: 'gone', deletedAt: 'deleted_at' },
    },
  });
  const index = (kind: Relation['kind']) => {
    const log = relation({ kind, columns: [...ORDERS_COLUMNS, deleted_at] });
    const deletionLogs = new Map([[table, { name: log.name, log, triggers: [] }]]);
    return found(inspection({ deletionLogs }, { table }), 'DELETION_LOG_NOT_INDEXED')?.action;
  };
  expect(index('view')).toBeUndefined();
  expect(index('partitioned table')).toContain('CREATE INDEX ON');
});

test('the key that the source enforces is named beside one that it does not', () => {
  const columns = ORDERS_COLUMNS.map((each) => ({ ...each, isNotNull: true }));
  const uniqueKeys = [{ index: 'orders_pkey', columns: ['id', 'updated_at'] }];
  const table = facts({ source: relation({ uniqueKeys, columns }), destination: undefined });
  expect(found(inspection({}, { table }), 'MERGE_KEY_NOT_ENFORCED')?.message).toContain(
    'keeps (id) unique and NOT NULL (one keeps (id, updated_at)); of rows',
  );
});

test('the key that the source enforces comes before an index, unless each update would add a row', () => {
  const step = (key: string, isDuplicated = false) => {
    const columns = ORDERS_COLUMNS.map((each) => ({ ...each, isNotNull: true }));
    const uniqueKeys = [{ index: 'orders_key', columns: [key] }];
    const table = facts({ source: relation({ uniqueKeys, columns }), destination: undefined });
    const duplicated = new Set(isDuplicated ? [table] : []);
    return found(inspection({ duplicated }, { table }), 'MERGE_KEY_NOT_ENFORCED')?.action;
  };
  expect(step('note')).toMatch(
    /^If updates do not change \(note\), set "unique_cols": \["note"\]; the .* again\. Or make \(id\) NOT NULL .* run at the source: CREATE UNIQUE INDEX .*\("id"\)$/s,
  );
  expect(step('note', true)).toMatch(/set "unique_cols": \["note"\], or delete these rows first\./);
  expect(step('updated_at')).toMatch(/^Make the columns NOT NULL/);
  expect(step('updated_at', true)).toMatch(/ Set other unique_cols, or delete/);
});

test('a key that Postgres cannot enforce gets no statement', () => {
  const step = (change: Partial<Relation>) => {
    const table = facts({ source: relation({ uniqueKeys: [], ...change }), destination: undefined });
    return found(inspection({}, { table }), 'MERGE_KEY_NOT_ENFORCED')?.action;
  };
  const uniqueKeys = [{ index: 'orders_key', columns: ['id'] }];
  const partitions = { locks: 2, room: 6400, areReadable: true, keys: ['id'] };
  const optional = ORDERS_COLUMNS.map((each) => ({ ...each, isNotNull: false }));
  expect(step({ kind: 'materialized view', uniqueKeys, columns: optional })).toMatch(
    /no action is needed\.$/,
  );
  expect(step({ hasChildren: true, uniqueKeys })).toMatch(/^No index covers/);
  expect(step({ kind: 'foreign table', hasForeignRows: true })).toMatch(/^If no .* no action is needed\./);
  expect(step({ kind: 'view' })).toMatch(/^If no two rows have the same key .* no action is needed\./);
  const byTime = { ...partitions, keys: ['updated_at'] };
  expect(step({ kind: 'partitioned table', hasChildren: true, partitions: byTime })).toContain(
    'no action is needed. Otherwise, add "updated_at" to unique_cols; then each update of a row adds a row.',
  );
  expect(step({ kind: 'partitioned table', hasChildren: true, hasForeignRows: true, partitions })).toMatch(
    /partitions on other servers/,
  );
  expect(step({ kind: 'partitioned table', hasChildren: true, partitions })).toMatch(
    /run at the source: CREATE UNIQUE INDEX ON "public"."orders" \("id"\)$/,
  );
  expect(step({ keptBy: 'TimescaleDB' })).not.toContain('CREATE');
});

test('the statements for a key of versions have the replication key, and SET NOT NULL where it is missing', () => {
  const columns = ORDERS_COLUMNS.map((each) => ({ ...each, isNotNull: each.name !== 'id' }));
  const settings = { ...facts().settings, mode: 'incremental-append' } as const;
  const table = facts({ source: relation({ uniqueKeys: [], columns }), settings, destination: undefined });
  const step = found(inspection({}, { table }), 'MERGE_KEY_NOT_ENFORCED')?.action;
  expect(step).toMatch(/GROUP BY "id", "updated_at" .*\n.* ON "public"."orders" \("id", "updated_at"\);\n/);
  expect(step).toMatch(/also run: ALTER TABLE "public"."orders" ALTER "id" SET NOT NULL$/);
});

test('columns that may refer to large objects, if the source has any', () => {
  const photo = column({
    name: 'photo',
    type: 'public.lo',
    base: 'oid',
    position: 4,
  });
  const table = facts({ source: relation({ columns: [...ORDERS_COLUMNS, photo] }), destination: undefined });
  const told = (hasLargeObjects: boolean) =>
    found(inspection({ hasLargeObjects }, { table }), 'LARGE_OBJECTS')?.message;
  expect(told(true)).toContain('"photo" may refer to them');
  expect(told(false)).toBeUndefined();
});

test('a place for the state that forgets, is of a container or of the network', () => {
  const judge = (trait: 'forgets' | 'container' | 'network') =>
    judgeDirectory('/s', { fileSystem: { name: 'fs', trait }, freeBytes: 1e9, strangers: [] });
  expect(judge('forgets')).toMatchObject([
    { code: 'STATE_FILESYSTEM', level: 'note', message: '/s is on fs, which loses its files at a restart' },
  ]);
  expect(judge('container')[0]?.action).toContain('mount a volume');
  expect(judge('network')).toHaveLength(1);
});

test('files of former destination tables are not those of removed tables', () => {
  const strangers = ['%5405%20%43aps.json', 'gone.json'];
  const judged = judgeDirectory('/s', { fileSystem: undefined, freeBytes: 1e9, strangers }, [
    '%5405%20%43aps.json',
  ]);
  expect(judged.map(({ message }) => message)).toEqual([
    'files in /s are the state of former destination tables: %5405%20%43aps.json (T05 Caps)',
    'files in /s belong to no table of tables-config.json: gone.json',
  ]);
});

test('docs/check.md tells of every code', async () => {
  const text = await readFile(new URL('../../../docs/check.md', import.meta.url), 'utf8');
  const told = [...text.matchAll(/^\| `([A-Z_]+)`/gm)].flatMap(([, code]) => code ?? []);
  const ours = told.filter((code) => !(code in ERROR_CLASSES));
  expect(new Set(ours)).toEqual(new Set(FINDING_CODES));
  expect(ours).toHaveLength(FINDING_CODES.length);
});
