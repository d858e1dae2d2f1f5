import type { TableSettings } from '../../config/settings.ts';
import type { IncrepError } from '../../errors.ts';
import type { RunSummary } from '../../events.ts';
import type { TableRequest } from './sync-table.ts';

export interface Look {
  /** Names of paused tables. The summary has no result of them. */
  readonly onlyCounted: readonly string[];
}

export interface RunRequest extends TableRequest {
  readonly tables: readonly TableSettings[];
  readonly isFailFast: boolean;
  /** The number of tables that are synced at the same time. */
  readonly jobs: number;
  /** Set if there are no tables: why. */
  readonly noTables?: IncrepError | undefined;
  /** Only find the tables without changes, and count the rows that wait for the others. */
  readonly look?: Look;
  /** The command of this run for these tables alone. Undefined if every sync does what this run does. */
  readonly repeatFor?: ((tables: readonly string[]) => string | undefined) | undefined;
  /** Called before each table. If it returns false, the run ends. */
  readonly mayGoOn?: () => boolean;
  /** Called before the end of the run is reported. Returns warnings of the run. */
  readonly beforeEnd?: ((summary: RunSummary) => Promise<readonly string[]>) | undefined;
}

/** Whether a table may be loaded again because of its mode or of a flag. */
export const hasFullRefresh = ({ isFullRefresh, tables }: RunRequest): boolean =>
  isFullRefresh || tables.some(({ isEnabled, mode }) => isEnabled && mode === 'full-refresh');
