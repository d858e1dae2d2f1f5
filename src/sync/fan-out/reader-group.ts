/** What a destination's run has to do with those of the others. */
import type { Statement } from '../../sql/search-path.ts';
import type { SharedSnapshot } from './shared-snapshot.ts';

/** What a destination's run knows of the others. */
export interface FanOut {
  /** Those that read this table with us; undefined where nobody does. */
  readonly meetAt: (table: string) => Promise<ReaderGroup | undefined>;
  /** It has something of its own to do: nobody waits for it until it is level again. */
  readonly fallBack: () => void;
  /** Its run is over. */
  readonly quit: () => void;
}

/** One destination among those that read one table together. After `leave` it is alone. */
export interface ReaderGroup {
  /** The same for all that are about to read the same. */
  readonly fence: <T>(what: string, raise: () => Promise<T>) => Promise<T>;
  /** Undefined: nobody else reads the same, or we have come too late. `what` tells all that decides what is read. */
  readonly snapshot: (what: string, first: readonly Statement[]) => Promise<SharedSnapshot | undefined>;
  readonly leave: () => void;
}
