/** The log of `serve` and `work`: one line for each job, and for each change of what is wrong. */
import type { ServiceSettings } from '../config/service/control-database.ts';
import { asIncrepError, type IncrepError } from '../errors.ts';
import type { RunSummary } from '../events.ts';
import { createLogger } from '../observe/log.ts';
import { formatDuration } from '../duration.ts';
import { formatCounted, formatTableCounts } from '../format.ts';
import { asControlError } from '../postgres/control-database.ts';
import type { Endpoint } from '../postgres/endpoint.ts';
import type { Redact } from '../redact.ts';
import { tableToJson } from '../report/summary-json.ts';
import type { ClaimedJob } from './claim.ts';
import { MOST_CRASHES, type LostAttempt } from './lost-attempts.ts';
import type { CommandResult, LookResult } from './settle.ts';

type LogFields = Readonly<Record<string, unknown>>;

export interface ServiceLog {
  readonly info: (message: string, fields?: LogFields) => void;
  readonly warn: (message: string, fields?: LogFields) => void;
  readonly looked: (claim: ClaimedJob, result: LookResult) => void;
  readonly synced: (claim: ClaimedJob, summary: RunSummary) => void;
  readonly commanded: (claim: ClaimedJob & { readonly kind: 'command' }, result: CommandResult) => void;
  readonly failed: (claim: ClaimedJob, error: IncrepError) => void;
  /** The worker must stop, and its jobs may finish for some seconds. */
  readonly draining: (reason: IncrepError, jobs: number, seconds: number) => void;
  /** The worker must stop before the end of the job. */
  readonly returned: (claim: ClaimedJob) => void;
  readonly superseded: (claim: ClaimedJob) => void;
  readonly lost: (attempt: LostAttempt) => void;
  readonly clockSetBack: () => void;
  /** The control database does not answer. Said once, until it answers again. */
  readonly outage: (error: unknown) => void;
  readonly recovered: () => void;
}

interface LogPlace {
  readonly settings: Pick<ServiceSettings, 'log'>;
  readonly program: 'serve' | 'work';
  readonly redact: Redact;
  readonly endpoint: Endpoint;
  readonly say: (text: string) => void;
  readonly isTerminal: boolean;
  readonly color: boolean;
}

export async function serviceLog({
  settings,
  program,
  redact,
  endpoint,
  ...out
}: LogPlace): Promise<ServiceLog> {
  const { log } = settings;
  const logger = await createLogger({ log, level: log.level, base: { program }, redact, ...out });
  let problem: string | undefined;
  const of = ({ pipeline, job }: ClaimedJob) => ({ pipeline, ...(job.data.table !== undefined && job.data) });
  return {
    info: (message, fields = {}) => logger.info(fields, message),
    warn: (message, fields = {}) => logger.warn(fields, message),
    looked: (claim, { summary, found }) => {
      const withWork = new Set(found.flatMap((each) => each.withWork)).size;
      const fields = { ...of(claim), runs: found.length, with_work: withWork };
      const { error } = summary;
      if (error) logger.error({ ...fields, code: error.code, hint: error.hint }, error.message);
      else logger.info(fields, `${withWork} of ${summary.tables.length + withWork} tables have work`);
      for (const { run, refusal } of found) {
        if (!refusal || error) continue;
        const { code, hint, message } = refusal;
        logger.error({ ...of(claim), run: run.id, code, hint }, `the run has failed: ${message}`);
      }
    },
    synced: (claim, { error, tables }) => {
      if (error) logger.error({ ...of(claim), code: error.code, hint: error.hint }, error.message);
      for (const outcome of tables) {
        const { name: table, warnings, error: failure } = tableToJson(outcome);
        const fields = { ...of(claim), table };
        warnings.forEach((message) => logger.warn(fields, message));
        if (!failure) continue;
        const { message, ...why } = failure;
        logger.error({ ...fields, ...why }, `failed: ${message}`);
      }
      if (!error && tables.every(({ status }) => status !== 'failed'))
        logger.info(of(claim), formatTableCounts(tables));
    },
    commanded: (claim, { isOk, error }) => {
      const fields = { ...of(claim), run: claim.run };
      if (isOk) logger.info(fields, `${claim.command} has finished`);
      else {
        const { message, ...why } = error ?? { message: 'the result of the run says why' };
        logger.warn({ ...fields, ...why }, `${claim.command} has failed: ${message}`);
      }
    },
    failed: (claim, { code, message, next }) =>
      logger.error({ ...of(claim), code, hint: next }, `the job was given back: ${message}`),
    draining: ({ message }, jobs, seconds) =>
      logger.info(
        { jobs },
        `${message}: no job begins any more; ${formatCounted(jobs, 'job')} may finish within ${formatDuration(seconds)}`,
      ),
    returned: (claim) => logger.info(of(claim), 'rolled back, and left to another worker'),
    superseded: (claim) =>
      logger.warn(of(claim), 'another worker has the table by now, so this result counts for nothing'),
    lost: ({ pipeline, table, worker, phase, crashes }) => {
      const fields = { pipeline, table, worker, phase, crashes };
      if (crashes >= MOST_CRASHES)
        logger.error(fields, `a worker crashed ${crashes} times at this table, so the table is paused`);
      else logger.warn(fields, 'no sign of life from a worker, so another worker takes its job');
    },
    clockSetBack: () =>
      logger.warn('the clock of the control database was set back; increp has corrected the times of jobs'),
    outage: (thrown) => {
      const { code, message, next } = asControlError(thrown, endpoint);
      if (message === problem) return;
      problem = message;
      logger.error({ code, hint: next }, message);
      if (code === 'INTERNAL') logger.error({ stack: asIncrepError(thrown).stack }, 'this is a bug');
    },
    recovered: () => {
      if (problem === undefined) return;
      problem = undefined;
      logger.info('the control database answers again');
    },
  };
}
