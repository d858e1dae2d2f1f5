/** One random write. Rows that others hold are mostly skipped, else the slow writers would stop all the others. */
import type { Random } from './random.ts';
import { BADGES, REGIONS, SHARED_IDS } from './tables.ts';

export interface Statement {
  readonly sql: string;
  readonly values: readonly unknown[];
}

type Write = (random: Random, writer: number) => Statement;

const TEXTS = [null, '', ' ', 'a\tb\\N', '\\.', 'żółw 🐢\r\n', "it's", 'NULL'] as const;

const text = (random: Random): string | null => {
  const given = random.pick(TEXTS);
  return given === null
    ? null
    : `${given}${random.between(1, 999)}`.slice(0, random.pick([100, given.length]));
};

const NUMBERS = ['1.0', '1.00', '-0.000', 'NaN', '1e30', '12345678901234567890.5'] as const;

const someAccounts = (
  random: Random,
  lock = random.chance(0.1) ? '' : 'SKIP LOCKED',
) => /* sql */ `SELECT id FROM accounts WHERE id >= ${random.between(1, SHARED_IDS)} ORDER BY id
    LIMIT ${random.between(1, 4)} FOR UPDATE ${lock}`;

const insertAccounts: Write = (random) => ({
  sql: /* sql */ `INSERT INTO accounts (id, version, payload, amount)
    SELECT nextval('account_ids'), 1, $1, $2 FROM generate_series(1, ${random.between(1, 5)})`,
  values: [text(random), random.pick(NUMBERS)],
});

const upsertAccount: Write = (random) => ({
  sql: /* sql */ `INSERT INTO accounts AS a (id, version, payload, amount) VALUES ($1, 1, $2, $3)
    ON CONFLICT (id) DO UPDATE SET version = a.version + 1, payload = excluded.payload, updated_at = now()`,
  values: [random.between(1, SHARED_IDS), text(random), random.pick(NUMBERS)],
});

const updateAccounts: Write = (random) => ({
  sql: /* sql */ `UPDATE accounts SET version = version + 1, payload = $1, amount = $2, updated_at = now()
    WHERE id IN (${someAccounts(random)})`,
  values: [text(random), random.pick(NUMBERS)],
});

const deleteAccounts: Write = (random) => ({
  sql: /* sql */ `DELETE FROM accounts WHERE id IN (${someAccounts(random)})`,
  values: [],
});

/** To a new id, or to one that may have been another row's. */
const rekeyAccount: Write = (random) => ({
  sql: /* sql */ `UPDATE accounts SET id = coalesce($1, nextval('account_ids')), version = version + 1,
    updated_at = now() WHERE id = (SELECT id FROM (${someAccounts(random, 'SKIP LOCKED')}) few LIMIT 1)`,
  values: [random.chance(0.5) ? null : random.between(1, SHARED_IDS)],
});

const someBadges = (
  random: Random,
) => /* sql */ `SELECT id FROM accounts WHERE badge >= ${random.between(1, BADGES)}
    ORDER BY badge LIMIT 2 FOR UPDATE SKIP LOCKED`;

/** Two accounts with the badges of each other, at the end of the statement. */
const swapBadges: Write = (random) => ({
  sql: /* sql */ `WITH two AS MATERIALIZED (${someBadges(random)}),
    swapped AS (SELECT a.id, (SELECT b.badge FROM accounts b JOIN two USING (id) WHERE b.id <> a.id) AS badge
      FROM accounts a JOIN two USING (id) WHERE (SELECT count(*) FROM two) = 2)
    UPDATE accounts a SET badge = s.badge, version = version + 1, updated_at = now() FROM swapped s WHERE a.id = s.id`,
  values: [],
});

/** A badge that is taken from whoever has it and goes to somebody else. */
const passBadge: Write = (random) => ({
  sql: /* sql */ `WITH taken AS MATERIALIZED (SELECT id, badge FROM accounts WHERE badge >= ${random.between(1, BADGES)}
      ORDER BY badge LIMIT 1 FOR UPDATE SKIP LOCKED),
    heir AS MATERIALIZED (SELECT id FROM accounts WHERE badge IS NULL AND id >= ${random.between(1, SHARED_IDS)}
      ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
    UPDATE accounts a SET badge = CASE WHEN a.id = heir.id THEN taken.badge END, version = version + 1, updated_at = now()
    FROM taken, heir WHERE a.id IN (taken.id, heir.id)`,
  values: [],
});

