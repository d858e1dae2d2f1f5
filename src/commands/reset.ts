/** Deletes the state of tables, so that the next sync loads them again. The destination tables stay readable. */
import { IncrepError } from '../errors.ts';
import { LISTED, listedNames } from '../format.ts';
import { printableLine, wrapLines } from '../report/text.ts';
import { ensureWritable } from '../state/state-files.ts';
import { goneAtSource } from '../reset/gone-tables.ts';
import { forgetTable, sourceSight, type Forgotten } from '../reset/reset-table.ts';
import { withContext } from './pipeline/context.ts';
import { eachDestination } from './pipeline/each-destination.ts';
import { expandTables } from '../pipeline/expand-tables.ts';
import type { GlobalOptions } from './terminal/options.ts';
import { selectTables } from '../pipeline/select-tables.ts';
import { sayRemarks } from './pipeline/warn-unreachable.ts';

export interface ResetOptions extends GlobalOptions {
  readonly all: boolean;
  readonly force: boolean;
  readonly destination: readonly string[];
}

export async function resetCommand(tables: readonly string[], options: ResetOptions): Promise<number> {
  if (tables.length === 0 && !options.all) {
    throw new IncrepError('USAGE', {
      what: 'reset needs the names of tables',
      next: 'Name the tables to load again, or use --all.',
    });
  }
  if (tables.length > 0 && options.all) {
    throw new IncrepError('USAGE', {
      what: '--all cannot be combined with table names',
      next: 'Use one of them.',
    });
  }
  return withContext(options, async (configured) => {
    const { context, remarks, noTables } = await expandTables(configured, { source: 'may', withGone: true });
    if (noTables) throw noTables;
    const { settings, terminal } = context;
    const chosen = selectTables(settings.tables, { names: tables, excluded: [] });
    const { exitCode } = await eachDestination(context, {
      isJson: false,
      run: async ({ runContext }) => {
        // A remaining state file would replace the deleted row.
        await ensureWritable(runContext.settings.stateDirectory);
        const lookAtSource = sourceSight(runContext);
        const results: { readonly name: string; readonly result: Forgotten }[] = [];
        try {
          for (const table of chosen)
            results.push({
              name: table.name,
              result: await forgetTable(runContext, table, { isForced: options.force, lookAtSource }),
            });
        } finally {
          const gone = results.length === 0 ? NONE : await goneAtSource(runContext, chosen);
          const textOf = ({ name, result }: { readonly name: string; readonly result: Forgotten }) =>
            gone.has(name) ? `${doneText(result)} ${goneText(name)}` : textOfReset(result);
          const goneText = (name: string) =>
            chosen.some((table) => table.name === name && table.pattern !== undefined)
              ? GONE_FROM_PATTERN
              : GONE;
          for (const [outcome, same] of Map.groupBy(results, textOf)) {
            const names = same.map(({ name }) => printableLine(name));
            const text = `${listedNames(names, LISTED)}: ${outcome}`;
            terminal.out(`${wrapLines(text, terminal.style)}\n`);
          }
        }
        return { result: undefined, exitCode: 0 };
      },
    });
    sayRemarks(remarks, context);
    return exitCode;
  });
}

const NONE: ReadonlySet<string> = new Set();

const GONE_FROM_PATTERN =
  'The source no longer has a table of this name, so no sync looks for it. The destination table stays as it is.';

const GONE =
  'The source no longer has a table of this name, so the next "increp sync" fails for it and loads nothing. To see what to do, run "increp check".';

const doneText = ({ kind }: Forgotten): string =>
  kind === 'state' || kind === 'state-only' ? 'reset.' : 'there was no saved state.';

const textOfReset = ({ kind, takenFrom }: Forgotten): string =>
  takenFrom === undefined
    ? RESULT_TEXTS[kind]
    : `${RESULT_TEXTS[kind]} The discarded state belonged to ${takenFrom}. If that pipeline still uses this directory or this destination table, its next sync loads the table again.`;

const RESULT_TEXTS: Record<Forgotten['kind'], string> = {
  state:
    'reset. The next "increp sync" loads the table again. Until then, the destination table stays readable.',
  'state-only': 'reset. There is no destination table, so the next "increp sync" loads the table.',
  nothing:
    'there was no saved state. If the destination table has rows, the next "increp sync" refuses it and names the flags to use.',
  absent: 'there was no saved state and no destination table. The next "increp sync" loads the table.',
};
