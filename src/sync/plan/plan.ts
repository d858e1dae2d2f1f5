/** What will be done to a table, and why. */
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

/** How a loaded staging table becomes the table. */
export type Way =
  /** There is no table yet: the staging table takes its name. */
  | 'create'
  /** The table stays, with everything that people have built on it; differing rows are changed in place. */
  | 'merge-whole'
  /** The columns change: the staging table takes the place of the table. */
  | 'swap'
  /** The table holds what cannot be loaded again: it gets columns and an index in place, and rows are only added. */
  | 'extend';

export interface Planned {
  readonly reasons: readonly Reason[];
  /** Those of the reasons that tell of types made or extended at the destination beforehand. */
  readonly typeChanges: readonly Reason[];
  readonly source: Relation;
  readonly shape: Shape;
}

/** What orders the changes of a table, and so leaves a cursor. */
export interface Keyed {
  readonly replicationKey: string;
  readonly keyType: KeyType;
}

interface LoadBase extends Planned {
  readonly kind: 'load';
  readonly action: Extract<Action, 'initial' | 'reset' | 'full-refresh'>;
  readonly way: Way;
  /**
   * Set where the table was not made by increp and is kept: its rows are compared with the source by key, or all of them
   * are read because nothing identifies a row.
   */
  readonly adoption?: 'compare' | 'reload';
}

/** Decided from the catalogs alone. How the rows are read is decided once programs and pages are known (`Loading`). */
export type KeyedLoadDraft = LoadBase & Keyed;

/** Mode full-refresh: the snapshot alone says what the destination table is, and nothing can come late. */
export interface RefreshDraft extends LoadBase {
  /** How to find out whether there is anything to do; undefined where the table is loaded in any case. */
  readonly unchangedCheck: UnchangedCheck | undefined;
}

export type LoadDraft = KeyedLoadDraft | RefreshDraft;

export interface Loading {
  readonly loader: LoaderChoice;
  readonly chunking: Chunking;
}

/** The beginning of incremental syncs. */
export type KeyedLoadPlan = KeyedLoadDraft & Loading;
export type RefreshPlan = RefreshDraft & Loading;
export type LoadPlan = KeyedLoadPlan | RefreshPlan;
/** One with a cursor, before or after. */
export type KeyedPlan = IncrementalPlan | KeyedLoadPlan;

export const isKeyedPlan = <P extends LoadDraft | IncrementalPlan>(plan: P): plan is Extract<P, Keyed> =>
  'keyType' in plan;

/** Continue from what an earlier sync, or the older script, has left. */
export interface IncrementalPlan extends Planned, Keyed {
  readonly kind: 'incremental';
  readonly action: 'incremental' | 'append';
  readonly since: KeyedRecord | { readonly legacyCursor: string };
  /** False after a hand has dropped the index that makes a merge cheap. */
  readonly hasMergeIndex: boolean;
  /** Whether this run looks for rows that are gone from the source. */
  readonly removesDeleted: boolean;
  /** Before the merge, because a value of theirs is used again. */
  readonly removesFirst: boolean;
  /** Why all rows are compared, whatever their replication keys are. */
  readonly rewritten?: Rewritten | undefined;
  /** What gives the copy the shape of its source first; undefined where it has that. */
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
  /** Everything else that has to be put right before the table can be synced. */
  readonly others: readonly IncrepError[];
}

/** What `planTable` decides. */
export type DraftPlan = LoadDraft | IncrementalPlan | Skip | Refusal;
export type Plan = LoadPlan | IncrementalPlan | Skip | Refusal;

export const refuse = (error: IncrepError, others: readonly IncrepError[] = []): Refusal => ({
  kind: 'refuse',
  action: 'skipped',
  reasons: [{ code: 'failed', message: error.message }],
  error,
  others,
});

/** What an ordinary sync would be asked for. */
export const ordinaryRequest = (): PlanRequest => ({
  isFullRefresh: false,
  areDeletesForced: false,
  now: new Date(),
});

export interface PlanRequest {
  readonly isFullRefresh: boolean;
  /** Look for deleted rows now, whenever that was done last. */
  readonly areDeletesForced: boolean;
  readonly now: Date;
  /** What to do with a destination table that has rows and that no state names; undefined: stop. */
  readonly claim?: 'adopt' | 'replace' | undefined;
  /** Rows that are gone from the source make room before others come in. */
  readonly removesFirst?: boolean;
  /** Why the destination table cannot be altered in place after all. */
  readonly notInPlace?: EvolutionObstacle;
}
