/**
 * The events between the work and its listeners. `sync/` emits them and does not know the log, the terminal, the
 * history or the webhook. These listeners are connected in `pipeline/run-listeners.ts` and `commands/watch/watch-run.ts`.
 */
import type { ConflictCounts } from './conflicts.ts';
import type { ErrorCode } from './errors.ts';
import type { ObjectChange, Reason } from './reasons.ts';

export type Action = 'initial' | 'incremental' | 'reset' | 'full-refresh' | 'append' | 'skipped';

/** Whether the action continues from a cursor. */
export const continuesFromCursor = (action: string | undefined): boolean =>
  action === 'incremental' || action === 'append';

/** Whether the action is the usual one of a table that has a copy, and no new load. */
export const isRoutine = (action: string | undefined): boolean =>
  continuesFromCursor(action) || action === 'full-refresh';

export type Loader = 'pg_dump' | 'copy';
/**
 * - `single`: each occurrence is another event, such as a failover.
 * - `repeated`: new after a run without it. In each run, it counts as a condition: rows of a queue are gone in each run.
 */
export type WarningEvent = 'single' | 'repeated';
export type EventWarnings = Readonly<Partial<Record<WarningEvent, readonly string[] | undefined>>>;
export type Phase =
  | 'lock'
  | 'fence'
  | 'snapshot'
  | 'copy'
  | 'index'
  | 'merge'
  | 'deletes'
  | 'swap'
  | 'commit'
  | 'save-state'
  | 'compare';

export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  /** What to do next. */
  readonly hint: string;
  readonly sqlstate: string | undefined;
  readonly exitCode: number;
}

/** What one sync of a table read and wrote. */
export interface RowCounts {
  readonly rowsRead: number;
  readonly rowsInserted: number;
  readonly rowsUpdated: number;
  readonly rowsUnchanged: number;
  readonly rowsDeleted: number;
  /** Rows of the destination that were kept because they are newer. */
  readonly rowsNewer: number;
  /** By resolution. Undefined if the table does not record conflicts, or if no rows were merged. */
  readonly conflicts?: ConflictCounts | undefined;
  /** Bytes of COPY data that left the source. */
  readonly bytes: number;
}

/** The counts of a table without changes. */
export const NO_ROWS = {
  loader: undefined,
  rowsRead: 0,
  rowsInserted: 0,
  rowsUpdated: 0,
  rowsUnchanged: 0,
  rowsDeleted: 0,
  rowsNewer: 0,
  bytes: 0,
} as const;

/** The result of one table in one run. */
export interface TableOutcome extends RowCounts {
  /** The name in tables-config.json. */
  readonly name: string;
  /** Undefined if the pipeline has one destination. */
  readonly destination?: string;
  readonly status: 'ok' | 'failed' | 'skipped';
  readonly action: Action;
  /** The option that chooses rows. Undefined for all rows of a table. */
  readonly rowsFrom?: 'where' | 'query' | undefined;
  /** Whether deleted rows are marked and stay. */
  readonly marksDeleted?: boolean | undefined;
  /** The reasons for this action. */
  readonly reasons: readonly Reason[];
  /** The loader of the staging table, if a whole table was loaded. */
  readonly loader: Loader | undefined;
  readonly durationSeconds: number;
  /** The cursor after the run, as Postgres prints it; null while no row has a plausible key. */
  readonly cursor: string | null;
  readonly cursorBefore: string | null;
  readonly startedAt: Date;
  readonly warnings: readonly string[];
  readonly error: Failure | undefined;
  /**
   * The time limit ended before the table was done. This is neither a failure nor a success; the next run continues
   * with the table.
   */
  readonly isDeferred?: true;
  /** The run found no changes before it synced any table. Nothing was written for the table, and its state is as before. */
  readonly isQuiet?: true;
  /** The keys of both sides were compared, and the rows that the source no longer has were removed or marked. */
  readonly areDeletesDone?: true;
  /** Rows of the source that were compared in addition to the window, for example after a failover. */
  readonly rowsCompared?: number;
  /** Rows that a load in chunks read a second time, and that had not changed. */
  readonly rowsReadAgain?: number;
  /** A quiet run leaves out warnings that a run before has reported. */
  readonly hasKnownWarnings?: true;
  /** The warnings that tell of an event, such as a failover, and not of a condition that lasts. */
  readonly eventWarnings?: EventWarnings;
  /** Why the destination table has rows that are gone from the source, if the settings leave them there. */
  readonly lostRows?: string;
  /** The run read all rows of the source, and no two have the same unique key. */
  readonly hasUniqueKeys?: boolean;
  /** Indexes and constraints that the run created or dropped, or could not. */
  readonly objects?: readonly ObjectChange[];
}