const giveBadge: Write = (random) => ({
  sql: /* sql */ `UPDATE accounts SET badge = $1, version = version + 1, updated_at = now()
    WHERE id = (SELECT id FROM (${someAccounts(random, 'SKIP LOCKED')}) few LIMIT 1)
      AND NOT EXISTS (SELECT FROM accounts WHERE badge = $1)`,
  values: [random.between(1, BADGES)],
});

const insertPayments: Write = (random) => ({
  sql: /* sql */ `INSERT INTO payments (account_id, amount)
    SELECT id, $1 FROM accounts WHERE id >= ${random.between(1, SHARED_IDS)} ORDER BY id LIMIT ${random.between(1, 3)}`,
  values: [random.between(1, 1000)],
});

/** To an account that may be as new as the transaction. */
const payNewAccount: Write = (random) => ({
  sql: /* sql */ `WITH added AS (INSERT INTO accounts (id, version, payload) VALUES (nextval('account_ids'), 1, $1) RETURNING id)
    INSERT INTO payments (account_id, amount) SELECT id, 1 FROM added`,
  values: [text(random)],
});

/** Not to another account: to a new one that takes over the badge of the former, which is gone, no order of syncs would do. */
const changePayments: Write = (random) => ({
  sql: /* sql */ `UPDATE payments SET amount = $2, updated_at = now()
    WHERE id IN (SELECT id FROM payments WHERE account_id >= $1 ORDER BY account_id LIMIT 3 FOR UPDATE SKIP LOCKED)`,
  values: [random.between(1, SHARED_IDS), random.between(1, 1000)],
});

const insertLedger: Write = (random, writer) => ({
  sql: /* sql */ `INSERT INTO ledger (writer, entry) SELECT $1, $2 FROM generate_series(1, ${random.between(1, 3)})`,
  values: [writer, random.pick(['{"a":1}', '{"a": 1}', '{"a":1,"a":2}', 'null', null])],
});

const upsertTickets: Write = (random) => {
  const first = random.between(1, 600);
  return {
    sql: /* sql */ `INSERT INTO tickets AS t (number, region, version, note)
      SELECT n, $1, 1, $2 FROM generate_series(${first}, ${first + random.between(0, 3)}) n
      ON CONFLICT (region, number) DO UPDATE
      SET version = t.version + 1, note = excluded.note, changed = localtimestamp`,
    values: [random.pick(REGIONS), text(random)],
  };
};

const deleteTickets: Write = (random) => ({
  sql: /* sql */ `DELETE FROM tickets WHERE (region, number) IN (SELECT region, number FROM tickets
    WHERE region = $1 AND number >= $2 ORDER BY number LIMIT 2 FOR UPDATE SKIP LOCKED)`,
  values: [random.pick(REGIONS), random.between(1, 600)],
});

/** By constants, so that the server locks only the partitions of these rows. */
const someReadings = (random: Random): string => {
  const first = random.between(1, SHARED_IDS);
  return Array.from({ length: random.between(1, 4) }, (_, step) => first + step).join(', ');
};

const upsertReadings: Write = (random) => ({
  sql: /* sql */ `INSERT INTO readings AS r (id, version, value) SELECT id, 1, $1 FROM unnest(ARRAY[${someReadings(random)}]) id
    ON CONFLICT (id) DO UPDATE SET version = r.version + 1, value = excluded.value, updated_at = now()`,
  values: [random.pick(NUMBERS)],
});

const updateReadings: Write = (random) => ({
  sql: /* sql */ `UPDATE readings SET version = version + 1, value = $1, updated_at = now()
    WHERE id IN (${someReadings(random)})`,
  values: [random.pick(NUMBERS)],
});

const deleteReadings: Write = (random) => ({
  sql: /* sql */ `DELETE FROM readings WHERE id IN (${someReadings(random)})`,
  values: [],
});

/** To a new id, which is often in another partition. */
const moveReading: Write = (random) => ({
  sql: /* sql */ `UPDATE readings SET id = nextval('reading_ids'), version = version + 1, updated_at = now()
    WHERE id = ${random.between(1, SHARED_IDS)}`,
  values: [],
});

const WRITES = [
  insertAccounts,
  upsertAccount,
  updateAccounts,
  updateAccounts,
  deleteAccounts,
  rekeyAccount,
  swapBadges,
  passBadge,
  giveBadge,
  insertPayments,
  payNewAccount,
  changePayments,
  insertLedger,
  insertLedger,
  insertLedger,
  upsertTickets,
  upsertTickets,
  deleteTickets,
  upsertReadings,
  upsertReadings,
  updateReadings,
  deleteReadings,
  moveReading,
] as const;

export const randomWrite: Write = (random, writer) => random.pick(WRITES)(random, writer);
