/** What a run works with. Wired in commands/context.ts. */
import type { Settings } from '../../config/settings.ts';
import type { Emit } from '../../events.ts';
import type { ClientTools } from '../../postgres/client-tools.ts';
import type { Database } from '../../postgres/database.ts';
import type { StateFiles } from '../../state/state-files.ts';
import type { TableName } from '../../schema/names.ts';
import type { Timing } from '../../timing.ts';
import type { KnownDestinations } from './known-destinations.ts';
import type { WaitBudget } from './wait-budget.ts';
import type { TimeLimit } from './time-limit.ts';
import type { FanOut, ReaderGroup } from '../fan-out/reader-group.ts';

export interface RunContext {
  readonly settings: Settings;
  readonly source: Database;
  readonly destination: Database;
  readonly stateFiles: StateFiles;
  /** Looks once, and only when asked. */
  readonly tools: () => Promise<ClientTools>;
  /** Where programs are looked for, as PATH has it. */
  readonly searchPath: string;
  readonly timing: Timing;
  readonly settle: WaitBudget;
  readonly timeLimit: TimeLimit;
  readonly runId: string;
  readonly emit: Emit;
  readonly signal: AbortSignal | undefined;
  /** Of the pipeline; each is added when it is met. */
  readonly destinations: KnownDestinations;
  /** The runs for other destinations; undefined where there is one. */
  readonly fanOut?: FanOut;
  /** Syncs another table of this run now, from a later snapshot than ours: rows of ours refer to it. False: it cannot. */
  readonly bringTable?: (destination: TableName) => Promise<boolean>;
  /** Those that read the same table with us. */
  readonly group?: ReaderGroup;
  /** What the source is read as, where tables have waited for each other. */
  readonly moment?: Moment;
}

/** A snapshot that another session holds, and the fences that were raised before it. */
export interface Moment {
  readonly snapshot: string;
  /** By target. Without that of a plan, the snapshot does not serve it either. */
  readonly fences: ReadonlyMap<string, object>;
}
