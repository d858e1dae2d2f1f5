/**
 * The seam between the work and everything that watches it. `sync/` emits these and knows nothing of logs,
 * terminals, history or webhooks; those are listeners, wired in `commands/watch-run.ts`.
 */
import type { ErrorCode } from './errors.ts';
import type { Reason } from './reasons.ts';

export type Action = 'initial' | 'incremental' | 'reset' | 'full-refresh' | 'append' | 'skipped';
export type Loader = 'pg_dump' | 'copy';
export type Phase =
  'lock' | 'fence' | 'snapshot' | 'copy' | 'index' | 'merge' | 'deletes' | 'swap' | 'commit' | 'save-state';

export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  /** What to do next. */
  readonly hint: string;
  readonly sqlstate: string | undefined;
  readonly exitCode: number;
}

/** What happened to one table in one run. */
export interface TableOutcome {
  /** As written in tables-config.json. */
  readonly name: string;
  /** Undefined where the pipeline has one. */
  readonly destination?: string;
  readonly status: 'ok' | 'failed' | 'skipped';
  readonly action: Action;
  /** Why this action. */
  readonly reasons: readonly Reason[];
  /** What filled the staging table, when a whole table was loaded. */
  readonly loader: Loader | undefined;
  readonly rowsRead: number;
  readonly rowsInserted: number;
  readonly rowsUpdated: number;
  readonly rowsUnchanged: number;
  readonly rowsDeleted: number;
  /** Rows of the destination that were left alone because they are newer. */
  readonly rowsNewer: number;
  /** Bytes of COPY data that left the source. */
  readonly bytes: number;
  readonly durationSeconds: number;
  /** The cursor after the run, as Postgres printed it; null while no row has a plausible key. */
  readonly cursor: string | null;
  readonly cursorBefore: string | null;
  readonly startedAt: Date;
  readonly warnings: readonly string[];
  readonly error: Failure | undefined;
  /** The time limit was over before it was done: neither a failure nor a success, and the next run goes on with it. */
  readonly isDeferred?: true;
}

export interface RunSummary {
  readonly runId: string;
  readonly pipeline: string;
  readonly status: 'ok' | 'partial' | 'failed';
  readonly startedAt: Date;
  readonly finishedAt: Date;
  readonly tables: readonly TableOutcome[];
  /** Set when the run ended before or outside the tables (no connection, a signal). */
  readonly error: Failure | undefined;
  readonly warnings: readonly string[];
  /** Where the pipeline has several: what came of each. Then `tables` has each table once for each of them. */
  readonly destinations?: readonly DestinationOutcome[];
}

export interface DestinationOutcome {
  readonly name: string;
  readonly status: RunSummary['status'];
  /** Why its run ended before or outside its tables. */
  readonly error: Failure | undefined;
}

/** Where the pipeline has several destinations. */
interface OfDestination {
  readonly destination?: string;
}

export type RunEvent =
  | {
      readonly type: 'run-started';
      readonly runId: string;
      readonly pipeline: string;
      readonly startedAt: Date;
      readonly tables: readonly string[];
      /** Where there are several: each gets all of the tables. */
      readonly destinations?: readonly string[];
    }
  | (OfDestination & {
      readonly type: 'table-planned';
      readonly table: string;
      readonly action: Action;
      readonly reasons: readonly Reason[];
      /** Estimated rows at the source, where the catalog knows. */
      readonly estimatedRows: number | undefined;
    })
  | (OfDestination & {
      readonly type: 'phase-started';
      readonly table: string;
      readonly phase: Phase;
      readonly detail?: string;
      /** Who has to let go before it goes on. */
      readonly waitsFor?: string;
      /** Of a table that is copied in chunks, how many are there. */
      readonly chunks?: { readonly done: number; readonly of: number };
    })
  /**
   * `bytes` counts up over one copy of one table; `earlier` of them are those of a run that was broken off. `rows` is about
   * how many rows that is, where it shows.
   */
  | (OfDestination & {
      readonly type: 'rows-copied';
      readonly table: string;
      readonly bytes: number;
      readonly rows?: number;
      readonly earlier?: number;
    })
  | (OfDestination & {
      readonly type: 'warning';
      readonly table: string | undefined;
      readonly message: string;
    })
  | (OfDestination & {
      readonly type: 'retrying';
      readonly table: string | undefined;
      readonly attempt: number;
      readonly delaySeconds: number;
      readonly error: Failure;
    })
  | { readonly type: 'table-finished'; readonly outcome: TableOutcome }
  | { readonly type: 'run-finished'; readonly summary: RunSummary };

export type Listener = (event: RunEvent) => void | Promise<void>;
export type Emit = (event: RunEvent) => Promise<void>;
