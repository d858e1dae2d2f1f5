/**
 * The queue: pg-boss in the control database. One queue for each pipeline, because a worker takes only the jobs of pipelines
 * whose connections it has.
 */
import * as z from 'zod';
import type { Db, PgBoss } from 'pg-boss';
import { ERROR_CLASSES, IncrepError, type ErrorCode } from '../errors.ts';
import type { ControlDatabase, ControlSession } from '../postgres/control-database.ts';
import { PREVIEWS, SET_PRIORITY } from '../sql/control/claims.ts';
import { QUEUE_SCHEMA } from '../sql/control/schema.ts';
import type { Timing } from '../timing.ts';

/** The data of a job. Without a table and a run, the job looks for the tables with work. */
export interface JobData {
  readonly table?: string;
  /** The run of a command. */
  readonly run?: string;
  /** Of a preview: the connections that its worker needs. */
  readonly connections?: readonly string[];
}

/** A job that this worker holds. `retryCount` tells the attempts of one job apart. */
export interface HeldJob {
  readonly queue: string;
  readonly id: string;
  readonly retryCount: number;
  readonly data: JobData;
}

/** Looks come first: they are quick, and find the work for everybody. */
const PRIORITY = { look: 10, command: 5, table: 0 } as const;
/** Of the job that a claim takes. */
const HIGHEST = 1000;

/** A crash is counted by increp, in `tables.crashes`. */
const RETRIES = 10_000;

const DAY = 86_400;

/** Names of queues allow few characters. The name of a pipeline has no others. */
export const queueOf = (pipeline: string): string => `pipeline/${pipeline}`;

/** At most one job with a key is active. A table may have the name of a run. */
function keyOf(pipeline: string, { table, run }: JobData): string {
  if (table !== undefined) return `${pipeline}/${table}`;
  return run === undefined ? pipeline : `${pipeline}#${run}`;
}

interface WaitingJob {
  readonly queue: string;
  readonly id: string;
  readonly priority: number;
}

interface QueueOptions {
  readonly control: ControlDatabase;
  readonly timing: Timing['serve'];
  readonly onError: (error: unknown) => void;
}

const adapterOf = (session: ControlSession): Db => ({
  executeSql: async (text, values) => {
    const result: unknown = await session.query(text, values);
    // The answer to several statements is a list.
    return { rows: [result].flat().flatMap((each) => (each as { readonly rows: unknown[] }).rows) };
  },
});

const ownError = z.object({
  name: z.literal('IncrepError'),
  code: z.string().refine((code): code is ErrorCode => Object.hasOwn(ERROR_CLASSES, code)),
  message: z.string(),
  next: z.string(),
});

/** pg-boss describes errors by plain objects with the same fields. */
export function asThrown(reported: unknown): unknown {
  if (typeof reported !== 'object' || reported === null || reported instanceof Error) return reported;
  const own = ownError.safeParse(reported);
  if (own.success)
    return new IncrepError(own.data.code, { what: own.data.message, next: own.data.next, cause: reported });
  return 'message' in reported ? Object.assign(new Error(String(reported.message)), reported) : reported;
}

/** pg-boss is heavy, so it loads only here. */
export async function openQueue(
  { control, timing, onError }: QueueOptions,
  migrate: boolean,
): Promise<Queue> {
  const pgBoss = await import('pg-boss');
  const boss = new pgBoss.PgBoss({
    db: adapterOf(control),
    schema: QUEUE_SCHEMA,
    migrate,
    createSchema: migrate,
    schedule: false,
    // Several programs do it in turns: each pass is claimed in the database.
    supervise: true,
    superviseIntervalSeconds: timing.monitor,
    monitorIntervalSeconds: timing.monitor,
    maintenanceIntervalSeconds: 600,
    registerInstance: false,
    openTelemetry: { enabled: false },
  });
  boss.on('error', (error: unknown) => onError(asThrown(error)));
  boss.on('warning', () => undefined);
  return new Queue(boss, timing);
}

export class Queue implements AsyncDisposable {
  readonly #boss: PgBoss;
  readonly #timing: Timing['serve'];

  constructor(boss: PgBoss, timing: Timing['serve']) {
    this.#boss = boss;
    this.#timing = timing;
  }

  async start(): Promise<void> {
    await this.#boss.start();
  }

