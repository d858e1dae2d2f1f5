/** The live line of `verify`: the table that is compared, and since when. */
import { NO_ROWS, type TableOutcome } from '../events.ts';
import type { Redact } from '../redact.ts';
import { createProgress, type ProgressDisplay, type Screen } from './progress.ts';

export interface ComparisonProgress extends Disposable {
  readonly display: ProgressDisplay;
  readonly begin: (table: string) => void;
  readonly end: (table: string) => void;
}

export function comparisonProgress(
  screen: Screen,
  tables: readonly string[],
  redact: Redact,
): ComparisonProgress {
  const display = createProgress(screen, { redact });
  const tell = (event: Parameters<typeof display.listener>[0]) => void display.listener(event);
  tell({ type: 'run-started', runId: '', pipeline: '', startedAt: new Date(), tables });
  return {
    display,
    begin: (table) => {
      tell({ type: 'table-planned', table, action: 'skipped', reasons: [], estimatedRows: undefined });
      tell({ type: 'phase-started', table, phase: 'compare' });
    },
    end: (table) => tell({ type: 'table-finished', outcome: ended(table) }),
    [Symbol.dispose]: () => display.stop(),
  };
}

/** The live line only counts it. */
const ended = (name: string): TableOutcome => ({
  name,
  status: 'ok',
  action: 'skipped',
  reasons: [],
  ...NO_ROWS,
  durationSeconds: 0,
  cursor: null,
  cursorBefore: null,
  startedAt: new Date(),
  warnings: [],
  error: undefined,
});
