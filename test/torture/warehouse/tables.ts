/** The tables of the warehouse scenario: one for each option that lets the two sides differ. */
import type { TableConfig } from '../../support/open-pair.ts';

const KEYED = { replication_key: 'updated_at', unique_cols: ['id'], lookback: '100ms' };

/** The name of the renamed column at the source changes during the run. */
export type MailColumn = 'email' | 'contact';

export const configOf = (mail: MailColumn): TableConfig[] => [
  {
    ...KEYED,
    name: 'members',
    rename: { id: 'member_id', [mail]: 'mail' },
    deletes: 'hard',
    deletes_from: 'members_deleted',
    delete_limit: 1,
  },
  { ...KEYED, name: 'events', deletes: 'keep', on_schema_change: 'evolve' },
  {
    ...KEYED,
    name: 'stock',
    merge: {
      sold: 'source.sold + destination.sold',
      seen: 'greatest(source.seen, destination.seen)',
    },
  },
  { ...KEYED, name: 'prices', on_conflict: 'last_update_wins', conflict_log: true },
];

const FIRST_IDS = 300;

/** `history` keeps every version of every row, so the rules need nothing that increp has written. */
export const SOURCE_SQL = /* sql */ `
  CREATE TABLE history (place bigint GENERATED ALWAYS AS IDENTITY, name text, id bigint, image jsonb);
  CREATE INDEX ON history (name, id);
  CREATE FUNCTION keep_version() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
    BEGIN INSERT INTO history (name, id, image) VALUES (TG_TABLE_NAME, NEW.id, to_jsonb(NEW)); RETURN NULL; END $$;
  CREATE TABLE members (id int PRIMARY KEY, email text, points int,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp());
  CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text, n int, old_note text,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp());
  CREATE TABLE stock (id int PRIMARY KEY, sold int NOT NULL, seen timestamptz NOT NULL DEFAULT clock_timestamp(),
    label text, updated_at timestamptz NOT NULL DEFAULT clock_timestamp());
  CREATE TABLE prices (id int PRIMARY KEY, price numeric NOT NULL, note text,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp());
  ${['members', 'events', 'stock', 'prices']
    .map(
      (name) => `CREATE INDEX ON ${name} (updated_at);
  CREATE TRIGGER keep_version AFTER INSERT OR UPDATE ON ${name} FOR EACH ROW EXECUTE FUNCTION keep_version();`,
    )
    .join('\n  ')}
  INSERT INTO members (id, email, points) SELECT i, 'm' || i || '@x', i FROM generate_series(1, ${FIRST_IDS}) i;
  INSERT INTO events (kind, n, old_note) SELECT 'first', i, 'note ' || i FROM generate_series(1, ${FIRST_IDS}) i;
  INSERT INTO stock (id, sold, label) SELECT i, i % 7, 'first' FROM generate_series(1, ${FIRST_IDS}) i;
  INSERT INTO prices (id, price, note) SELECT i, i, 'first' FROM generate_series(1, ${FIRST_IDS}) i`;

/** Made after the first sync. It records who wrote each version at the destination. */
export const DESTINATION_SQL = /* sql */ `
  CREATE TABLE witness (place bigint GENERATED ALWAYS AS IDENTITY, name text, id bigint, writer text,
    former jsonb, image jsonb);
  CREATE INDEX ON witness (name, id);
  CREATE FUNCTION witness() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
    BEGIN
      INSERT INTO witness (name, id, writer, former, image)
        VALUES (TG_TABLE_NAME, NEW.id, session_user, CASE WHEN TG_OP = 'UPDATE' THEN to_jsonb(OLD) END, to_jsonb(NEW));
      RETURN NULL;
    END $$;
  ${['stock', 'prices']
    .map(
      (
        name,
      ) => `INSERT INTO witness (name, id, writer, image) SELECT '${name}', id, 'first load', to_jsonb(t) FROM ${name} t;
  CREATE TRIGGER witness AFTER INSERT OR UPDATE ON ${name} FOR EACH ROW EXECUTE FUNCTION witness();`,
    )
    .join('\n  ')}
  CREATE TABLE archived (id bigint PRIMARY KEY)`;

/** The changes of the source's schema, in order, with the share of the time after which each is made. */
export const SCHEMA_CHANGES: readonly {
  readonly after: number;
  readonly sql: string;
  readonly mail?: MailColumn;
}[] = [
  { after: 0.25, sql: 'ALTER TABLE events ADD COLUMN extra int DEFAULT 7' },
  { after: 0.4, sql: 'ALTER TABLE members RENAME COLUMN email TO contact', mail: 'contact' },
  { after: 0.55, sql: 'ALTER TABLE events DROP COLUMN old_note' },
  { after: 0.7, sql: `ALTER TABLE prices ADD COLUMN grade text` },
];