  /** Also for a queue that exists. */
  async ensure(queue: string): Promise<void> {
    const options = {
      heartbeatSeconds: this.#timing.heartbeat,
      expireInSeconds: DAY,
      retryLimit: RETRIES,
      retryDelay: 0,
      deleteAfterSeconds: 3600,
    };
    if (await this.#boss.getQueue(queue)) await this.#boss.updateQueue(queue, options);
    else await this.#boss.createQueue(queue, { ...options, policy: 'stately' });
  }

  /** Nothing happens if the same look already waits. */
  async sendLook(session: ControlSession, pipeline: string): Promise<void> {
    const options = {
      singletonKey: keyOf(pipeline, {}),
      priority: PRIORITY.look,
      db: adapterOf(session),
    };
    await this.#boss.send(queueOf(pipeline), {}, options);
  }

  /** Nothing happens for a table that already waits. */
  async sendTables(
    session: ControlSession,
    { pipeline, source, tables }: { pipeline: string; source: string; tables: readonly string[] },
  ): Promise<void> {
    if (tables.length === 0) return;
    const jobs = tables.map((table) => ({
      data: { table },
      singletonKey: keyOf(pipeline, { table }),
      priority: PRIORITY.table,
      group: { id: source },
    }));
    await this.#boss.insert(queueOf(pipeline), jobs, { db: adapterOf(session) });
  }

  async sendCommand(
    session: ControlSession,
    { pipeline, run, source }: { pipeline: string; run: string; source: string | undefined },
  ): Promise<void> {
    const options = {
      ...{ singletonKey: keyOf(pipeline, { run }), priority: PRIORITY.command, db: adapterOf(session) },
      ...(source !== undefined && { group: { id: source } }),
    };
    await this.#boss.send(queueOf(pipeline), { run }, options);
  }

  /** A plan of a pipeline that does not exist yet, so its job is not in the queue of a pipeline. */
  async sendPreview(
    session: ControlSession,
    { pipeline, run, connections }: { pipeline: string; run: string; connections: readonly string[] },
  ): Promise<void> {
    const singletonKey = keyOf(pipeline, { run });
    const options = { singletonKey, priority: PRIORITY.command, db: adapterOf(session) };
    await this.#boss.send(PREVIEWS, { pipeline, run, connections }, options);
  }

  /** Takes this job. The queue chooses by priority alone, so for a moment the job has the highest one. */
  async take(session: ControlSession, { queue, id, priority }: WaitingJob): Promise<HeldJob | undefined> {
    await session.query(SET_PRIORITY, [queue, id, HIGHEST]);
    const jobs = await this.#boss.fetch<JobData>(queue, {
      db: adapterOf(session),
      batchSize: 1,
      includeMetadata: true,
      minPriority: HIGHEST,
    });
    await session.query(SET_PRIORITY, [queue, id, priority]);
    const [job] = jobs;
    return job && { queue, id: job.id, retryCount: job.retryCount, data: job.data };
  }

  /** False if the job belongs to another worker by now. */
  async complete(session: ControlSession, { queue, ...job }: HeldJob): Promise<boolean> {
    return isDone(await this.#boss.complete(queue, job, null, { db: adapterOf(session) }));
  }

  /** Any worker may take it again, at once. */
  async giveBack(session: ControlSession, { queue, ...job }: HeldJob): Promise<boolean> {
    return isDone(await this.#boss.fail(queue, job, null, { db: adapterOf(session) }));
  }

  /** A sign of life. False if the job belongs to another worker by now. */
  async touch({ queue, ...job }: HeldJob): Promise<boolean> {
    return isDone(await this.#boss.touch(queue, job));
  }

  /** Removes the jobs for the same table or command that wait, or, without either, the looks. */
  async removeWaiting(
    session: ControlSession,
    pipeline: string,
    data: JobData,
    queue = queueOf(pipeline),
  ): Promise<void> {
    const db = adapterOf(session);
    const waiting = await this.#boss.findJobs(queue, { key: keyOf(pipeline, data), queued: true, db });
    if (waiting.length > 0)
      await this.#boss.deleteJob(
        queue,
        waiting.map(({ id }) => id),
        { db },
      );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#boss.stop({ graceful: false, close: false });
  }
}

const responseSchema = z.object({ affected: z.number() });
const isDone = (response: object): boolean => responseSchema.parse(response).affected === 1;

/** The version of the schema that the pinned version of pg-boss needs. */
export const QUEUE_VERSION = 46;

/** SQL for an administrator, from this version of the schema; undefined means from nothing. */
export async function queueSql(from: number | undefined): Promise<string> {
  const pgBoss = await import('pg-boss');
  if (from === undefined) return pgBoss.getConstructionPlans(QUEUE_SCHEMA);
  return from < QUEUE_VERSION ? pgBoss.getMigrationPlans(QUEUE_SCHEMA, from) : '';
}
