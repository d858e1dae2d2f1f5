/** One table, and what stands in its way. */
import type { ErrorPage } from './error-page.ts';

export const tables = {
  RUN_LOCKED: {
    about:
      'Two runs never write the same table. The lock ends with the transaction that holds it, so nothing needs to be removed by hand.',
    causes: [
      'The run before takes longer than the time between two runs. That is harmless.',
      'A run on another machine for the same destination.',
      'A run that hangs.',
      'A commit of the last run waits for a synchronous standby of the destination that is away. The message says so.',
    ],
    steps: [
      'Wait, or `increp sync --wait-lock 5m`.',
      'The message names the process, its machine and its backend. To end it: `SELECT pg_terminate_backend(PID);` at the destination.',
      'If a commit waits for a standby: bring it back, or take it out of `synchronous_standby_names` at the destination.',
      'In systemd: `SuccessExitStatus=75`.',
    ],
    example: [
      'error: public.orders is being synced by another run: increp shop 4242@worker-1 (backend 4242 of the destination) (RUN_LOCKED)',
      'next:  Wait for it, or run with --wait-lock 5m. If it hangs, end it, and its lock is gone; at the destination: SELECT pg_terminate_backend(4242).',
    ],
  },
  LOCK_TIMEOUT: {
    about:
      'increp queues for a lock for five seconds, four times, so that those who wait behind it are not held up.',
    causes: [
      'A migration, `VACUUM FULL`, `REINDEX` or `LOCK TABLE`.',
      'A transaction left open: `idle in transaction`.',
      'Long queries on the copy while it takes another shape.',
    ],
    steps: [
      `The message names who holds it where that is known. Else, on that side:

\`\`\`sql
SELECT a.pid, a.application_name, a.state, a.xact_start, l.mode, a.query
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.relation = 'public.orders'::regclass;
\`\`\``,
      'Wait for it or `SELECT pg_terminate_backend(PID);`, then run `increp sync` again.',
    ],
    example: [
      'error: destination warehouse.example.com:5432/analytics: canceling statement due to lock timeout; held by pid 4242 (psql) of postgres with AccessExclusiveLock on orders at the destination; tried 4 times (LOCK_TIMEOUT, SQLSTATE 55P03)',
      'next:  Nothing was changed. Wait for it or end it (at the destination: SELECT pg_terminate_backend(4242)), then run increp again.',
    ],
  },
  CONFLICT: {
    about: 'Tried four times, from the start of the table each time.',
    causes: [
      'Another program that writes the copy at the same time.',
      'A standby as the source that must replay what our snapshot still sees ("conflict with recovery").',
    ],
    steps: [
      'The log of the server names both sides of a deadlock.',
      'For a standby: `hot_standby_feedback = on` there, or a larger `max_standby_streaming_delay`.',
    ],
    example: [
      'error: destination warehouse.example.com:5432/analytics: deadlock detected; tried 4 times (CONFLICT, SQLSTATE 40P01)',
      "next:  Another session works on the same rows: that server's log names it. Run increp again when it is done.",
    ],
  },
  CONSTRAINT_VIOLATED: {
    about:
      'A unique, exclusion or foreign key constraint that people put on a destination table refuses what the source holds. increp has tried every order in which the constraint could hold. The message names the constraint and the rows.',
    causes: [
      'The source does not keep the values unique.',
      'A row that is gone from the source stays at the destination (`"deletes": "ignore"` or `"soft"`), and its value is used again.',
      'A foreign key refers to a table that this run does not sync, or to a row that the source does not have.',
      'A row has to be removed while rows of another table still refer to it, because `deletes` of that table is not `"hard"`.',
    ],
    steps: [
      'Run the command or statement that the message names.',
      'Set `"deletes": "hard"` for the tables between which foreign keys point, and sync them in the same run.',
      'With `"deletes": "soft"`, make the constraint a unique index with `WHERE "_deleted_at" IS NULL`.',
    ],
    example: [
      'error: unique index "users_email" of public.users at the destination refuses a row: Key (email)=(b) already exists.; the row (id) = (3) of the source meets the row (id) = (2) of the destination (CONSTRAINT_VIOLATED, SQLSTATE 23505)',
      'next:  If that row is gone from the source, or has another value there, "increp verify users --repair" puts it right; or at the destination: DELETE FROM "public"."users" WHERE "id" = \'2\'. With "deletes": "hard" each sync does so.',
    ],
  },
  SCHEMA_CHANGED: {
    about: 'Nothing was copied by a plan that was no longer true. It was planned anew four times.',
    causes: [
      'Migrations that run just now.',
      'Partitions that are attached and detached all the time.',
      'The destination table is emptied, dropped or altered by hand during its sync.',
      'Two runs on the same table, one after the other.',
    ],
    steps: ['Run `increp sync` again when they are through.'],
    example: [
      'error: public.orders changed while increp was reading it; tried 4 times (SCHEMA_CHANGED)',
      'next:  Run increp again after the schema change is complete.',
    ],
  },
  TIMEOUT: {
    about:
      'increp lifts `statement_timeout` for its own sessions, so somebody or something else cancelled it. Nothing was committed.',
    causes: [
      '`pg_cancel_backend()` by a person or a watchdog.',
      '`query_timeout` or `idle_transaction_timeout` of a pooler.',
      "A hoster's limit on long queries.",
    ],
    steps: [
      'The log of that server says who: "canceling statement due to ...".',
      "Take increp's roles out of the watchdog, or raise the pooler's limit above your longest copy.",
      'A large table is read in shorter statements with `"initial_load": "copy"` and `"chunk": "1GB"`.',
    ],
    example: [
      'error: destination warehouse.example.com:5432/analytics: canceling statement due to user request (TIMEOUT, SQLSTATE 57014)',
      "next:  Nothing was committed. Someone cancelled it, or a limit did, as a pooler's query_timeout: increp lifts statement_timeout for itself. See that server's log, then run increp again.",
    ],
  },
  NO_REPLICA_IDENTITY: {
    about:
      'A publication at the destination sends updates and deletes of this table to subscribers. The server refuses both in a table without a primary key, unless it has another replica identity.',
    causes: [
      'The publication is younger than the destination table, which has no primary key. A table that increp makes under a publication of all tables or of its schema gets `REPLICA IDENTITY FULL` where it has no primary key.',
      'Somebody set `REPLICA IDENTITY NOTHING`, or dropped the index of the replica identity.',
    ],
    steps: [
      'At the destination: `ALTER TABLE orders REPLICA IDENTITY FULL;`',
      "Or take the table out of the publication, or publish inserts only: `ALTER PUBLICATION name SET (publish = 'insert');`",
    ],
    example: [
      'error: destination warehouse.example.com:5432/analytics: cannot delete from table "orders" because it does not have a replica identity and publishes deletes (NO_REPLICA_IDENTITY, SQLSTATE 55000)',
      'next:  At the destination, run: ALTER TABLE ... REPLICA IDENTITY FULL, with the name of that table.',
    ],
  },
  STAGING_NAME_CONFLICT: {
    about: 'increp never touches a table that it did not make. Its own bear a comment that says so.',
    causes: [
      'A table of yours with the name `<table>_stg` (or `<table>_increp_window` with `chunk`, `<table>_increp_fill` with `"on_schema_change": "evolve"`).',
      'One that the older script left behind.',
    ],
    steps: [
      'Look at it, at the destination: `\\d+ orders_stg`',
      'If nobody needs it: `DROP TABLE orders_stg;` Else rename it, or give the table another `dest_name`.',
    ],
    example: [
      'error: public.orders_stg exists at the destination and was not made by increp, which needs that name (STAGING_NAME_CONFLICT)',
      'next:  Rename or drop it, or give "orders" another "dest_name".',
    ],
  },
  DEPENDENT_OBJECTS: {
    about: 'The old copy goes on serving; nothing was changed.',
    causes: [
      'A view where the copy should be.',
      'Something built on the copy that does not fit its new shape: a view that reads a dropped column, a foreign key, a publication, an object of another owner.',
    ],
    steps: [
      'The message names the object. Save its definition (`pg_get_viewdef`, `\\d+`, `pg_dump --schema-only -t`), drop or change it, run `increp sync`, and create it anew.',
    ],
    example: [
      'error: public.orders at the destination is a view, not a table that increp can fill (DEPENDENT_OBJECTS)',
      'next:  Rename it, or give this table another "dest_name".',
    ],
  },
  SCHEMA_CHANGE_REFUSED: {
    about:
      'With `"on_schema_change": "fail"` a person decides. So does one where the copy holds what its source cannot give again: every version of a row, rows of other pipelines, or rows of its own ([modes.md](modes.md)). The copy stays as it was.',
    causes: [
      'A column was added, dropped, renamed or has another type at the source.',
      '`replication_key`, `unique_cols`, `mode`, `_source` in `metadata_columns`, or what is selected of the source was changed.',
    ],
    steps: [
      'Where the message says that the table cannot be loaded again: the statement that it gives, or the setting back as it was.',
      'Else, to load the table again in its new shape: `increp reset orders && increp sync orders`',
      'To have that done by itself from now on: `"on_schema_change": "reset"`, or `"evolve"` to alter the copy in place where that loses nothing.',
    ],
    example: [
      'error: public.orders and its copy differ: column "gift" (boolean) was added at the source (SCHEMA_CHANGE_REFUSED)',
      'next:  To load the table again in its new shape, run "increp reset orders" and "increp sync orders": on_schema_change is "fail".',
    ],
  },
  MERGE_KEY_NOT_UNIQUE: {
    about: 'Rows cannot be matched if several have the same key.',
    causes: [
      '`unique_cols` do not identify a row at the source.',
      'A copy with doubled rows, as the older script could leave.',
    ],
    steps: [
      'Look for them, on both sides: `SELECT id, count(*) FROM orders GROUP BY 1 HAVING count(*) > 1;`',
      'If the source has them, add columns to `unique_cols`. If only the copy has them: `increp sync orders --full-refresh`',
    ],
    example: [
      'error: public.orders at the destination has several rows with the same id (MERGE_KEY_NOT_UNIQUE)',
      'next:  The table goes on serving. Run "increp sync orders --full-refresh" to make it a true copy.',
    ],
  },
  ENCODING_MISMATCH: {
    about: 'A text is never altered to something that fits. Nothing was changed.',
    causes: [
      'A destination database in LATIN1, SQL_ASCII or the like.',
      'Bytes at the source that are no text of its encoding.',
    ],
    steps: [
      'The message names the table, the line and the column.',
      `Make the destination anew: \`CREATE DATABASE analytics ENCODING 'UTF8' TEMPLATE template0;\``,
      'Or correct the text at the source.',
    ],
    example: [
      'error: destination warehouse.example.com:5432/analytics: character with byte sequence 0xe2 0x82 0xac in encoding "UTF8" has no equivalent in encoding "LATIN1" [COPY orders_stg, line 10, column note] (ENCODING_MISMATCH, SQLSTATE 22P05)',
      'next:  Nothing was changed. Make the destination database with ENCODING UTF8, or correct that text at the source.',
    ],
  },
  DESTINATION_NOT_OURS: {
    about: 'increp did not fill this table, as far as it can tell. Nothing was changed.',
    causes: [
      'Source and destination are exchanged.',
      'The table belongs to another program or to people.',
      'It is a copy that another tool has made.',
      'It is a copy that increp has made, and both its state row and its state file are gone.',
    ],
    steps: [
      'Read both addresses in the message: rows flow from the source to the destination.',
      'To see what would become of the table: `increp plan orders --adopt` or `increp plan orders --replace`',
      'To keep the table and make its rows those of the source: `increp sync orders --adopt`',
      'To load it again: `increp sync orders --replace`',
      'If the table is not meant: another `dest_name` or `dest_schema`.',
    ],
    example: [
      'error: public.orders at the destination has 1 row and increp has no state of it: a sync would replace its content (DESTINATION_NOT_OURS)',
      'next:  Are source and destination the right way round? The source is db.example.com:5432/shop, the destination is warehouse.example.com:5432/analytics. To keep the table and make its rows those of the source, run "increp sync orders --adopt". To load it again, run "increp sync orders --replace". Or give the table another "dest_name".',
    ],
  },
  DELETE_LIMIT_EXCEEDED: {
    about:
      'No row was removed. At an incremental sync, everything else of the table was synced. A table that was to be loaded again stays as it is.',
    causes: [
      'Many rows were really deleted at the source.',
      'The source is not what it was: an empty restore, a view with another condition, the wrong database.',
      'The source is purged and the copy is the archive, and now the table is about to be loaded again.',
    ],
    steps: [
      'Look at what would go: `increp verify orders`',
      'If the source is right: `increp sync orders --deletes --force`, or for a load the command of the message.',
      'To keep rows that were purged when the shape changes: `"on_schema_change": "evolve"`.',
      'To allow more in general: `delete_limit`.',
    ],
    example: [
      'error: more than 5 rows of public.orders are gone from the source, which is over delete_limit (0.5); none was removed (DELETE_LIMIT_EXCEEDED)',
      'next:  If the source is right, run "increp sync orders --deletes --force". Everything else was synced.',
    ],
  },
} as const satisfies Record<string, ErrorPage>;