export interface RunSummary {
  readonly runId: string;
  readonly pipeline: string;
  readonly status: 'ok' | 'partial' | 'failed';
  readonly startedAt: Date;
  readonly finishedAt: Date;
  /** The seconds after the end until the webhook and the healthcheck were called. Set for the printed summary. */
  readonly reportSeconds?: number;
  readonly tables: readonly TableOutcome[];
  /** Set if the run ended before or outside the tables (no connection, a signal). */
  readonly error: Failure | undefined;
  readonly warnings: readonly string[];
  /**
   * The result of each destination, if the pipeline has several. Then `tables` has each table once per destination.
   */
  readonly destinations?: readonly DestinationOutcome[];
  /** The command of this run, if a sync without its flags does less. */
  readonly repeatCommand?: string;
  /** Of a look: the tables with work, and those that were only to be counted. */
  readonly waiting?: readonly WaitingRows[];
}

/** Rows of the source that no sync of the table has copied yet. */
export interface WaitingRows {
  readonly table: string;
  /** Null if the number is not known. */
  readonly rows: number | null;
  /** There may be more. */
  readonly isMore: boolean;
}

export interface DestinationOutcome {
  readonly name: string;
  readonly status: RunSummary['status'];
  /** Why the run of this destination ended before or outside its tables. */
  readonly error: Failure | undefined;
}

/** The name of the destination, if the pipeline has several. */
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
      /** Whether a table may be loaded again because of its mode or of a flag. */
      readonly hasFullRefresh?: boolean;
      /** The names, if there are several destinations. Each destination gets all tables. */
      readonly destinations?: readonly string[];
      /** The command of the run, if a sync without its flags does less. */
      readonly repeatCommand?: string | undefined;
      /** The number of tables that are synced at the same time, if there are several. */
      readonly jobs?: number;
    }
  | (OfDestination & {
      readonly type: 'table-planned';
      readonly table: string;
      readonly action: Action;
      readonly reasons: readonly Reason[];
      /** Estimated rows at the source, if the catalog has an estimate. */
      readonly estimatedRows: number | undefined;
    })
  | (OfDestination & {
      readonly type: 'phase-started';
      readonly table: string;
      readonly phase: Phase;
      readonly detail?: string;
      /** The session or run that this phase waits for. */
      readonly waitsFor?: string;
      /** The number of loaded chunks, for a table that is loaded in chunks, and what this run has read in them. */
      readonly chunks?: {
        readonly done: number;
        readonly of: number;
        readonly rowsRead?: number;
        readonly bytes?: number;
      };
    })
  /**
   * `bytes` is the running total of one copy of one table. `earlier` of these bytes were copied by an interrupted
   * run. `rows` is an estimate, if there is one.
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
  /** One of several jobs has synced the table. Its result comes later, because the run may sync it again. */
  | (OfDestination & { readonly type: 'table-held'; readonly table: string })
  | { readonly type: 'table-finished'; readonly outcome: TableOutcome }
  | { readonly type: 'run-finished'; readonly summary: RunSummary };

export type Listener = (event: RunEvent) => void | Promise<void>;
export type Emit = (event: RunEvent) => Promise<void>;
