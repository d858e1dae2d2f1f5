/** Forgets a table's state, so that the next sync loads it again. The copy itself stays and goes on serving. */
import { IncrepError } from '../errors.ts';
import { printable, wrapLines } from '../report/text.ts';
import { ensureWritable } from '../state/state-files.ts';
import { forgetTable, type Forgotten } from '../reset/reset-table.ts';
import { withContext } from './pipeline/context.ts';
import { eachDestination } from './pipeline/each-destination.ts';
import { expandTables } from './pipeline/expand-tables.ts';
import type { GlobalOptions } from './terminal/options.ts';
import { selectTables } from './pipeline/select-tables.ts';
import { sayRemarks } from './pipeline/warn-unreachable.ts';

export interface ResetOptions extends GlobalOptions {
  readonly all: boolean;
  readonly destination: readonly string[];
}

export async function resetCommand(tables: readonly string[], options: ResetOptions): Promise<number> {
  if (tables.length === 0 && !options.all) {
    throw new IncrepError('USAGE', {
      what: 'no table is named',
      next: 'Name the tables to load again, or use --all.',
    });
  }
  if (tables.length > 0 && options.all) {
    throw new IncrepError('USAGE', {
      what: 'a table and --all contradict each other',
      next: 'Give one of them.',
    });
  }
  return withContext(options, async (configured) => {
    const { context, remarks, nothing } = await expandTables(configured, { source: 'may', withGone: true });
    if (nothing) throw nothing;
    const { settings, terminal } = context;
    const chosen = selectTables(settings.tables, { names: tables, excluded: [] });
    const { exitCode } = await eachDestination(context, {
      isJson: false,
      look: async ({ runContext }) => {
        // A file that stays would serve in place of the row that is gone.
        await ensureWritable(runContext.settings.stateDirectory);
        for (const table of chosen) {
          const told = `${printable(table.name)}: ${TOLD[await forgetTable(runContext, table)]}`;
          terminal.out(`${wrapLines(told, terminal.style.width)}\n`);
        }
        return { told: undefined, exitCode: 0 };
      },
    });
    sayRemarks(remarks, context);
    return exitCode;
  });
}

const TOLD: Record<Forgotten, string> = {
  state: 'forgotten. The table stays as it is until the next "increp sync" loads it again.',
  nothing:
    'there was no state to forget. If the table has rows, the next "increp sync" stops and asks what to do with them.',
  absent: 'there was no state to forget, and there is no table. The next "increp sync" loads it.',
};
