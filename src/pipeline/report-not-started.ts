/** Reports a run that could not start because of its configuration: to the webhook, the healthcheck, the local history and the metrics. */
import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { lookAt } from '../config/directory.ts';
import type { Configuration } from '../config/load.ts';
import type { IncrepError } from '../errors.ts';
import type { Listener, RunSummary } from '../events.ts';
import { healthcheckListener } from '../notify/healthcheck.ts';
import { webhookListener } from '../notify/webhook.ts';
import { historyListener } from '../observe/history-listener.ts';
import { markNotStarted } from '../observe/metrics/not-started.ts';
import { redactor } from '../redact.ts';
import { HISTORY_FILES } from '../state/history-file.ts';
import { localHistory } from '../state/local-history.ts';
import { noteReports, type NewOutcome, type ReportTarget } from '../state/report-outcomes-file.ts';
import { exitCodeOf } from '../sync/run/run.ts';
import { failureOf } from '../sync/run/table-outcome.ts';
import type { PipelineOptions } from './context.ts';

/** `status` says later that a message was not accepted. */
export async function reportNotStarted(
  { reporting, secrets, openNames, warnings }: Configuration,
  error: IncrepError,
  { timing, signal }: Pick<PipelineOptions, 'timing' | 'signal'>,
): Promise<void> {
  const { pipeline, stateDirectory, webhook, healthcheckUrl: url, metricsTextfile } = reporting;
  if (pipeline === undefined) return;
  const redact = redactor(secrets, openNames);
  const now = new Date();
  const runId = randomUUID();
  const summary: RunSummary = {
    ...{ runId, pipeline, status: 'failed', startedAt: now, finishedAt: now, tables: [] },
    ...{ error: failureOf(error), warnings },
  };
  if (metricsTextfile !== undefined) await markNotStarted(metricsTextfile, summary, error.exitCode);
  const reports = new Map<ReportTarget, NewOutcome>();
  const noting = (target: ReportTarget, address: string) => ({
    ...{ redact, timing, signal },
    onFailure: (failure: string) => void reports.set(target, { url: address, failure }),
    onAccepted: () => void reports.set(target, { url: address, failure: undefined }),
  });
  const listeners: Listener[] = (await historiesIn(stateDirectory)).map((directory) => {
    const store = localHistory({ directory, destinationNameOf, redact, onFailure: () => undefined });
    return historyListener({ ...{ store, destinationNameOf, redact, timing }, clockError: () => 0 });
  });
  if (webhook) listeners.push(webhookListener({ webhook, ...noting('webhook', webhook.url) }));
  for (const listener of listeners)
    await listener({ type: 'run-started', runId, pipeline, startedAt: now, tables: [] });
  // It gets no start, because nothing starts.
  if (url !== undefined)
    listeners.push(healthcheckListener({ url, exitCodeOf, ...noting('healthcheck', url) }));
  for (const listener of listeners) await listener({ type: 'run-finished', summary });
  if (lookAt(stateDirectory) === 'directory') await noteReports(stateDirectory, reports);
}

const destinationNameOf = (table: string): string => table;

/**
 * The directories in which runs before have kept a history. Which destinations there are may be unknown, and the setting of
 * the directory may be what is wrong.
 */
async function historiesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const directories = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(directory, name));
  return [directory, ...directories].filter((each) => lookAt(join(each, HISTORY_FILES[0])) === 'file');
}
