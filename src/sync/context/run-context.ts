/** The resources and settings of a run. `pipeline/context.ts` creates them. */
import type { Settings } from '../../config/settings.ts';
import type { Emit } from '../../events.ts';
import type { ClientTools } from '../../postgres/client-tools.ts';
import type { Database } from '../../postgres/database.ts';
import type { StateFiles } from '../../state/state-files.ts';
import type { TableName } from '../../schema/names.ts';
import type { Timing } from '../../timing.ts';
import type { ConnectionPairs } from './connection-pairs.ts';
import type { KnownDestinations } from './known-destinations.ts';
import type { WaitBudget } from './wait-budget.ts';
import type { TimeLimit } from './time-limit.ts';
import type { FanOut, ReaderGroup } from '../fan-out/reader-group.ts';

export interface RunContext {
  readonly settings: Settings;
  readonly source: Database;
  readonly destination: Database;
  readonly stateFiles: StateFiles;
  /** Finds pg_dump and pg_restore at the first call. */
  readonly tools: () => Promise<ClientTools>;
  /** The directories for programs, in the form of PATH. */
  readonly searchPath: string;
  readonly timing: Timing;
  readonly waitBudget: WaitBudget;
  readonly timeLimit: TimeLimit;
  readonly runId: string;
  /** Whether a worker of the service syncs. */
  readonly byService: boolean;
  /** A time of `performance.now`. */
  readonly startedAt: number;
  readonly emit: Emit;
  readonly signal: AbortSignal | undefined;
  /** Destinations of the pipeline. Each run adds its own. */
  readonly destinations: KnownDestinations;
  /** The runs for other destinations. Undefined if there is only one. */
  readonly fanOut?: FanOut;
  /** Syncs another table now, because a foreign key refers to its newer rows. False if that is not possible. */
  readonly syncReferenced?: (destination: TableName) => Promise<boolean>;
  /** The destinations that read the same table together. */
  readonly group?: ReaderGroup;
  /** The connections of all jobs, for the chunks of a load. Undefined if one table is synced at a time. */
  readonly pairs?: ConnectionPairs<ConnectionPair>;
  /** The shared snapshot of tables that wait for each other. */
  readonly fencedSnapshot?: FencedSnapshot;
}

export type ConnectionPair = Pick<RunContext, 'source' | 'destination'>;

/** A snapshot that another session holds, and the fences from before it. */
export interface FencedSnapshot {
  readonly snapshot: string;
  /** By target. A plan can use the snapshot only if its fence is among them. */
  readonly fences: ReadonlyMap<string, object>;
}
