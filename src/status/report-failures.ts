/** The webhook and the healthcheck that did not accept the last message of a run on this machine. */
import type { Settings } from '../config/settings.ts';
import { isAt, readReportOutcomes, type ReportTarget } from '../state/report-outcomes-file.ts';

export interface ReportFailure {
  readonly message: string;
  readonly failedAt: Date;
  /** The last message that was accepted, as far as it is known. */
  readonly acceptedAt: Date | undefined;
}

export type ReportFailures = Readonly<Record<ReportTarget, ReportFailure | undefined>>;

/** A failure at another address than the current one does not count. */
export async function reportFailures({
  stateDirectory,
  webhook,
  healthcheckUrl,
}: Pick<Settings, 'stateDirectory' | 'webhook' | 'healthcheckUrl'>): Promise<ReportFailures> {
  const outcomes = await readReportOutcomes(stateDirectory);
  const failureOf = (target: ReportTarget, url: string | undefined): ReportFailure | undefined => {
    const known = outcomes[target];
    if (!known?.failure || !known.failedAt || url === undefined || !isAt(known, url)) return undefined;
    return {
      message: known.failure,
      failedAt: new Date(known.failedAt),
      acceptedAt: known.acceptedAt === null ? undefined : new Date(known.acceptedAt),
    };
  };
  return {
    webhook: failureOf('webhook', webhook?.url),
    healthcheck: failureOf('healthcheck', healthcheckUrl),
  };
}
