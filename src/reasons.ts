/**
 * Reasons for the plan of a table, as codes with data. Code decides by the codes. `report/reasons.ts` and
 * `report/shape-texts.ts` make the sentences.
 */

/** One difference of a destination table from its source or from the settings. */
export type Difference =
  /** The source, when it was last read and now. */
  /** `movedTo`: the present name of the former table. */
  | { readonly code: 'source-recreated'; readonly movedTo?: string }
  | { readonly code: 'column-dropped'; readonly column: string }
  | { readonly code: 'column-added'; readonly column: string; readonly type: string }
  | { readonly code: 'column-recreated'; readonly column: string }
  | {
      readonly code: 'column-changed';
      readonly column: string;
      readonly trait: 'type' | 'nullability' | 'collation' | 'generation' | 'identity';
      readonly from: string;
      readonly to: string;
    }
  /** Parts of a type (`Column.typeDetail`) that were removed or changed. */
  | {
      readonly code: 'type-parts-dropped';
      readonly column: string;
      readonly type: string;
      readonly parts: readonly string[];
    }
  | { readonly code: 'type-fields-changed'; readonly column: string; readonly type: string }
  /** The destination table, as it is and as it has to be. */
  /** `renamedTo`: the unknown column that may be it. */
  | { readonly code: 'column-missing'; readonly column: string; readonly renamedTo?: string }
  | {
      readonly code: 'column-type-mismatch';
      readonly column: string;
      readonly type: string;
      readonly wanted: string;
    }
  | { readonly code: 'column-not-null'; readonly column: string }
  | { readonly code: 'table-unlogged' }
  | { readonly code: 'enum-labels-missing'; readonly type: string; readonly labels: readonly string[] }
  /** The settings, at the last sync and now. */
  | {
      readonly code: 'query-changed';
      readonly from: 'table' | 'query';
      readonly to: 'table' | 'query';
    }
  | { readonly code: 'where-changed'; readonly from: string | null; readonly to: string | null }
  | {
      readonly code: 'transform-changed';
      readonly column: string;
      readonly from: string | null;
      readonly to: string | null;
    }
  /** A column of the source, and its names at the destination. */
  | {
      readonly code: 'rename-changed';
      readonly column: string;
      readonly from: string;
      readonly to: string;
    }
  | {
      readonly code: 'column-deselected' | 'column-selected';
      readonly column: string;
      readonly setting: 'columns' | 'exclude_columns';
    }
  | {
      readonly code: 'setting-changed';
      readonly setting: 'mode' | 'replication_key' | 'types' | 'unique_cols';
      readonly from: readonly string[];
      readonly to: readonly string[];
    };

/** Differences that only a change of the destination table makes. */
export const ONLY_AT_DESTINATION: readonly Difference['code'][] = [
  'column-missing',
  'column-type-mismatch',
  'column-not-null',
  'table-unlogged',
];

/** Why a destination table cannot be loaded again: it holds rows that the source does not have. */
export type ReloadHindrance =
  | { readonly code: 'holds-versions' }
  | { readonly code: 'holds-rows-of-pipelines' }
  | { readonly code: 'holds-own-rows' }
  | { readonly code: 'holds-merged-values' }
  | { readonly code: 'holds-deleted-rows' };

/** Why a change of shape cannot be made in place. */
export type EvolutionObstacle =
  | ReloadHindrance
  | { readonly code: 'rows-unknown' }
  | {
      readonly code: 'not-convertible';
      readonly column: string;
      readonly type: string;
      readonly wanted: string;
    }
  | {
      readonly code: 'key-replaced' | 'key-reordered' | 'key-nullable';
      readonly column: string;
      readonly setting: 'unique_cols' | 'replication_key';
    }
  | {
      readonly code: 'key-not-unique';
      readonly columns: readonly string[];
      readonly side: 'source' | 'destination';
    }
  | { readonly code: 'key-values-changed'; readonly columns: readonly string[] }
  | { readonly code: 'replication-key-values-changed'; readonly column: string }
  | { readonly code: 'converted-otherwise'; readonly columns: readonly string[] }
  | { readonly code: 'statement-refused'; readonly message: string };

/** Why an interrupted load in chunks cannot be continued. */
export type ResumeObstacle =
  | { readonly code: 'begun-by-another-version' }
  | { readonly code: 'begun-by-another-pipeline'; readonly pipeline: string }
  | { readonly code: 'another-source' }
  | {
      readonly code: 'setting-changed';
      readonly setting: 'mode' | 'replication_key' | 'unique_cols' | 'selection';
    }
  | { readonly code: 'source-altered' | 'source-rewritten' | 'staging-changed' | 'staging-misfit' };

