/** Errors of a run: its state, its tools and its end. */
import type { ErrorPage } from './error-page.ts';

export const runs = {
  STATE_MISMATCH: {
    about: 'A cursor of another source would skip rows, so increp does not use it. Nothing was changed.',
    causes: [
      'The pipeline has a new name: its directory was renamed or copied, and `PIPELINE_NAME` is not set.',
      'Two pipelines write the same table.',
      'The source was moved to another server or database.',
      '`DEST_URL` or `DEST_DB` names a database of another name, or `DEST_SCHEMA` another schema, and the pipeline has written nothing there.',
    ],
    steps: [
      'If it is the same pipeline, set `PIPELINE_NAME` to its former name.',
      'If the source moved to another server or database, load the table from there: `increp reset orders --force && increp sync orders`',
      'If the destination moved to a database of another name or to another schema, load all tables there: `increp sync --full-refresh`. A database that was created again under its former name needs no flag.',
      'If the state files were copied from the directory of another pipeline, move them away. To continue that pipeline here, set its `PIPELINE_NAME`.',
      'If two pipelines write the table, set another `DEST_SCHEMA`, `dest_schema` or `dest_name` in one of them.',
      'To take over the table of another pipeline, discard its state: `increp reset orders --force && increp sync orders`. Without `--force`, `reset` ends with this error.',
      'If two pipelines are meant to fill one table, both need `_source` in `metadata_columns` ([modes](modes.md)).',
    ],
    example: [
      'error: the state of public.orders at the destination belongs to pipeline "shop", and this is "shop-2" (STATE_MISMATCH)',
      '  next: If this is the same pipeline, set PIPELINE_NAME=shop. If not, set another DEST_SCHEMA, "dest_schema" or "dest_name". To take over the destination table and discard the state of "shop":',
      '          increp reset orders --force',
    ],
  },
  STATE_NOT_WRITABLE: {
    about: 'increp stops before the first table, because it could not save the cursors.',
    causes: [
      'The directory belongs to another user.',
      'The file system is read-only, or systemd has `ProtectSystem=strict` without `StateDirectory`.',
      'A file has the name of the directory. The message then says `it already exists`.',
    ],
    steps: [
      'Compare the owner of the directory with your user: `ls -ld sync-state && id`',
      'Give the directory to the user that runs increp: `sudo chown -R increp sync-state`',
      'If the directory already belongs to that user, correct its mode: `chmod -R u+rwX sync-state`',
      'Or set `STATE_DIR` to a directory of that user.',
    ],
    example: [
      'error: the state directory /srv/pipelines/shop/sync-state cannot be written: it is not a directory; no sync starts without a place for its cursors (STATE_NOT_WRITABLE)',
      '  next: Move the file /srv/pipelines/shop/sync-state to another place. Or set STATE_DIR.',
    ],
  },
  DUMP_FAILED: {
    about:
      'The message quotes what `pg_dump` or `pg_restore` printed. The destination table stays as it was.',
    causes: [
      '`pg_dump` or `pg_restore` is broken, or another program in `PATH` has that name.',
      '`pg_dump` needs a privilege that `COPY` does not need.',
      'This machine has no memory or disk space left.',
    ],
    steps: [
      'Check which programs increp finds: `type -a pg_dump pg_restore; pg_dump --version; pg_restore --version`',
      'To load this table without `pg_dump`, set `"initial_load": "copy"`.',
    ],
    example: [
      'error: dumping public.orders from the source db.example.com:5432/shop: pg_dump ended with 1: pg_dump: error: out of memory (DUMP_FAILED)',
      '  next: Fix the reported problem. Or set "initial_load" to "copy" for this table, which does not need pg_dump.',
    ],
  },
  NOT_SYNCED: {
    about: '`verify` compares only tables that a sync has completed.',
    causes: [
      'The table was never synced.',
      'The table was dropped or reset.',
      'A load in chunks is not complete yet.',
    ],
    steps: ['Sync the table first: `increp sync orders && increp verify orders`'],
    example: [
      'error: table "orders" cannot be compared: there is no destination table yet (NOT_SYNCED)',
      '  next: First run:',
      '          increp sync orders',
    ],
  },
  VERIFY_FAILED: {
    about: '`sync --verify` compared the rows before the commit. The changes of this table were rolled back.',
    causes: [
      'A trigger or rule on the destination table changes or drops rows.',
      'Another session wrote to the destination table during the sync.',
      'increp has a bug.',
    ],
    steps: [
      "List the triggers at the destination: `SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'public.orders'::regclass AND NOT tgisinternal;`",
      'Drop the trigger that changes rows. A view on the destination table can do the same work.',
      'If the table has no such trigger or rule, please report the error with the types of the columns.',
    ],
    example: [
      'error: the row ["11"] of public.orders differs from the source after it was copied (changed) (VERIFY_FAILED)',
      "  next: Nothing was committed. If a trigger or rule of public.orders at the destination changes rows, drop it. Otherwise, please report this with the types of the table's columns.",
    ],
  },
  ROW_COUNT_MISMATCH: {
    about: 'Nothing was changed.',
    causes: [
      '`pg_dump` or `pg_restore` reported success without its work, as a wrapper script in `PATH` can do.',
    ],
    steps: [
      'Check which programs increp finds: `type -a pg_dump pg_restore`',
      'Set `"initial_load": "copy"` for this table, and please report the error.',
    ],
    example: [
      'error: public.orders has some rows to copy, but 0 arrived (ROW_COUNT_MISMATCH)',
      '  next: Nothing was changed. Set "initial_load": "copy", and please report this.',
    ],
  },
  INTERRUPTED: {
    about: 'Work that was not committed was rolled back, and all locks were released.',
    causes: [
      'You pressed Ctrl-C (exit code 130).',
      'systemd, Kubernetes or `timeout` sent SIGTERM (exit code 143).',
      'The terminal was closed (exit code 129).',
      'The process was killed, often because the machine had no memory left. Then only `history` and `status` show the error, with the table.',
    ],
    steps: [
      'No fix is needed: the next run continues.',
      'If the run had `--full-refresh`, `--deletes` or `--verify`, repeat the command with the same flags: a sync without them is incremental.',
      'If the process was killed, look for `out of memory` in the log of that machine (`journalctl -k`).',
      'If a time limit stops each run (`TimeoutStartSec`, `activeDeadlineSeconds`, `timeout`), raise it or load large tables in chunks.',
    ],
    example: [
      'interrupted: stopped by SIGTERM (INTERRUPTED)',
      '  next: Work that was not committed was rolled back. The next "increp sync" continues from there.',
    ],
  },
  INTERNAL: {
    about: 'Unfinished work was rolled back.',
    causes: ['increp met an error that it does not know. It is a bug in increp, or in Node on this machine.'],
    steps: [
      'Run the same command with `-v`. Please report its output and that of `increp --version`; secrets are hidden.',
      'You can run `increp sync` again: it does no harm.',
    ],
    example: [
      'error: source db.example.com:5432/shop: a is not a function (INTERNAL)',
      '  next: This is a bug. Please report it with the output of the same command with -v.',
    ],
  },
} as const satisfies Record<string, ErrorPage>;
