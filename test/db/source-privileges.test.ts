/** Row-level security and column privileges of the source are an error, never a short copy. */
import process from 'node:process';
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import { parseMajor } from '../support/postgres-binaries.ts';
import { LOADERS, pairOf, STAMP, tableOf } from '../support/source-kinds.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const HIDDEN = /* sql */ `
  CREATE TABLE base (id int PRIMARY KEY, note text, ${STAMP});
  INSERT INTO base SELECT i, 'row', now() FROM generate_series(1, 9) i;
  CREATE POLICY few ON base USING (id < 4); ALTER TABLE base ENABLE ROW LEVEL SECURITY`;

const HIDING: readonly (readonly [what: string, sql: string])[] = [
  ['of the table', `${HIDDEN}; ALTER TABLE base RENAME TO t`],
  [
    'of a table under a view that asks as its user',
    `${HIDDEN}; CREATE VIEW t WITH (security_invoker) AS SELECT * FROM base`,
  ],
  [
    'of a table under a view whose owner is subject to it',
    `${HIDDEN}; CREATE ROLE owner_ROLE; GRANT SELECT ON base TO owner_ROLE; GRANT CREATE ON SCHEMA public TO owner_ROLE;
     CREATE VIEW t AS SELECT * FROM base; ALTER VIEW t OWNER TO owner_ROLE`,
  ],
  [
    'forced upon its owner, under a view of that owner',
    `${HIDDEN}; CREATE ROLE owner_ROLE; GRANT CREATE ON SCHEMA public TO owner_ROLE; ALTER TABLE base OWNER TO owner_ROLE;
     ALTER TABLE base FORCE ROW LEVEL SECURITY; CREATE VIEW t AS SELECT * FROM base; ALTER VIEW t OWNER TO owner_ROLE`,
  ],
  [
    'of a partitioned table',
    `CREATE TABLE t (id int PRIMARY KEY, ${STAMP}) PARTITION BY RANGE (id); CREATE TABLE t1 PARTITION OF t DEFAULT;
     INSERT INTO t VALUES (1); ALTER TABLE t ENABLE ROW LEVEL SECURITY`,
  ],
];

/** security_invoker is new in PostgreSQL 15. */
const hasInvokers = parseMajor(process.env['INCREP_TEST_SOURCE_VERSION']) >= 15;

for (const [what, sql] of oneIn(
  2,
  HIDING.filter((each) => hasInvokers || !each[1].includes('security_invoker')),
)) {
  test(`row-level security ${what} is an error, never a short copy`, async () => {
    const role = `owner_${Math.random().toString(36).slice(2, 10)}`;
    await using pair = await pairOf(sql.replaceAll('owner_ROLE', role));
    const refused = await trySync(pair);
    expect(refused.exitCode).toBe(77);
    expect(refused.table().error).toMatchObject({
      code: 'ROW_SECURITY',
      hint: expect.stringContaining('BYPASSRLS') as string,
    });
    expect((await pair.destination.query(`SELECT to_regclass('t') AS there`)).rows).toEqual([
      { there: null },
    ]);
    // What we may see in full we copy.
    const reader = pair.login('source', 'increp').user;
    const names = sql.includes('owner_ROLE') ? [role] : [reader];
    for (const name of names) await pair.source.query(`ALTER ROLE ${name} BYPASSRLS`);
    await sync(pair);
    await expectSameRows(pair, 't');
    await pair.source.query(`DROP OWNED BY ${reader}`);
    if (names[0] === role)
      await pair.source.query(
        `REASSIGN OWNED BY ${role} TO CURRENT_USER; DROP OWNED BY ${role}; DROP ROLE ${role}`,
      );
  });
}

slowTest(
  'row-level security of a partition does not touch who asks its parent, as Postgres has it',
  async () => {
    await using pair = await freshPair({
      tables: [tableOf('t'), tableOf('t1')],
      sourceSql: `CREATE TABLE t (id int PRIMARY KEY, ${STAMP}) PARTITION BY RANGE (id); CREATE TABLE t1 PARTITION OF t DEFAULT;
      INSERT INTO t SELECT i FROM generate_series(1, 9) i; CREATE POLICY few ON t1 USING (id < 4);
      ALTER TABLE t1 ENABLE ROW LEVEL SECURITY`,
    });
    const result = await trySync(pair);
    expect(result.table('t1').error).toMatchObject({ code: 'ROW_SECURITY' });
    expect(result.table('t')).toMatchObject({ status: 'ok', rows_inserted: 9 });
    await expectSameRows(pair, 't');
  },
);

for (const loader of oneIn(2, LOADERS)) {
  testWithPgDump(
    `SELECT on every single column is enough for ${loader}, and one that is missing is named`,
    async () => {
      await using pair = await pairOf(
        `CREATE TABLE t (id int PRIMARY KEY, "the note" text, ${STAMP}); INSERT INTO t VALUES (1, 'x'), (2, 'y')`,
        { initial_load: loader },
      );
      const reader = pair.login('source', 'increp').user;
      await pair.source.query(
        `REVOKE SELECT ON t FROM ${reader}; GRANT SELECT (id, "the note", updated_at) ON t TO ${reader}`,
      );
      await sync(pair);
      await expectSameRows(pair, 't');
      await pair.source.query(
        `UPDATE t SET "the note" = 'z', updated_at = now() WHERE id = 2; DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (3), (4)`,
      );
      expect((await sync(pair, '--deletes')).table()).toMatchObject({
        rows_inserted: 2,
        rows_updated: 1,
        rows_deleted: 1,
      });
      expect((await increp('verify', pair)).exitCode).toBe(0);
      await pair.source.query('ALTER TABLE t ADD COLUMN secret text');
      const { error } = (await trySync(pair)).table();
      expect(error).toMatchObject({
        code: 'PRIVILEGE_MISSING',
        message: `role "${reader}" may not read "secret" of public.t at the source`,
        hint: expect.stringContaining(`GRANT SELECT ON "public"."t" TO "${reader}"`) as string,
      });
      expect((await pair.destination.query('SELECT FROM t')).rowCount).toBe(3);
    },
  );
}
