/** What people build on a copy of the orders: as much of it as one table can have. */

/** What hangs on the table itself. */
export const ON_IT = `
  COMMENT ON TABLE orders IS 'the orders, it''s theirs';
  COMMENT ON COLUMN orders.note IS 'in "words"';
  GRANT SELECT ON orders TO PUBLIC;
  GRANT SELECT, UPDATE ON orders TO pg_monitor WITH GRANT OPTION;
  GRANT UPDATE (note), SELECT (id) ON orders TO pg_read_all_stats;
  CREATE INDEX "by Total" ON orders (total DESC NULLS LAST, lower(note)) WHERE total > 1;
  CREATE INDEX by_hash ON orders USING hash (note);
  CREATE UNIQUE INDEX with_include ON orders (id, updated_at) INCLUDE (note) WITH (fillfactor = 70);
  COMMENT ON INDEX by_hash IS 'fast';
  CREATE INDEX plain ON orders (note); ALTER TABLE orders CLUSTER ON plain;
  ALTER TABLE orders ADD CONSTRAINT once UNIQUE (note, id) DEFERRABLE INITIALLY DEFERRED;
  ALTER TABLE orders ADD CONSTRAINT sane CHECK (total > 0);
  ALTER TABLE orders ADD CONSTRAINT unproven CHECK (id <> 99) NOT VALID;
  ALTER TABLE orders ADD CONSTRAINT apart EXCLUDE USING btree (id WITH =);
  COMMENT ON CONSTRAINT sane ON orders IS 'of course';
  CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
  CREATE TRIGGER theirs AFTER UPDATE OF note ON orders FOR EACH ROW WHEN (NEW.note <> '') EXECUTE FUNCTION f();
  CREATE TRIGGER off BEFORE INSERT ON orders EXECUTE FUNCTION f();
  ALTER TABLE orders DISABLE TRIGGER off;
  ALTER TABLE orders ENABLE ALWAYS TRIGGER theirs;
  COMMENT ON TRIGGER theirs ON orders IS 'it fires';
  CREATE RULE quiet AS ON DELETE TO orders WHERE OLD.id < 0 DO INSTEAD NOTHING;
  CREATE POLICY p ON orders FOR SELECT TO PUBLIC, pg_monitor USING (id > 0);
  CREATE POLICY q ON orders AS RESTRICTIVE FOR UPDATE USING (true) WITH CHECK (note <> '');
  COMMENT ON POLICY p ON orders IS 'for all';
  ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
  ALTER TABLE orders ALTER note SET DEFAULT 'none';
  ALTER TABLE orders ALTER note SET STATISTICS 7, ALTER note SET STORAGE EXTERNAL, ALTER note SET (n_distinct = 5);
  ALTER TABLE orders SET (fillfactor = 90, autovacuum_enabled = off, toast.autovacuum_enabled = off);
  ALTER TABLE orders REPLICA IDENTITY FULL;
  CREATE SEQUENCE numbers START 11 OWNED BY orders.id; GRANT USAGE ON SEQUENCE numbers TO pg_monitor;
  ALTER TABLE orders ALTER id SET DEFAULT nextval('numbers');
  CREATE STATISTICS st ON id, note FROM orders;
  COMMENT ON STATISTICS st IS 'together';`;

/** What people have added as columns of their own. */
export const COLUMNS = `
  ALTER TABLE orders ADD COLUMN tags text[] DEFAULT '{new}' NOT NULL, ADD COLUMN turn serial, ADD COLUMN "Their note" text COLLATE "C",
    ADD COLUMN words tsvector GENERATED ALWAYS AS (to_tsvector('simple', coalesce(note, ''))) STORED;
  COMMENT ON COLUMN orders.tags IS 'by hand';
  CREATE INDEX by_words ON orders USING gin (words);
  UPDATE orders SET tags = ARRAY['t' || id], "Their note" = 'seen' WHERE id < 4;`;

/** What reads from it. */
export const VIEWS = `
  CREATE VIEW names AS SELECT id, note FROM orders WHERE note <> '';
  CREATE VIEW amounts WITH (security_barrier) AS SELECT id, total AS amount, note FROM orders WITH CASCADED CHECK OPTION;
  CREATE VIEW of_amounts AS SELECT a.*, n.note AS again FROM amounts a JOIN names n USING (id);
  CREATE VIEW every AS SELECT * FROM orders;
  CREATE MATERIALIZED VIEW sums WITH (fillfactor = 80) AS SELECT id % 2 AS odd, sum(amount) AS s FROM of_amounts GROUP BY 1;
  CREATE UNIQUE INDEX sums_key ON sums (odd);
  CREATE MATERIALIZED VIEW empty AS SELECT * FROM amounts WITH NO DATA;
  CREATE VIEW on_sums AS SELECT * FROM sums;
  COMMENT ON VIEW amounts IS 'amounts'; COMMENT ON COLUMN amounts.amount IS 'money';
  COMMENT ON MATERIALIZED VIEW sums IS 'sums'; COMMENT ON COLUMN sums.s IS 'a sum'; COMMENT ON INDEX sums_key IS 'key';
  GRANT SELECT ON amounts, sums, on_sums TO PUBLIC; GRANT SELECT (note) ON names TO pg_monitor WITH GRANT OPTION;
  ALTER VIEW names ALTER COLUMN note SET DEFAULT 'x';
  CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
  CREATE TRIGGER instead INSTEAD OF UPDATE ON of_amounts FOR EACH ROW EXECUTE FUNCTION g();
  CREATE RULE nothing AS ON DELETE TO amounts DO INSTEAD NOTHING;`;

export const FOREIGN_KEYS = `
  CREATE TABLE lines (id int, order_id bigint CONSTRAINT of_order REFERENCES orders ON DELETE CASCADE DEFERRABLE);
  INSERT INTO lines SELECT id, id FROM orders;
  COMMENT ON CONSTRAINT of_order ON lines IS 'points';
  CREATE TABLE kinds (note text PRIMARY KEY); INSERT INTO kinds SELECT note FROM orders;
  ALTER TABLE orders ADD CONSTRAINT of_kind FOREIGN KEY (note) REFERENCES kinds,
    ADD COLUMN parent bigint CONSTRAINT of_parent REFERENCES orders;
  UPDATE orders SET parent = 1 WHERE id < 3;`;

/** All that a load can take along to another table. */
export const EVERYTHING = `${ON_IT} ${COLUMNS} ${VIEWS} ${FOREIGN_KEYS}`;
