/** A load in chunks: what it is asked for, and what it gives back. */
import type pg from 'pg';
import type { StateRecord } from '../../../schema/state-record.ts';
import type { TableFacts } from '../../facts/facts.ts';
import type { RaisedFence } from '../../fence/fence.ts';
import type { KeyedLoadPlan } from '../../plan/plan.ts';
import type { RunContext } from '../../context/run-context.ts';
import type { Chunks } from '../../plan/chunk-choice.ts';
import type { Progress } from './progress.ts';
import type { Transfer } from '../../write/transfer.ts';

export interface ChunkedLoad {
  readonly context: RunContext;
  readonly facts: TableFacts;
  readonly plan: KeyedLoadPlan;
  readonly chunks: Chunks;
  /** Of the transaction that holds the table's lock. It is idle until all chunks are there, and so in nobody's way. */
  readonly destination: pg.ClientBase;
  /** --verify */
  readonly isVerified: boolean;
  /** --force */
  readonly isForced: boolean;
  readonly progress: Progress;
}

export interface Loaded {
  readonly moved: Transfer;
  readonly record: StateRecord;
  /** The one raised at the end. */
  readonly fence: RaisedFence;
  /** See Applied. */
  readonly unchangedSince?: string;
}
