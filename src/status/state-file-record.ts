import { recordNameOf } from '../config/tables/table-mapping.ts';
import type { TableSettings } from '../config/settings.ts';
import type { StateRecord } from '../schema/state-record.ts';
import type { RunContext } from '../sync/context/run-context.ts';

/** The state file of a table; undefined if there is no usable file of this pipeline. */
export async function recordInFile(
  { stateFiles, settings }: Pick<RunContext, 'stateFiles' | 'settings'>,
  table: TableSettings,
): Promise<StateRecord | undefined> {
  const file = await stateFiles.read(recordNameOf(settings, table));
  return file.kind === 'record' && file.record.pipeline === settings.pipeline ? file.record : undefined;
}
