/** The history of runs as this machine has kept it. */
import { IncrepError } from '../errors.ts';
import type { RunRecord } from '../schema/run-record.ts';
import { readHistory } from '../state/history-file.ts';
import type { RunContext } from '../sync/context/run-context.ts';

export interface LocalRuns {
  readonly records: readonly RunRecord[];
  /** Why there are none. */
  readonly trouble: IncrepError | undefined;
}

export async function readLocalRuns({ settings }: Pick<RunContext, 'settings'>): Promise<LocalRuns> {
  try {
    return { records: await readHistory(settings.stateDirectory, settings.pipeline), trouble: undefined };
  } catch (error) {
    return {
      records: [],
      trouble: new IncrepError('STATE_NOT_WRITABLE', {
        what: `the history in ${settings.stateDirectory} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
        next: 'Call it as the user that runs "increp sync".',
        cause: error,
      }),
    };
  }
}
