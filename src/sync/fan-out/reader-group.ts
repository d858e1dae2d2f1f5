/** The interface between the run for one destination and the runs for the others. */
import type { Statement } from '../../sql/search-path.ts';
import type { SharedSnapshot } from './shared-snapshot.ts';

/** The runs for the other destinations. */
export interface FanOut {
  /** The group that reads this table together. Undefined if this run reads it alone. */
  readonly meetAt: (table: string) => Promise<ReaderGroup | undefined>;
  /** This run does not read the table. */
  readonly passBy: (table: string) => void;
  /** Call this before other work: the other runs stop waiting for this run until its next `meetAt`. */
  readonly fallBack: () => void;
  /** Call this at the end of the run. */
  readonly quit: () => void;
}

/** The membership of one destination in a group that reads one table together. After `leave` it reads alone. */
export interface ReaderGroup {
  /** Members with the same `fenceKey` share one fence. */
  readonly fence: <T>(fenceKey: string, raise: () => Promise<T>) => Promise<T>;
  /** `selectionKey` determines the rows. Undefined if no other member reads the same rows, or if this member is too late. */
  readonly snapshot: (
    selectionKey: string,
    first: readonly Statement[],
  ) => Promise<SharedSnapshot | undefined>;
  readonly leave: () => void;
}
