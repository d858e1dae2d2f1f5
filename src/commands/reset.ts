/** Forgets a table's state, so that the next sync loads it again. The copy itself stays and goes on serving. */
import type { TableSettings } from '../config/settings.ts';
import { IncrepError } from '../errors.ts';
import { chunksTable, forgetLoad, loadsTable } from '../sql/loads.ts';
import { forgetOwnState, forgetState, stateTable } from '../sql/state.ts';
import { printable, wrapLines } from '../observe/text.ts';
import { sharedName } from '../schema/names.ts';
import { describeRelations } from '../postgres/catalog.ts';
import { lockTable } from '../sync/table-lock.ts';
import { ensureWritable } from '../state/state-files.ts';
import { tableNames } from '../sync/facts.ts';
import type { Work } from '../sync/work.ts';
import { withContext } from './context.ts';
import { eachDestination } from './each-destination.ts';
import { expandTables } from './expand-tables.ts';
import type { GlobalOptions } from './options.ts';
import { selectTables } from './select-tables.ts';
import { sayRemarks } from './trouble.ts';

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
      look: async ({ work }) => {
        // A file that stays would serve in place of the row that is gone.
        await ensureWritable(work.settings.stateDirectory);
        for (const table of chosen) {
          await forget(work, table);
          const told = `${printable(table.name)}: forgotten. The table stays as it is until the next "increp sync" loads it again.`;
          terminal.out(`${wrapLines(told, terminal.look.width)}\n`);
        }
        return { told: undefined, exitCode: 0 };
      },
    });
    sayRemarks(remarks, context);
    return exitCode;
  });
}

async function forget(work: Work, table: TableSettings): Promise<void> {
  const { destinationName, stateName, copyName } = tableNames(work, table);
  const { schema } = destinationName;
  const { pipeline } = work.settings;
  // Whichever of them it was synced under last.
  const names = [destinationName.table, sharedName(destinationName.table, pipeline)];
  await work.destination.withWriting([], async (client) => {
    await lockTable(client, { stateName }, { waitSeconds: 0, timing: work.timing, signal: work.signal });
    const ours = [stateTable, loadsTable, chunksTable].map((named) => named(schema).table);
    const there = await describeRelations(client, schema, ours);
    const [hasState, ...hasLoads] = ours.map((name) => there.has(name));
    if (hasState === true) {
      await client.query(forgetState(schema), [stateName.table]);
      for (const name of names) await client.query(forgetOwnState(schema), [name, pipeline]);
    }
    if (hasLoads.every(Boolean)) await client.query(forgetLoad(schema), [stateName.table]);
  });
  await work.stateFiles.remove(copyName);
}