/** Why a table is loaded as a whole although the settings ask for chunks. */
export type WholeLoadCause =
  | { readonly code: 'storage-without-pages' }
  | { readonly code: 'foreign-rows' }
  | { readonly code: 'extension-table'; readonly extension: string }
  | { readonly code: 'kind-without-pages'; readonly kind: string }
  | { readonly code: 'partitions-fill-locks' }
  | { readonly code: 'column-privileges-only' }
  | { readonly code: 'staging-would-be-published'; readonly publication: string }
  | { readonly code: 'no-plausible-key'; readonly replicationKey: string };

/** Why a table is loaded by COPY and not by pg_dump. */
export type CopyCause =
  | { readonly code: 'small-table' }
  | { readonly code: 'source-pooled' }
  | { readonly code: 'program-missing'; readonly program: 'pg_dump' | 'pg_restore' }
  | {
      readonly code: 'program-unusable';
      readonly program: 'pg_dump' | 'pg_restore';
      readonly fault: string;
    }
  | { readonly code: 'pg-dump-too-old'; readonly version: number; readonly server: number }
  | { readonly code: 'pg-restore-too-old'; readonly version: number; readonly pgDump: number }
  | { readonly code: 'parameter-too-new'; readonly parameter: string; readonly version: number }
  | { readonly code: 'selection'; readonly setting: string }
  | { readonly code: 'kind-without-rows'; readonly kind: string }
  | { readonly code: 'child-tables' }
  | { readonly code: 'row-versions' }
  | { readonly code: 'extension-table'; readonly extension: string }
  | { readonly code: 'column-privileges-only' }
  | {
      readonly code: 'generated-column' | 'char-column' | 'xml-column' | 'money-column';
      readonly column: string;
    }
  | { readonly code: 'password-with-line-break' };

/** Why values may have changed without a change of the replication key or of the shape. */
export type Rewritten =
  | { readonly code: 'expression-changed'; readonly column: string }
  /** Partitions came with rows below the cursor. */
  | { readonly code: 'partitions-attached'; readonly names: readonly string[] }
  /** All rows were written again, so transaction IDs do not show which values are new. */
  | { readonly code: 'file-rewritten' }
  /** Another table has the name of the destination table, for example an older copy of it. */
  | { readonly code: 'destination-replaced' };

/** Why an index or a constraint of the source is not copied to the destination. */
export type LeftOutReason =
  | { readonly code: 'not-a-table'; readonly kind: string }
  | { readonly code: 'column-not-copied' | 'column-transformed' | 'column-renamed'; readonly column: string }
  | {
      readonly code: 'column-typed-otherwise';
      readonly column: string;
      readonly type: string;
      readonly at: string;
    }
  | { readonly code: 'holds-versions' | 'holds-rows-of-pipelines' | 'unknown-form' }
  /** The table that a foreign key refers to. */
  | {
      readonly code: 'parent-not-copied' | 'parent-in-part' | 'child-keeps-rows';
      readonly table: string;
    }
  | { readonly code: 'parent-column-not-copied'; readonly table: string; readonly column: string }
  /** The default that a user has set at the destination. */
  | { readonly code: 'default-differs'; readonly at: string }
  /** The definition of the constraint. */
  | { readonly code: 'exclusion'; readonly definition: string }
  /** Only the actions of the constraint are left out, such as ON DELETE CASCADE. */
  | { readonly code: 'actions'; readonly actions: string; readonly definition: string };

/** In place of a name: each object of this kind. */
export const ANY = '*';

/** An index or a constraint of the source. */
export interface NamedObject {
  readonly kind:
    | 'index'
    | 'primary key'
    | 'unique constraint'
    | 'check constraint'
    | 'foreign key'
    /** Its name is that of the column. */
    | 'default';
  /** At the source. */
  readonly name: string;
}

/** What the next run would do for a copied object. */
export type PlannedObject = NamedObject &
  (
    | { readonly change: 'create' | 'replace' | 'drop' | 'validate' }
    | { readonly change: 'leave out'; readonly reason: LeftOutReason }
  );

/** What a run did for a copied object. */
export type ObjectChange = NamedObject &
  (
    | { readonly change: 'created' | 'replaced' | 'dropped' | 'validated' }
    /** `statement`: what was refused. `isHeld`: it was refused earlier, and this run has not tried it. */
    | {
        readonly change: 'refused';
        readonly message: string;
        readonly statement: string;
        readonly isHeld: boolean;
      }
    /** It refused the rows of the source, or their new shape. */
    | { readonly change: 'released'; readonly message: string }
    | { readonly change: 'deferred' }
  );

interface MissingRows {
  /** Whether the destination table may have kept rows that the source no longer has. */
  readonly keptRows?: true;
}

/** Why there is no cursor to continue from. */
export type NoCursor =
  | { readonly code: 'cursor-unknown' }
  /** RFC 3339. */
  | { readonly code: 'was-reset'; readonly at: string; readonly ageSeconds?: number }
  | { readonly code: 'state-file-of-another-table'; readonly table: string }
  | ({ readonly code: 'state-file-of-another-database'; readonly database: string } & MissingRows)
  | { readonly code: 'state-file-unusable'; readonly message: string };

