/** The listeners of a run that need no terminal: both histories, metrics, the webhook, the healthcheck. */
import { healthcheckListener } from '../notify/healthcheck.ts';
import { webhookListener } from '../notify/webhook.ts';
import { historyListener } from '../observe/history-listener.ts';
import { Database } from '../postgres/database.ts';
import { destinationHistory } from '../postgres/run-history.ts';
import { localHistory } from '../state/local-history.ts';
import { noteReports, type NewOutcome, type ReportTarget } from '../state/report-outcomes-file.ts';
import { markRunning } from '../state/running-runs.ts';
import { thisClockError } from '../sync/context/this-clock.ts';
import { exitCodeOf } from '../sync/run/run.ts';
import { hearsUnrequestedLoads } from '../report/run-warnings.ts';
import { dueWarnings } from './due-warnings.ts';
import type { PipelineContext } from './context.ts';
import { recordNameIn } from './record-names.ts';
import { runMetrics } from './run-metrics.ts';

interface ListeningOptions {
  readonly warn: (message: string) => void;
  /** False for a run of some tables: METRICS_TEXTFILE and HEALTHCHECK_URL are about all of them. */
  readonly isWhole: boolean;
  /** Called with what the end of the run waits for. */
  readonly onWait?: (what: string) => void;
}

/** What to do if a message was not accepted. */
export const TEST_WEBHOOK = 'Test WEBHOOK_URL with "increp check --webhook".';
export const CHECK_URL = 'Check HEALTHCHECK_URL.';

/** A new listener needs a change of this function and a file of its own. Dispose it at the end of the run. */
export function listenToRun(context: PipelineContext, options: ListeningOptions): AsyncDisposable {
  const { settings, redact, signal, listen } = context;
  const { timing } = context.runContext;
  const { warn, isWhole, onWait } = options;
  const attemptAt = (what: string) => (attempt: number, attempts: number) =>
    onWait?.(`${what}, attempt ${attempt} of ${attempts}`);
  // The metrics come before listeners that wait for a server, because after a signal there is little time.
  if (isWhole && settings.metricsTextfile) listen(runMetrics(context, settings.metricsTextfile, warn));
  const { webhook, healthcheckUrl: url } = settings;
  // These connections stay open when a signal ends the others.
  const histories = context.pipelines.map(
    ({ settings: of, runContext: { destination } }) =>
      new Database(of.destination, { ...of, timing, tunnels: destination.tunnels }),
  );
  const marks = context.pipelines.map((pipeline, index) => {
    const { stateDirectory: directory } = pipeline.settings;
    const destinationNameOf = recordNameIn(pipeline.settings);
    const database = histories[index];
    const mark = markRunning({ directory, destinationNameOf });
    pipeline.listen(mark.listener);
    const ofThisMachine = () =>
      thisClockError({
        source: context.runContext.source,
        destination: pipeline.runContext.destination,
      });
    const stores = [
      localHistory({ directory, destinationNameOf, redact, onFailure: warn }),
      ...(database
        ? [
            destinationHistory({
              database,
              runDatabase: pipeline.runContext.destination,
              onFailure: warn,
            }),
          ]
        : []),
    ];
    for (const store of stores)
      pipeline.listen(
        hearsUnrequestedLoads(
          historyListener({ store, destinationNameOf, redact, clockError: ofThisMachine, timing }),
        ),
      );
    return mark;
  });
  const reports = new Map<ReportTarget, NewOutcome>();
  const noting = (target: ReportTarget, address: string, next: string) => ({
    onFailure: (message: string) => {
      reports.set(target, { url: address, failure: message });
      warn(`${message}. ${next}`);
    },
    onAccepted: () => void reports.set(target, { url: address, failure: undefined }),
  });
  if (webhook)
    listen(
      hearsUnrequestedLoads(
        webhookListener({
          ...{ webhook, redact, signal, timing },
          ...noting('webhook', webhook.url, TEST_WEBHOOK),
          onAttempt: attemptAt('the webhook'),
          warningsFor: (summary) => dueWarnings(summary, settings.stateDirectory, 'webhook'),
        }),
      ),
    );
  // The healthcheck comes after the webhook. The time of the webhook starts at the signal, that of the healthcheck at
  // its turn.
  if (isWhole && url !== undefined)
    listen(
      hearsUnrequestedLoads(
        healthcheckListener({
          ...{ url, redact, exitCodeOf, signal, timing },
          ...noting('healthcheck', url, CHECK_URL),
          onAttempt: attemptAt('the healthcheck'),
        }),
      ),
    );
  return {
    [Symbol.asyncDispose]: async () => {
      await noteReports(settings.stateDirectory, reports);
      await Promise.all([...histories, ...marks].map((resource) => resource[Symbol.asyncDispose]()));
    },
  };
}
