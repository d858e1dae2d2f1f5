/** A run: its state, its tools, its end. */
import type { ErrorPage } from './error-page.ts';

export const runs = {
  STATE_MISMATCH: {
    about: 'A cursor of another source would skip rows, so it is not used. Nothing was changed.',
    causes: [
      'The pipeline has another name: the directory was renamed or copied, and `PIPELINE_NAME` is not set.',
      'Two pipelines write the same table.',
      'The source was moved to another server or database.',
    ],
    steps: [
      'The same pipeline: set `PIPELINE_NAME` to the former name.',
      'Another source: `increp reset orders && increp sync orders` loads the table from there.',
      'Two pipelines: give one of them another `DEST_SCHEMA` or `dest_name`. If both are to fill one table, both need `_source` in `metadata_columns` ([modes.md](modes.md)).',
    ],
    example: [
      'error: the state of public.orders in the destination belongs to pipeline "shop", and this is "shop-2" (STATE_MISMATCH)',
      'next:  Set PIPELINE_NAME=shop if it is the same one, give this one another destination, or forget that state: increp reset orders',
    ],
  },
  STATE_NOT_WRITABLE: {
    about: 'Nothing was synced: a run that cannot keep its cursors would surprise later.',
    causes: [
      'Another user ran increp before (root, for example).',
      'A read-only file system, or `ProtectSystem=strict` without `StateDirectory`.',
      'Something else with that name.',
    ],
    steps: [
      '`ls -ld sync-state && id`',
      '`sudo chown -R increp: sync-state`, or set `STATE_DIR` to a directory of that user.',
    ],
    example: [
      "error: the state directory /srv/pipelines/shop/sync-state cannot be written: EEXIST: file already exists, mkdir '/srv/pipelines/shop/sync-state' (STATE_NOT_WRITABLE)",
      'next:  Give the user that runs increp the right to write there, or set STATE_DIR.',
    ],
  },
  DUMP_FAILED: {
    about: 'The words are those of `pg_dump` or `pg_restore`. The former copy serves.',
    causes: [
      'A `pg_dump` or `pg_restore` that is broken, or another program of that name in `PATH`.',
      'A privilege that `pg_dump` needs and `COPY` does not.',
      'A machine without memory or room.',
    ],
    steps: [
      '`type -a pg_dump pg_restore; pg_dump --version; pg_restore --version`',
      '`"initial_load": "copy"` for this table does without `pg_dump`.',
    ],
    example: [
      'error: dumping public.orders from the source db.example.com:5432/shop: pg_dump ended with 1: pg_dump: error: out of memory (DUMP_FAILED)',
      'next:  Mend what it says, or set initial_load: "copy" for this table, which does not need pg_dump.',
    ],
  },
  NOT_SYNCED: {
    about: '`verify` compares what a sync has made.',
    causes: [
      'The table was never synced.',
      'It was dropped or reset, or a load in chunks is not at its end.',
    ],
    steps: ['`increp sync orders`, then `increp verify orders`.'],
    example: [
      'error: table "orders" has no copy to compare: there is no destination table yet (NOT_SYNCED)',
      '  next: Run "increp sync orders" first.',
    ],
  },
  VERIFY_FAILED: {
    about: '`sync --verify` found it before the commit, so nothing of this run stays.',
    causes: [
      'A trigger or rule on the copy that alters or drops rows.',
      'Somebody wrote to the copy in the same moment.',
      'A bug.',
    ],
    steps: [
      `At the destination: \`SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'public.orders'::regclass AND NOT tgisinternal;\``,
      'Drop what alters rows there, or make it a view on the copy.',
      'If there is none, please report it with the types of the columns.',
    ],
    example: [
      'error: the row ["11"] of public.orders did not arrive as it is at the source (changed) (VERIFY_FAILED)',
      "next:  Nothing was committed. If a trigger or rule of public.orders at the destination alters rows, drop it there; else please report this with the types of the table's columns.",
    ],
  },
  ROW_COUNT_MISMATCH: {
    about: 'Nothing was changed.',
    causes: [
      'A `pg_dump` or `pg_restore` that ends well without having done its work, such as a wrapper script in `PATH`.',
    ],
    steps: ['`type -a pg_dump pg_restore`', '`"initial_load": "copy"` for this table; and please report it.'],
    example: [
      'error: public.orders has some rows to copy and 0 arrived (ROW_COUNT_MISMATCH)',
      'next:  Nothing was changed. Try initial_load: "copy", and please report this.',
    ],
  },
  INTERRUPTED: {
    about: 'What was unfinished was rolled back, locks are released, children have ended.',
    causes: ['Ctrl-C (130), SIGTERM by systemd, Kubernetes or a timeout (143), a closed terminal (129).'],
    steps: [
      'Nothing: the next run continues.',
      'If it comes from a time limit (`TimeoutStartSec`, `activeDeadlineSeconds`, `timeout`), raise that, or load large tables in chunks.',
    ],
    example: [
      'error: stopped by SIGTERM (INTERRUPTED)',
      'next:  What was unfinished was rolled back; the next "increp sync" continues where the last one ended.',
    ],
  },
  INTERNAL: {
    about: 'An error that increp has no words for. What was unfinished was rolled back.',
    causes: ['A bug of increp, or of Node in this environment.'],
    steps: [
      'Run the same command with `-v` and report what it prints, with `increp --version`. Secrets are hidden in it.',
      '`increp sync` again does no harm.',
    ],
    example: [
      'error: source db.example.com:5432/shop: a is not a function (INTERNAL)',
      '  next: This is a bug. Please report it with the output of the same command with -v.',
    ],
  },
} as const satisfies Record<string, ErrorPage>;
