/** What will be done to a table, and why. */
import type { Action } from '../../events.ts';
import type { IncrepError } from '../../errors.ts';
import type { Evolution } from '../../schema/evolution.ts';
import type { KeyType } from '../../schema/keys.ts';
import type { Relation } from '../../schema/relations.ts';
import type { Rewritten } from '../../schema/rewritten.ts';
import type { Shape } from '../../schema/shape.ts';
import type { KeyedRecord } from '../../schema/state-record.ts';
import type { Chunks } from './chunk-choice.ts';
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
  readonly reason: string;
  /** What happens to types of the destination beforehand; part of the reason. */
  readonly typeChanges: readonly string[];
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
  readonly loader: LoaderChoice;
  /** The table is compared with the source instead, and only what differs is read. */
  readonly adopts?: true;
}

/** The beginning of incremental syncs. */
export interface KeyedLoadPlan extends LoadBase, Keyed {
  /** Undefined: in one go. */
  readonly chunks: Chunks | undefined;
  /** Why in one go although chunks were asked for. */
  readonly oneGoWhy: string | undefined;
}

/** Mode full-refresh: the snapshot alone says what the copy is, and nothing of it can come late. */
export interface RefreshPlan extends LoadBase {
  readonly chunks: undefined;
  readonly oneGoWhy: undefined;
  /** How to find out whether there is anything to do; undefined where it is loaded whatever comes of it. */
  readonly probe: UnchangedCheck | undefined;
}

export type LoadPlan = KeyedLoadPlan | RefreshPlan;
/** One with a cursor, before or after. */
export type KeyedPlan = IncrementalPlan | KeyedLoadPlan;

export const isKeyedPlan = (plan: LoadPlan | IncrementalPlan): plan is KeyedPlan => 'keyType' in plan;

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
  /** Why all rows are compared, whatever their replication keys say. */
  readonly rewritten?: Rewritten | undefined;
  /** What gives the copy the shape of its source first; undefined where it has that. */
  readonly evolution?: Evolution | undefined;
}

export type Plan =
  | LoadPlan
  | IncrementalPlan
  | { readonly kind: 'skip'; readonly action: 'skipped'; readonly reason: string }
  | {
      readonly kind: 'refuse';
      readonly action: 'skipped';
      readonly reason: string;
      readonly error: IncrepError;
      /** What else is not right, for whoever wants to hear all of it. */
      readonly others: readonly IncrepError[];
    };

/** What an ordinary sync would be asked for. */
export const ordinaryRequest = (): Request => ({
  isFullRefresh: false,
  areDeletesForced: false,
  now: new Date(),
});

export interface Request {
  readonly isFullRefresh: boolean;
  /** Look for deleted rows now, whenever that was done last. */
  readonly areDeletesForced: boolean;
  readonly now: Date;
  /** What to do with a destination table that has rows and that no state names; undefined: stop. */
  readonly claim?: 'adopt' | 'replace' | undefined;
  /** Rows that are gone from the source make room before others come in. */
  readonly removesFirst?: boolean;
  /** Why the copy cannot be altered in place after all. */
  readonly notInPlace?: string;
}
