/** Errors of one table. */
import type { ErrorPage } from './error-page.ts';

export const tables = {
  RUN_LOCKED: {
    about:
      'The table is reported as `busy` (`RUN_LOCKED`); if nothing else failed, the run exits 75. The lock ends with the transaction of the other run, so there is no lock file to remove.',
    causes: [
      'The previous run takes longer than the time between two runs. That is harmless.',
      'A run on another machine writes to the same destination.',
      'A run hangs.',
      'The commit of the last run waits for a synchronous standby of the destination. The message says so.',
    ],
    steps: [
      'Wait, or let the run wait: `increp sync --wait-lock 5m` (default `0s`; increp always waits at least 2 s)',
      'To end a run that hangs, end the process in the message, on its host: `kill PID`. After a minute, the message has the command. If only its backend is terminated, the run connects again.',
      'If that process is gone, for example because its machine was switched off, terminate the backend in the message, at the destination: `SELECT pg_terminate_backend(PID);`',
      'If a commit waits for a standby, start the standby, or remove it from `synchronous_standby_names` at the destination and run `SELECT pg_reload_conf();`',
      'To make systemd accept this exit code, set `SuccessExitStatus=75`.',
    ],
    example: [
      'busy: public.orders is being synced by another run: process 1 on host worker-1 (pipeline shop), started 2 h 0 min ago, backend 4242 of the destination (RUN_LOCKED)',
      '  next: Wait for that run; a sync with --wait-lock 5m does so. If that run hangs, end it: kill 1 on host worker-1. If that process is gone, run at the destination: SELECT pg_terminate_backend(4242).',
    ],
  },
  LOCK_TIMEOUT: {
    about:
      'increp waits five seconds for a lock, because other sessions queue behind it. To change the shape of a table, it tries for a minute.',
    causes: [
      'A migration, `VACUUM FULL`, `REINDEX` or `LOCK TABLE` holds the lock.',
      'A session left its transaction open (`idle in transaction`).',
      'Long queries read the destination table while increp changes its shape.',
    ],
    steps: [
      `If the message does not name the session, find it on that side:

\`\`\`sql
SELECT a.pid, a.application_name, a.state, a.xact_start, l.mode, a.query
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.relation = 'public.orders'::regclass;
\`\`\``,
      'Wait for the session, or end it: `SELECT pg_terminate_backend(PID);` Then run `increp sync` again.',
    ],
    example: [
      'error: destination warehouse.example.com:5432/analytics: canceling statement due to lock timeout; held by pid 4242 (psql) of postgres with AccessExclusiveLock on orders at the destination; tried 4 times (LOCK_TIMEOUT, SQLSTATE 55P03)',
      '  next: Nothing was changed. Wait for that session or end it (at the destination: SELECT pg_terminate_backend(4242)), then run increp again.',
    ],
  },
  CONFLICT: {
    about: 'Each attempt started the table again.',
    causes: [
      'Another program writes to the destination table at the same time.',
      'The source is a standby, and must replay changes to rows that increp still reads ("conflict with recovery").',
    ],
    steps: [
      "For a deadlock, the server's log names both sessions.",
      'For a standby, set `hot_standby_feedback = on` there, or a larger `max_standby_streaming_delay`.',
    ],
    example: [
      'error: destination warehouse.example.com:5432/analytics: deadlock detected; tried 4 times (CONFLICT, SQLSTATE 40P01)',
      '  next: Another session changes the same rows. The log of that server names it. Run increp again when that session is done.',
    ],
  },
  CONSTRAINT_VIOLATED: {
    about:
      'increp tried every order of changes in which the constraint could hold. The message names the constraint and the rows.',
    causes: [
      'The source does not keep the values unique.',
      'A row is gone from the source but stays at the destination (`"deletes": "ignore"` or `"soft"`), and a new row uses its value.',
      'A foreign key refers to a table that this run does not sync, or to a row that the source does not have.',
      'A row must be removed, but another table still refers to it, because `deletes` of that table is not `"hard"`.',
    ],
    steps: [
      'Run the command or the statement from the message.',
      'For foreign keys, set `"deletes": "hard"` for both tables, and sync them in the same run.',
      'With `"deletes": "soft"`, replace the constraint by a unique index with `WHERE "_deleted_at" IS NULL`.',
    ],
    example: [
      'error: unique index "users_email" of public.users at the destination refuses a row: Key (email)=(b) already exists.; the row (id) = (3) of the source conflicts with the row (id) = (2) of the destination (CONSTRAINT_VIOLATED, SQLSTATE 23505)',
      '  next: If the source has both rows, it does not keep the value unique: drop the constraint. Run at the destination: DROP INDEX public.users_email',
      '        If that row is gone or changed at the source, delete it at the destination: DELETE FROM "public"."users" WHERE "id" = \'2\'. With "deletes": "hard", each sync removes such rows. Or run:',
      '          increp verify users --repair',
    ],
  },
  SCHEMA_CHANGED: {
    about: 'Each attempt made a new plan. Nothing was copied by an old plan.',
    causes: [
      'A migration is active.',
      'Partitions are attached and detached all the time.',
      'Someone empties, drops or alters the destination table during its sync.',
      'Another run synced or reset the table at the same time.',
    ],
    steps: ['Run `increp sync` again after the change is complete.'],
    example: [
      'error: public.orders changed while increp was reading it; tried 4 times (SCHEMA_CHANGED)',
      '  next: Run increp again after the schema change is complete.',
    ],
  },
  TIMEOUT: {
    about:
      'Nothing was committed. increp turns `statement_timeout` off for its own sessions, so the limit comes from a pooler, the provider or `pg_cancel_backend()`.',
    causes: [
      'A person or a program called `pg_cancel_backend()`.',
      'The pooler has a `query_timeout` or an `idle_transaction_timeout`.',
      'The hosting provider limits long queries.',
    ],
    steps: [
      `Find the reason in the server's log: "canceling statement due to ...".`,
      "Exempt increp's roles from that program, or raise the limit of the pooler above your longest load.",
      'To read a large table in shorter statements, set `"chunk": "1GB"`.',
    ],
    example: [
      'error: destination warehouse.example.com:5432/analytics: canceling statement due to user request (TIMEOUT, SQLSTATE 57014)',
      '  next: Nothing was committed. A user cancelled the statement, or a time limit such as query_timeout of a pooler. increp disables statement_timeout itself. Check the log of that server, then run increp again.',
    ],
  },
  NO_REPLICA_IDENTITY: {
    about:
      'A publication at the destination sends updates and deletes to subscribers. The server refuses both if the table has no primary key and no other replica identity.',
    causes: [
      'The destination table has no primary key, and the publication was created after the table.',
      'Someone set `REPLICA IDENTITY NOTHING`, or dropped the index of the replica identity.',
    ],
    steps: [
      'At the destination: `ALTER TABLE orders REPLICA IDENTITY FULL;`',
      "Or remove the table from the publication, or publish inserts only: `ALTER PUBLICATION name SET (publish = 'insert');`",
    ],
    example: [
      'error: destination warehouse.example.com:5432/analytics: cannot delete from table "orders" because it does not have a replica identity and publishes deletes (NO_REPLICA_IDENTITY, SQLSTATE 55000)',
      '  next: At the destination, run: ALTER TABLE ... REPLICA IDENTITY FULL, with the name of that table.',
    ],
  },
  STAGING_NAME_CONFLICT: {
    about: 'increp changes only staging tables that it made. It marks them with a comment.',
    causes: [
      'You have a table named `<table>_stg`.',
      'With `chunk`, you have a table named `<table>_increp_window`.',
      'With `"on_schema_change": "evolve"`, you have a table named `<table>_increp_fill`.',
      'The older script left such a table.',
    ],
    steps: [
      'Look at the table at the destination: `\\d+ orders_stg`',
      'If you do not need it, drop it: `DROP TABLE orders_stg;`',
      'If you need it, rename it, or give the table another `dest_name`.',
    ],
    example: [
      'error: public.orders_stg exists at the destination, and increp did not create it: increp needs that name for its staging table (STAGING_NAME_CONFLICT)',
      '  next: Rename or drop it, or set another "dest_name" for "orders".',
    ],
  },
  DEPENDENT_OBJECTS: {
    about: 'The destination table stays as it was.',
    causes: [
      'A view uses a column that the source dropped.',
      'The destination has a view with the name of the table.',
      'A foreign key or a publication prevents the change.',
      'An object belongs to another role, so increp may not move it.',
      'An object is in a schema, or uses a schema, on which increp lacks `USAGE` or `CREATE`.',
    ],
    steps: [
      'The message has the steps: save the views that use the column, and all views that are built on them, with `pg_dump`. Drop them in the printed order, run `increp sync`, and create them again.',
      'To keep a column that the source dropped, set `"dropped_columns": "keep"` for the table. Its views stay.',
      'If the object belongs to another role, or if increp lacks a privilege, run the statements from the message instead.',
    ],
    example: [
      'error: public.orders needs a new shape, but view public.order_notes uses column "note", which increp has to remove (DEPENDENT_OBJECTS, SQLSTATE 2BP01)',
      '  next: The old table stays in use. To keep the old column with its values, set "dropped_columns": "keep" for the table. Or, to lose it:',
      '        1. Save the view:',
      '          pg_dump -s -h warehouse.example.com -p 5432 -U writer -d analytics -t public.order_notes -f views-orders.sql',
      '        2. At the destination, run: DROP VIEW public.order_notes',
      '        3. Sync the table:',
      '          increp sync orders',
      '        4. Edit views-orders.sql where it uses removed or changed columns, and run:',
      "          grep -v '^SET transaction_timeout' views-orders.sql | psql -h warehouse.example.com -p 5432 -U writer -d analytics -1 -v ON_ERROR_STOP=1 -f -   # grep: for pg_dump 17 and later",
    ],
  },
  CONFLICT_LOG: {
    about:
      'With `"conflict_log": true`, a row that increp overwrites is recorded first. If that fails, the table is not synced, and its cursor stays ([modes](modes.md#conflicts-conflict_log)).',
    causes: [
      'Columns of `_increp_conflicts` were dropped, or their types were changed.',
      'A constraint or a trigger of yours on `_increp_conflicts` refuses a row.',
      'The role of increp may not create `_increp_conflicts` in the schema of the destination table.',
    ],
    steps: [
      'Rename the table as the message says. The next sync creates it again.',
      'If the role may not create tables, create the table as another role: run `increp sync` once with that role.',
      'To sync without a record of conflicts, set `"conflict_log": false`.',
    ],
    example: [
      'error: "conflict_log" cannot write public._increp_conflicts at the destination: column "resolution" of relation "_increp_conflicts" does not exist (CONFLICT_LOG, SQLSTATE 42703)',
      '  next: Nothing of the table was changed, and the next sync brings the same rows. At the destination, run: ALTER TABLE "public"."_increp_conflicts" RENAME TO "_increp_conflicts_old". The next sync creates the table again. Or set "conflict_log" to false.',
    ],
  },
  SCHEMA_CHANGE_REFUSED: {
    about:
      'Some destination tables hold rows that the source cannot provide again: every version of a row, rows of other pipelines, their own rows, or deleted rows. For these tables, increp stops whatever `on_schema_change` says. The table stays as it was.',
    causes: [
      'A column was added, dropped or renamed at the source, or its type changed.',
      'A column of the destination table was renamed or dropped there.',
      'The table keeps deleted rows (`"deletes": "keep"` or `"soft"`), and their values or their key would not survive the change.',
      '`replication_key`, `unique_cols`, `mode`, `metadata_columns` or the selected rows and columns changed in the settings.',
    ],
    steps: [
      'If the message says that the table cannot be loaded again, run its statement, or restore the former setting ([modes](modes.md)).',
      'Otherwise, load the table again: `increp reset orders && increp sync orders`',
      'To let increp do this in future, set `"on_schema_change": "reset"`. With `"evolve"`, it alters the table in place if nothing is lost.',
    ],
    example: [
      'error: public.orders and its destination table differ: column "gift" (boolean) was added at the source (SCHEMA_CHANGE_REFUSED)',
      '  next: on_schema_change is "fail", so increp leaves the table as it is. To load the table again in its new shape:',
      '          increp reset orders',
      '        Then run:',
      '          increp sync orders',
    ],
  },
  MERGE_KEY_NOT_UNIQUE: {
    about: 'increp cannot match rows if several rows have the same key.',
    causes: [
      '`unique_cols` do not identify a row at the source.',
      'The destination table has duplicate rows. The older script could leave them.',
    ],
    steps: [
      'Find the rows, on both sides: `SELECT id, count(*) FROM orders GROUP BY 1 HAVING count(*) > 1;`',
      'If the source has duplicates, add columns to `unique_cols`.',
      'If only the destination has them, load the table again: `increp sync orders --full-refresh`',
    ],
    example: [
      'error: public.orders at the destination has several rows with the same id (MERGE_KEY_NOT_UNIQUE)',
      '  next: The table stays in use. To load it again:',
      '          increp sync orders --full-refresh',
    ],
  },
  ENCODING_MISMATCH: {
    about: 'increp never replaces characters. Nothing was changed.',
    causes: [
      'The destination database has the encoding LATIN1, SQL_ASCII or another one.',
      'The source has bytes that are not valid text in its encoding.',
    ],
    steps: [
      'The message names the table, the line and the column.',
      "Create the destination database again: `CREATE DATABASE analytics ENCODING 'UTF8' TEMPLATE template0;`",
      'Or correct the text at the source.',
    ],
    example: [
      'error: destination warehouse.example.com:5432/analytics: character with byte sequence 0xe2 0x82 0xac in encoding "UTF8" has no equivalent in encoding "LATIN1" [COPY orders_stg, line 10, column note] (ENCODING_MISMATCH, SQLSTATE 22P05)',
      '  next: Nothing was changed. Create the destination database with ENCODING UTF8, or correct that text at the source.',
    ],
  },
  DESTINATION_NOT_OURS: {
    about:
      'increp has no state of this table, or source and destination are probably swapped. Nothing was changed.',
    causes: [
      'Source and destination are swapped. If the source has the state of a pipeline, the message says so, and the first sync writes no table of the pipeline.',
      'The table belongs to another program or to a person.',
      'Another tool copied the table.',
      'increp copied the table, but its state row and its state file were deleted.',
    ],
    steps: [
      'Check both addresses in the message: rows go from the source to the destination.',
      'See what would happen to the table: `increp plan orders --adopt` or `increp plan orders --replace`',
      'To leave the table as it is, give the entry another `dest_name` or `dest_schema`.',
      'To keep the table and repair its rows, if it has the columns of the source: `increp sync orders --adopt`',
      'To delete the rows of the table and load it again: `increp sync orders --replace`',
      'If the message says that source and destination are probably swapped, and the direction is right, add `--force`. For tables without rows: `increp sync --force`',
    ],
    example: [
      'error: public.orders at the destination has 1 row, and increp has no state of it: a sync would replace its rows (DESTINATION_NOT_OURS)',
      '  next: Rows go from db.example.com:5432/shop to warehouse.example.com:5432/analytics. If that is the wrong direction, exchange the SOURCE_ and DEST_ settings.',
      '        To leave the table as it is, set another "dest_name".',
      '        To keep orders and make its rows those of the source:',
      '          increp sync orders --adopt',
      '        To delete all rows of orders (1 row) and load it again:',
      '          increp sync orders --replace',
    ],
  },
  DELETE_LIMIT_EXCEEDED: {
    about:
      'No row was removed. An incremental sync still copied the changes. A load left the table as it was.',
    causes: [
      'Many rows were deleted at the source.',
      'Many rows no longer match `where`, for example because `where` was changed, or because it selects recent rows and they became older ([recent rows](large-tables.md#copy-only-recent-rows)).',
      'The source is wrong: an empty restore, a view with another condition, or another database.',
      'You purge the source and keep the history at the destination, and the table is about to be loaded again.',
    ],
    steps: [
      'See which rows would go: `increp verify orders`',
      'If the rows may go: `increp sync orders --deletes --force`. For a load, use the command in the message.',
      'To keep rows that are gone from the source, set `"deletes": "keep"` ([modes](modes.md#keep-deleted-rows-deletes-keep)).',
      'To allow more at each sync, raise `delete_limit`. In mode `full-refresh`, 1 lets a sync empty the table.',
    ],
    example: [
      'error: public.orders has at least 8 of 10 rows that the source no longer has, which is over delete_limit (0.5); none was removed (DELETE_LIMIT_EXCEEDED)',
      '  next: All other changes were synced. To see these rows:',
      '          increp verify orders',
      '        If the source is right:',
      '          increp sync orders --deletes --force',
    ],
  },
} as const satisfies Record<string, ErrorPage>;
