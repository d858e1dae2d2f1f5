/** The history of runs on this machine. */
import { IncrepError } from '../errors.ts';
import type { RunRecord } from '../schema/run-record.ts';
import { fileFault } from '../system-fault.ts';
import { readHistory } from '../state/history-file.ts';
import { writeFault } from '../state/state-files.ts';
import { killedRuns } from '../state/running-runs.ts';
import type { RunContext } from '../sync/context/run-context.ts';

export interface LocalRuns {
  readonly records: readonly RunRecord[];
  /** Why they cannot be read. */
  readonly problem: IncrepError | undefined;
}

export async function readLocalRuns({ settings }: Pick<RunContext, 'settings'>): Promise<LocalRuns> {
  const { stateDirectory, pipeline } = settings;
  try {
    const records = await readHistory(stateDirectory, pipeline);
    return { records: [...records, ...(await killedRuns(stateDirectory, pipeline))], problem: undefined };
  } catch (error) {
    return {
      records: [],
      problem: new IncrepError('STATE_NOT_WRITABLE', {
        what: `the history in ${settings.stateDirectory} cannot be read: ${fileFault(error)}`,
        next: (await writeFault(stateDirectory))?.next ?? 'Run it as the user that runs "increp sync".',
        cause: error,
      }),
    };
  }
}
