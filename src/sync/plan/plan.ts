/** The plan of a table: what a sync does, and why. */
import type { Claim } from '../facts/unclaimed.ts';
import type { Action } from '../../events.ts';
import type { IncrepError } from '../../errors.ts';
import type { EvolutionObstacle, Reason, Rewritten } from '../../reasons.ts';
import type { Evolution } from '../../schema/evolution.ts';
import type { KeyType } from '../../schema/keys.ts';
import type { Relation } from '../../schema/relations.ts';
import type { Shape } from '../../schema/shape.ts';
import type { KeyedRecord } from '../../schema/state-record.ts';
import type { Chunking } from './chunk-choice.ts';
import type { LoaderChoice } from './loader-choice.ts';
import type { UnchangedCheck } from './unchanged-check.ts';

/** How the loaded rows reach the destination table. */
export type Way =
  /** There is no destination table yet: the staging table takes its name. */
  | 'create'
  /** The table stays, with its dependent objects. The rows that differ are changed in place. */
  | 'merge-whole'
  /** The columns change: the staging table replaces the table. */
  | 'swap'
  /**
   * The table holds rows that cannot be loaded again. It gets columns and an index in place, and keeps all its rows.
   */
  | 'extend';

export interface PlanBase {
  readonly reasons: readonly Reason[];
  /** The reasons that name types which the sync first creates or extends at the destination. */
  readonly typeChanges: readonly Reason[];
  readonly source: Relation;
  readonly shape: Shape;
  /** Columns of the source table that `source` and `shape` leave out, because a load began without them. */
  readonly laterColumns?: readonly string[];
}

/** The replication key. A plan with a key leaves a cursor. */
export interface Keyed {
  readonly replicationKey: string;
  readonly keyType: KeyType;
}

interface LoadBase extends PlanBase {
  readonly kind: 'load';
  readonly action: Extract<Action, 'initial' | 'reset' | 'full-refresh'>;
  readonly way: Way;
  /**
   * Set if increp keeps a table that it did not create. `compare`: its rows are compared with the source by unique key.
   * `reload`: all rows are read, because there is no unique key.
   */
  readonly adoption?: 'compare' | 'reload';
}

/** Decided from the catalogs alone. `completePlan` adds how the rows are read (`Loading`). */
export type KeyedLoadDraft = LoadBase & Keyed;

/** Mode full-refresh: one snapshot determines all rows, so there are no late commits. */
export interface RefreshDraft extends LoadBase {
  /** How to check whether the source has changed. Undefined if the table is loaded in any case. */
  readonly unchangedCheck: UnchangedCheck | undefined;
}

export type LoadDraft = KeyedLoadDraft | RefreshDraft;

export interface Loading {
  readonly loader: LoaderChoice;
  readonly chunking: Chunking;
}

/** The first load of a table with incremental syncs. */
export type KeyedLoadPlan = KeyedLoadDraft & Loading;
export type RefreshPlan = RefreshDraft & Loading;
export type LoadPlan = KeyedLoadPlan | RefreshPlan;
/** A plan that starts from a cursor or leaves a cursor. */
export type KeyedPlan = IncrementalPlan | KeyedLoadPlan;

export const isKeyedPlan = <P extends LoadDraft | IncrementalPlan>(plan: P): plan is Extract<P, Keyed> =>
  'keyType' in plan;

/** Continues from the cursor of an earlier sync or of the older script. */
export interface IncrementalPlan extends PlanBase, Keyed {
  readonly kind: 'incremental';
  readonly action: 'incremental' | 'append';
  readonly since: KeyedRecord | { readonly legacyCursor: string };
  /** False if a user has dropped the index that makes a merge cheap. */
  readonly hasMergeIndex: boolean;
  /** Whether this sync searches for rows that were deleted at the source. */
  readonly removesDeleted: boolean;
  /** Whether it removes deleted rows before the merge, because new rows use a unique value of theirs again. */
  readonly removesFirst: boolean;
  /** Why all rows are compared, whatever their replication keys. */
  readonly rewritten?: Rewritten | undefined;
  /** The changes that first give the destination table the shape of its source. Undefined if it has that shape. */
  readonly evolution?: Evolution | undefined;
}

interface Skip {
  readonly kind: 'skip';
  readonly action: 'skipped';
  readonly reasons: readonly Reason[];
}

interface Refusal {
  readonly kind: 'refuse';
  readonly action: 'skipped';
  readonly reasons: readonly Reason[];
  readonly error: IncrepError;
  /** The other errors to fix before the table can be synced. */
  readonly others: readonly IncrepError[];
}

export type DraftPlan = LoadDraft | IncrementalPlan | Skip | Refusal;
export type Plan = LoadPlan | IncrementalPlan | Skip | Refusal;

export const refuse = (error: IncrepError, others: readonly IncrepError[] = []): Refusal => ({
  kind: 'refuse',
  action: 'skipped',
  reasons: [{ code: 'failed', message: error.message }],
  error,
  others,
});

/** The request of a sync without flags. */
export const ordinaryRequest = (): PlanRequest => ({
  isFullRefresh: false,
  areDeletesForced: false,
  now: new Date(),
});

export interface PlanRequest extends Claim {
  readonly isFullRefresh: boolean;
  /** Search for deleted rows now, even if the last search was recent. */
  readonly areDeletesForced: boolean;
  readonly now: Date;
  /** Remove deleted rows before the merge. */
  readonly removesFirst?: boolean;
  /** Why an attempt to alter the destination table in place has failed. */
  readonly notInPlace?: EvolutionObstacle;
}