/** What the plan does about a difference of shape. */
export type DriftAnswer =
  | { readonly kind: 'reset'; readonly obstacles: readonly EvolutionObstacle[] }
  /** `filledRows` is set after the change. */
  | { readonly kind: 'alter' | 'keep-shape'; readonly filledRows?: number };

/** A reason for a plan or for a skipped table. A plan may have several. */
export type Reason =
  | NoCursor
  | Rewritten
  | { readonly code: 'disabled' }
  | { readonly code: 'no-destination-table' }
  /** It is not one of increp. */
  | { readonly code: 'empty-destination' }
  /**
   * It was there at the last sync. `renamedTo`: the names of tables that may be it. `isRenamed`: the only one certainly is it.
   * `back`: if it is one, after the load.
   */
  | ({
      readonly code: 'destination-dropped';
      readonly renamedTo?: string;
      readonly isRenamed?: boolean;
      readonly back?: readonly string[];
    } & MissingRows)
  | ({ readonly code: 'destination-without-state' } & MissingRows)
  | { readonly code: 'full-refresh-requested' }
  /** Mode full-refresh. `unless`: how increp checks whether anything has changed. */
  | { readonly code: 'full-refresh-mode'; readonly unless?: 'transaction-ids' | 'digest' }
  | { readonly code: 'was-full-refresh-mode' }
  | ({ readonly code: 'destination-emptied' } & MissingRows)
  | { readonly code: 'rows-replaced'; readonly rows: number | undefined; readonly isMore: boolean }
  | { readonly code: 'adopted' }
  | { readonly code: 'legacy-cursor-unfit'; readonly keyType: string }
  | { readonly code: 'drift'; readonly differences: readonly Difference[]; readonly answer: DriftAnswer }
  | { readonly code: 'cursor-known' }
  /** Rows with the largest keys are gone, or their keys were set back. */
  /** `to` is null if no row has a plausible key. */
  | {
      readonly code: 'key-went-back';
      /** For a command. */
      readonly name: string;
      readonly column: string;
      readonly from: string;
      readonly to: string | null;
      readonly rowsFrom?: 'where' | 'query' | undefined;
      /** Whether `deletes` may be set to `keep`, which says that the rows stay. */
      readonly mayKeep?: boolean;
      /** How a comparison removes the rows that are gone, and whether this sync makes one. Undefined if none does. */
      readonly removal?: { readonly deletes: 'hard' | 'soft'; readonly isDue: boolean } | undefined;
    }
  /** Partitions of the source that were detached or dropped. `names`: of those that still exist. */
  | {
      readonly code: 'partitions-gone';
      readonly table: string;
      readonly count: number;
      readonly names: readonly string[];
      /** If their rows stay: the name of the table for commands. */
      readonly keeps: string | undefined;
    }
  /** --adopt or --replace for a destination table that increp has filled itself. */
  | { readonly code: 'claim-needless'; readonly flag: 'adopt' | 'replace'; readonly name: string }
  /** The column of marks of deleted rows, which `deletes` no longer fills. `keep`: no load removes the rows, either. */
  | { readonly code: 'marks-stay'; readonly column: string; readonly deletes: 'ignore' | 'keep' | 'hard' }
  | { readonly code: 'metadata-column-added' | 'metadata-column-unfilled'; readonly column: string }
  | { readonly code: 'type-created'; readonly kind: string; readonly type: string }
  | { readonly code: 'enum-labels-added'; readonly type: string; readonly labels: readonly string[] }
  /** The configuration asks for pg_dump. */
  | { readonly code: 'copy-instead'; readonly cause: CopyCause }
  | { readonly code: 'in-chunks'; readonly chunks: number }
  | {
      readonly code: 'load-continued';
      readonly done: number;
      readonly of: number;
      /** Columns that the source got meanwhile. */
      readonly later: readonly string[];
    }
  | { readonly code: 'load-restarted'; readonly obstacle: ResumeObstacle }
  /** Many rows are in the window since the beginning of the load, as in a table whose rows all have one key. */
  | { readonly code: 'rows-read-twice'; readonly rows: number; readonly column: string }
  /** RFC 3339. */
  | { readonly code: 'unchanged-since'; readonly since: string }
  /** Seconds. The table was not started. */
  | { readonly code: 'time-limit'; readonly seconds: number }
  /** Seconds. The load in chunks continues with `nextCommand`, or with the next run. */
  | {
      readonly code: 'time-limit-in-chunks';
      readonly seconds: number;
      readonly done: number;
      readonly of: number;
      readonly nextCommand: string | undefined;
    }
  | { readonly code: 'failed'; readonly message: string };
