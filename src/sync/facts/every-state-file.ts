/** Reads the state files of all tables of the pipeline, whichever tables the command is for. */
import type { TableSettings } from '../../config/settings.ts';
import { attempt } from '../../errors.ts';
import { batchesOf } from '../../postgres/batches.ts';
import type { StateFile } from '../../state/state-files.ts';
import type { RunContext } from '../context/run-context.ts';
import { tableNames, type TableNames } from './table-names.ts';

interface ReadStateFile {
  readonly table: TableSettings;
  readonly names: TableNames;
  readonly file: StateFile;
}

/** In batches, because the caller may need the first files only. Leaves out files that cannot be read. */
export async function* everyStateFile({
  settings,
  stateFiles,
}: Pick<RunContext, 'settings' | 'stateFiles'>): AsyncGenerator<readonly ReadStateFile[]> {
  for (const batch of batchesOf(settings.tables)) {
    const read = batch.map(async (table) => {
      const names = tableNames({ settings }, table);
      const found = await attempt(() => stateFiles.read(names.recordName));
      return found.kind === 'done' ? [{ table, names, file: found.value }] : [];
    });
    yield (await Promise.all(read)).flat();
  }
}
