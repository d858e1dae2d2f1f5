/** The history of runs on this machine. */
import { join } from 'node:path';
import { IncrepError } from '../errors.ts';
import type { RunRecord } from '../schema/run-record.ts';
import { fileFault } from '../system-fault.ts';
import { ifForeign } from '../ownership.ts';
import { HISTORY_FILES, readHistory } from '../state/history-file.ts';
import { accessAdvice, writeFault } from '../state/state-files.ts';
import { unfinishedRuns } from '../state/running-runs.ts';
import type { RunContext } from '../sync/context/run-context.ts';

export interface LocalRuns {
  readonly records: readonly RunRecord[];
  /** The IDs of the runs that have not ended. */
  readonly active: ReadonlySet<string>;
  /** Why they cannot be read. */
  readonly problem: IncrepError | undefined;
}

/** As root, a run can leave files that the user of increp cannot read. */
async function accessStep(directory: string): Promise<string> {
  const fault = await writeFault(directory);
  if (fault) return fault.next;
  const foreign = await Promise.all(HISTORY_FILES.map((name) => ifForeign(join(directory, name))));
  const path = foreign.find((each) => each !== undefined);
  return path === undefined ? 'Run it as the user that runs "increp sync".' : accessAdvice(directory, path);
}

export async function readLocalRuns({ settings }: Pick<RunContext, 'settings'>): Promise<LocalRuns> {
  const { stateDirectory, pipeline } = settings;
  try {
    const records = await readHistory(stateDirectory, pipeline);
    const { killed, active } = await unfinishedRuns(stateDirectory, pipeline);
    return { records: [...records, ...killed], active, problem: undefined };
  } catch (error) {
    return {
      records: [],
      active: (await unfinishedRuns(stateDirectory, pipeline)).active,
      problem: new IncrepError('STATE_NOT_WRITABLE', {
        what: `the history in ${settings.stateDirectory} cannot be read: ${fileFault(error)}`,
        next: await accessStep(stateDirectory),
        cause: error,
      }),
    };
  }
}
