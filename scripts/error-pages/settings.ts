/** What the command line or the settings ask for. */
import type { ErrorPage } from './error-page.ts';

export const settings = {
  USAGE: {
    about: 'Nothing was done.',
    causes: [
      'A command, a flag or a table that is misspelt; the message names the nearest one.',
      '`increp reset` without a table, or every table excluded.',
    ],
    steps: [
      '`increp --help` lists the commands, `increp COMMAND --help` the flags of one, with examples.',
      'Tables are named as in `tables-config.json`, capitals included; quote what the shell would take apart.',
    ],
    example: [
      'error: no table "ordres" in tables-config.json; did you mean "orders"? (USAGE)',
      '  next: Name one of: orders.',
    ],
  },
  CONFIG_INVALID: {
    about:
      'Everything that is wrong is told at once, each with its file or variable and its place. Nothing was done, and no server was asked.',
    causes: [
      'A variable that is missing, or set in a file that this user or this service does not read.',
      'A misspelt key or variable.',
      'A `.env` in another directory: see `-C` and `INCREP_DIR`.',
      'A table option that needs another one.',
    ],
    steps: [
      'Correct what is listed. `increp config` shows which settings are in force and where each comes from.',
      'Under systemd or cron the environment is another one than in your shell: run it there with `env -i`, or as the service does.',
    ],
    example: [
      'error: 3 problems in the configuration (CONFIG_INVALID):',
      '  - SOURCE_PORT (.env): "many" is not a port; allowed: 1 to 65535',
      '  - DEST_HOST: not set; write DEST_HOST=warehouse.example.com in .env',
      '  - tables-config.json, [0].replikation_key (table orders): unknown key; did you mean replication_key?',
      '  next: Correct them and try again; docs/configuration.md describes every setting.',
    ],
  },
  NOT_SUPPORTED: {
    about: 'It was looked at, and refused before anything was changed.',
    causes: [
      'A server older than PostgreSQL 14.',
      'A pooler in statement mode (`pool_mode = statement`) in front of a database.',
      '`increp demo` where it can start no server: on Windows, or without a directory for it.',
    ],
    steps: ['Upgrade that server.', 'Set `pool_mode = transaction` or `session` in the pooler.'],
    example: [
      'error: the source is PostgreSQL 13.22; increp needs 14 or later (NOT_SUPPORTED)',
      'next:  Upgrade that server; PostgreSQL 13 and older get no corrections any more.',
    ],
  },
  SAME_DATABASE: {
    about: 'Found by what the servers say of themselves, not by host names. Nothing was changed.',
    causes: [
      'The lines of the source copied for the destination.',
      'Two names or addresses of one server.',
      'A `dest_schema` that is read from, or two of several destinations that are the same.',
    ],
    steps: [
      'Give the destination another `DEST_DB` or `DEST_SCHEMA`, or its real `DEST_HOST`.',
      'To see what a server is: `SELECT current_database(), inet_server_addr(), pg_postmaster_start_time();`',
    ],
    example: [
      'error: source and destination are the same: schema "public" of database "shop" on one server (SAME_DATABASE)',
      'next:  Give DEST_HOST, DEST_DB or DEST_SCHEMA another value. Nothing was changed.',
    ],
  },
  TABLE_NOT_FOUND: {
    about: 'Only this table fails; the others are synced.',
    causes: [
      'A misspelling, or capitals: unquoted names are stored in lower case.',
      'The table is in another schema than `SOURCE_SCHEMA`, and its entry has no `schema`.',
      'It was renamed or dropped at the source.',
    ],
    steps: [
      `To list what there is: \`psql -h HOST -U USER -d DB -c '\\dt SCHEMA.*'\``,
      'If it is gone for good, remove its entry or set `"enabled": false`. The copy stays.',
    ],
    example: [
      'error: the source has no table public.order; did you mean "orders"? (TABLE_NOT_FOUND)',
      'next:  Correct "name" in tables-config.json: it is written as Postgres stores it, capitals included.',
    ],
  },
  COLUMN_NOT_FOUND: {
    about:
      '`replication_key`, `unique_cols`, `columns` or `exclude_columns` names a column that is not there. The message lists those that are.',
    causes: ['A misspelling, or capitals.', 'The column was renamed or dropped at the source.'],
    steps: [
      'Correct what the message names. With another key, or other columns, the table is loaded again, altered in place or refused, as `on_schema_change` says.',
    ],
    example: [
      'error: public.orders has no column "update_at" (replication_key); did you mean "updated_at"? (COLUMN_NOT_FOUND)',
      'next:  Correct "replication_key" of table "orders" in tables-config.json. Its columns: id, total, note, updated_at.',
    ],
  },
  SQL_INVALID: {
    about:
      'The source was asked what `where`, `transform` or `query` of this table gives, and does not understand it. Nothing was read or changed; other tables are synced. [selection.md](selection.md) has examples.',
    causes: [
      'A misspelt column or function, or a type that does not fit: `where` must be true or false.',
      'A function, type or table outside of `pg_catalog` without its schema in front: `app.mask(email)`, not `mask(email)`. Nothing else is searched, whatever is set on the role.',
      'An expression of `transform` that does not make one value of one row: an aggregate, a window function, a function that returns rows.',
      'A `query` with two columns of one name, or with one that has none.',
      'A column that it needs was renamed or dropped at the source.',
    ],
    steps: [
      'The message shows the place. Try it at the source: `SET search_path = pg_catalog; SELECT (lower(email)) FROM public.customers LIMIT 1;`',
      '`increp check` looks at all tables at once and reads no row.',
    ],
    example: [
      'error: "where" of "orders": column "statu" does not exist',
      "           1 | statu = 'paid'",
      '               ^ (SQL_INVALID, SQLSTATE 42703)',
      'next:  Correct it in tables-config.json; it is evaluated by the source.',
    ],
  },
  KEY_TYPE_UNSUPPORTED: {
    about: 'A replication key must order changes, a merge key must identify a row.',
    causes: [
      'A text, boolean or UUID column as `replication_key`.',
      'A `json`, `xml` or geometric column in `unique_cols`.',
    ],
    steps: [
      `Use a timestamp, a date or an increasing integer. Where there is none, add one at the source; docs/setup.md has the trigger:

\`\`\`sql
ALTER TABLE orders ADD updated_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX CONCURRENTLY ON orders (updated_at);
\`\`\``,
      'Or read the table as a whole each time: `"mode": "full-refresh"` ([full-refresh.md](full-refresh.md)). [keys.md](keys.md) says which key sees what.',
    ],
    example: [
      'error: the replication key "note" of public.orders is text, which cannot order changes (KEY_TYPE_UNSUPPORTED)',
      'next:  Choose a column of type timestamp, timestamptz or date, or an integer that only grows.',
    ],
  },
  TYPE_UNSUPPORTED: {
    about:
      'With `"types": "native"` the destination needs the types of the source; some it must be given by hand, and some cannot be compared.',
    causes: [
      'An extension that is not installed at the destination.',
      'A composite, range or base type that increp does not make.',
      'A `numeric` with a negative scale, and a destination older than PostgreSQL 15.',
    ],
    steps: [
      'Run the statement that the message shows, at the destination.',
      'Or set `"types": "text"` for the table: such values arrive as their text.',
    ],
    example: [
      'error: column "box" of public.orders needs the composite type public.size, which the destination does not have and increp does not make (TYPE_UNSUPPORTED)',
      'next:  At the destination, run: CREATE TYPE "public"."size" AS ("width" integer, "height" integer); or set "types" to "text" for this table.',
    ],
  },
  TYPE_MISMATCH: {
    about: 'Only with `"types": "native"`.',
    causes: [
      'An enum with other labels or another order of them at the destination.',
      'A domain over another type or with other checks.',
    ],
    steps: [
      `Make them alike on one side: \`ALTER TYPE mood ADD VALUE 'late' AFTER 'ok';\` or \`ALTER DOMAIN ...\`. Other tables may use the type.`,
      'An order of labels cannot be altered: drop the type where nothing uses it, and increp makes it anew.',
    ],
    example: [
      "error: column \"mood\" of public.orders needs the type public.mood of the destination, which is not what it is at the source: there it is an enum of 'ok', 'sad', at the source an enum of 'sad', 'ok' (TYPE_MISMATCH)",
      'next:  Make them alike by ALTER TYPE on either side (other tables may use it), or set "types" to "text" for this table.',
    ],
  },
} as const satisfies Record<string, ErrorPage>;
