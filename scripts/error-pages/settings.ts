/** Errors of the command line and the settings. */
import type { ErrorPage } from './error-page.ts';

export const settings = {
  USAGE: {
    about: 'Nothing was done.',
    causes: [
      'A command, a flag or a table is misspelt. The message names the nearest name.',
      '`increp reset` names no table, or `--exclude` excludes every table.',
    ],
    steps: [
      'See the commands: `increp --help`',
      'See the flags of a command, with examples: `increp sync --help`',
      'Write a table as in `tables-config.json`, capitals included. Quote names with spaces or stars.',
    ],
    example: [
      'error: no table "ordres" in tables-config.json; did you mean "orders"? (USAGE)',
      '  next: The tables are: orders.',
    ],
  },
  CONFIG_INVALID: {
    about: 'increp reports all problems at once, each with its file or variable. Nothing was changed.',
    causes: [
      'A variable is not set, or it is set in a file that this user or service does not read.',
      'A key or a variable is misspelt.',
      '`.env` is in another directory (`-C`, `INCREP_DIR`).',
      'A table option needs another option, or contradicts it.',
      'A table at the source does not fit an option. Such a problem stops this table only.',
    ],
    steps: [
      'Fix what the message lists. The settings are described in [configuration](configuration.md).',
      'See the settings that increp uses, and where they are set: `increp config`',
      'systemd and cron have another environment than your shell. To test without your environment, start increp with `env -i`.',
    ],
    example: [
      'error: 3 problems in the configuration of pipeline shop in /srv/pipelines/shop (CONFIG_INVALID):',
      '  - SOURCE_PORT (.env): "many" is not a port; allowed: 1 to 65535',
      '  - DEST_HOST: not set; write DEST_HOST=warehouse.example.com in .env',
      '  - tables-config.json, [0].replikation_key (table orders): unknown key; did you mean replication_key?',
      '  next: Fix the configuration, then run the command again. For every setting, see:',
      '          increp help configuration',
    ],
  },
  NOT_SUPPORTED: {
    about: 'Nothing was changed.',
    causes: [
      'The server is older than PostgreSQL 14.',
      'A pooler in front of the database has `pool_mode = statement`.',
      'The destination table would have more than 1,600 columns.',
      '`increp demo` cannot start a server on this machine.',
    ],
    steps: [
      'Upgrade the server to PostgreSQL 14 or later.',
      'In the pooler, set `pool_mode = transaction` or `session`.',
      'Leave columns out of the table with `exclude_columns`.',
    ],
    example: [
      'error: the source is PostgreSQL 13.22; increp needs 14 or later (NOT_SUPPORTED)',
      '  next: Upgrade that server. PostgreSQL 13 and older are no longer supported.',
    ],
  },
  NOT_POSTGRES: {
    about:
      'increp asks each server what it is before it writes anything. Services that run PostgreSQL are accepted: see [providers](providers.md).',
    causes: [
      'The server is CockroachDB, YugabyteDB, Redshift, Aurora DSQL, QuestDB, Greenplum or a similar product.',
      'The server lacks what the message names. The fence reads the open transactions in `pg_locks`. Quiet tables, interrupted loads and low keys are recognised by `xmin`.',
      'A proxy in front of the server answers some queries itself.',
    ],
    steps: [
      'See what the server says: `psql -h HOST -p PORT -U USER -d DB -c "SELECT version()"`',
      'If a PostgreSQL server is behind a proxy, connect to that server directly.',
      'To copy from or to another product, use a tool of that product: see [other servers](providers.md#servers-that-are-not-postgresql).',
    ],
    example: [
      'error: the source db.example.com:5432/shop is CockroachDB, not PostgreSQL: version() is "CockroachDB CCL v26.2.5 (x86_64-pc-linux-gnu, built 2026/07/28 18:56:00, go1.25.5)" (NOT_POSTGRES)',
      '  next: Nothing was written. increp finds late commits by pg_locks and changed rows by xmin. Without them, rows would be missing at the destination without an error. Set SOURCE_HOST or SOURCE_URL to a PostgreSQL server. Or copy with a tool of CockroachDB.',
    ],
  },
  SAME_DATABASE: {
    about: 'increp compares what the servers report, not their host names. Nothing was changed.',
    causes: [
      'The settings of the source were copied for the destination.',
      'Two host names or addresses lead to the same server.',
      'A `dest_schema` is a schema that increp reads from.',
      'Two of several destinations are the same database and schema.',
    ],
    steps: [
      'Give the destination another `DEST_DB` or `DEST_SCHEMA`, or correct `DEST_HOST`.',
      'To identify a server, run there: `SELECT current_database(), inet_server_addr(), pg_postmaster_start_time();`',
    ],
    example: [
      'error: source and destination are the same: schema "public" of database "shop" on one server (SAME_DATABASE)',
      '  next: Give DEST_HOST, DEST_DB or DEST_SCHEMA another value. Nothing was changed.',
    ],
  },
  TABLE_NOT_FOUND: {
    about: 'Only this table fails. increp syncs the other tables.',
    causes: [
      'The name is misspelt, or its capitals are wrong. Postgres stores unquoted names in lower case.',
      'The table is not in `SOURCE_SCHEMA`, and its entry has no `schema`.',
      'The table was renamed or dropped at the source.',
      'All tables are missing: the database is not the right one, or a restore is running there.',
    ],
    steps: [
      "List the tables of a schema: `psql -h HOST -U USER -d DB -c '\\dt SCHEMA.*'`",
      'If the message says that all tables are missing, check `SOURCE_DB` and `SOURCE_SCHEMA`, or wait for the end of the restore. Keep the entries.',
      'If the table was renamed or moved to another schema, the message names its new place. Change the entry as the next step says, and the sync continues there.',
      'If the table was dropped, remove its entry or set `"enabled": false`. The destination table stays.',
    ],
    example: [
      'error: the source has no table public.order; did you mean "orders"? (TABLE_NOT_FOUND)',
      '  next: Correct "name" in tables-config.json: use the name as Postgres stores it, including capital letters.',
    ],
  },
  COLUMN_NOT_FOUND: {
    about:
      '`replication_key`, `unique_cols` or an option of the selection, such as `columns` or `transform`, names it. The message lists the columns of the table.',
    causes: [
      'The name is misspelt, or its capitals are wrong.',
      'The column was renamed or dropped at the source.',
    ],
    steps: [
      'Correct the option that the message names.',
      'If the source dropped the column, remove it from the options that the message names. `increp plan` then shows which views use it.',
      'If the source renamed the column, set the options of the next step. The name at the destination stays, and nothing is loaded again.',
      'A table that a pattern matched needs an entry of its own: with another key, with `"mode": "full-refresh"`, or with `"enabled": false`.',
      'If you choose another column, `on_schema_change` decides: increp loads the table again, alters it in place, or stops.',
    ],
    example: [
      'error: public.orders has no column "update_at" (replication_key); did you mean "updated_at"? (COLUMN_NOT_FOUND)',
      '  next: Correct "replication_key" of table "orders" in tables-config.json. Its columns: id, total, note, updated_at.',
    ],
  },
  SQL_INVALID: {
    about:
      'Nothing was read or changed. increp syncs the other tables. See [selection](selection.md) for examples.',
    causes: [
      'A column or a function is misspelt, or was renamed or dropped at the source.',
      'A type does not fit: `where` must be true or false.',
      'A name outside `pg_catalog` has no schema: write `app.mask(email)`, not `mask(email)`. The `search_path` of the role has no effect.',
      'A `transform` does not give one value for each row. Aggregates, window functions and functions that return rows are not allowed.',
      'A `query` has a column without a name, or two columns with the same name.',
      'An expression of `merge` uses an unknown column, calls a volatile function, or has a type that its column cannot take. The destination evaluates these expressions ([modes](modes.md#merge-columns-merge)).',
    ],
    steps: [
      'The message shows the place. Try the expression at the source: `SET search_path = pg_catalog; SELECT (lower(email)) FROM public.customers LIMIT 1;`',
      'Check all tables at once, without reading a row: `increp check`',
    ],
    example: [
      'error: "where" of "orders": column "statu" does not exist',
      "           1 | statu = 'paid'",
      '               ^ (SQL_INVALID, SQLSTATE 42703)',
      '  next: Correct "where" of "orders" in tables-config.json; the source evaluates it.',
    ],
  },
  KEY_TYPE_UNSUPPORTED: {
    about: 'The same error reports a column of `unique_cols` whose type cannot identify a row.',
    causes: [
      '`replication_key` is a column of type text, boolean or UUID.',
      '`unique_cols` has a column of a `json`, `xml` or geometric type.',
      '`unique_cols` has a type of an extension, such as `citext`, with `"types": "native"`.',
    ],
    steps: [
      `Choose a timestamp, a date or an integer that grows. If the table has none, add one at the source, with [a trigger](setup.md#index-and-trigger-for-the-replication-key):

\`\`\`sql
ALTER TABLE orders ADD updated_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX CONCURRENTLY ON orders (updated_at);
\`\`\``,
      'Or read the whole table at each sync: `"mode": "full-refresh"` ([full refresh](full-refresh.md)).',
      'See which changes each key can show: [keys](keys.md)',
    ],
    example: [
      'error: the replication key "note" of public.orders is text, which cannot order changes (KEY_TYPE_UNSUPPORTED)',
      '  next: Choose a column of type timestamp, timestamptz or date, or an integer that only grows.',
    ],
  },
  TYPE_UNSUPPORTED: {
    about:
      'With `"types": "native"`, the destination needs the types of the source. increp creates enums and simple domains; you create the others.',
    causes: [
      'An extension is not installed at the destination.',
      'The column has a composite, range or base type that the destination lacks.',
      'The column is a `numeric` with a negative scale, and the destination is older than PostgreSQL 15.',
    ],
    steps: [
      'Run the statement from the message at the destination.',
      'Or set `"types": "text"` for the table. The values then arrive as text.',
    ],
    example: [
      'error: column "box" of public.orders needs the composite type public.size, which the destination does not have and increp does not create (TYPE_UNSUPPORTED)',
      '  next: At the destination, run: CREATE TYPE "public"."size" AS ("width" integer, "height" integer); or set "types" to "text" for this table.',
    ],
  },
  TYPE_MISMATCH: {
    about: 'This happens only with `"types": "native"`.',
    causes: [
      'An enum has other labels at the destination, or the same labels in another order.',
      'A domain has another base type or other checks.',
    ],
    steps: [
      "Make both types equal: `ALTER TYPE mood ADD VALUE 'late' AFTER 'ok';` or `ALTER DOMAIN ...`. Other tables may use the type.",
      'The order of labels cannot be changed. If no table at the destination uses the type, drop it there: increp creates it again.',
      'Or set `"types": "text"` for the table.',
    ],
    example: [
      "error: column \"mood\" of public.orders needs the type public.mood, which differs between the two sides: it is an enum of 'ok', 'sad' at the destination, and an enum of 'sad', 'ok' at the source (TYPE_MISMATCH)",
      '  next: Make the two types equal by ALTER TYPE on either side (other tables may use the type), or set "types" to "text" for this table.',
    ],
  },
} as const satisfies Record<string, ErrorPage>;
