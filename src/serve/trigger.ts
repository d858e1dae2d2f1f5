/** Requests: a run of a pipeline, now or because a schedule is due. */
import * as z from 'zod';
import { connectionsOf, type PipelineDefinition } from '../config/service/definition.ts';
import type { ControlDatabase, ControlSession } from '../postgres/control-database.ts';
import type { SyncSchedule } from '../schema/schedule.ts';
import { LOCK_SENDS } from '../sql/control/claims.ts';
import { ADD_RUN, DUE_SCHEDULES, JOIN_WAITING_RUN, MOVE_SCHEDULE } from '../sql/control/runs.ts';
import { passDue } from './next-due.ts';
import type { Queue } from './queue.ts';

export interface RunOrder {
  readonly pipeline: string;
  readonly entry?: string;
  readonly tables?: readonly string[];
  readonly origin: 'schedule' | 'request' | 'hook';
  readonly by: string;
  /** The default is a sync. */
  readonly kind?: RunKind;
  readonly options?: SyncChoices;
  /** For a plan of what is not a pipeline yet. */
  readonly definition?: PipelineDefinition;
  /** The group of the job, for a command that reads tables. */
  readonly source?: string | undefined;
  readonly dueAt?: Date;
  readonly missed?: number;
}

export const COMMANDS = ['plan', 'check', 'verify', 'reset'] as const;
export type CommandKind = (typeof COMMANDS)[number];
export type RunKind = 'sync' | CommandKind;

/** What a request asks of a sync. */
export interface SyncChoices {
  readonly isFullRefresh?: boolean | undefined;
  readonly areDeletesForced?: boolean | undefined;
  readonly isVerified?: boolean | undefined;
  readonly maxSeconds?: number | undefined;
}

/** As in the control database. */
const optionsOf = ({ isFullRefresh, areDeletesForced, isVerified, maxSeconds }: SyncChoices) => ({
  full_refresh: isFullRefresh,
  deletes: areDeletesForced,
  verify: isVerified,
  max_duration_s: maxSeconds,
});

const idRow = z.object({ id: z.string() });

/** In a transaction. A sync waits for the next look at the pipeline. A command is a job of its own. */
export async function requestRun(session: ControlSession, queue: Queue, order: RunOrder): Promise<string> {
  const { pipeline, entry, tables, origin, by, dueAt, missed = 0, kind = 'sync', options = {} } = order;
  const { definition } = order;
  const values = [
    ...[pipeline, entry ?? null, tables ?? null, origin, by, dueAt ?? null, missed],
    ...[
      kind,
      { ...optionsOf(options), ...(definition && { preview: true, connections: connectionsOf(definition) }) },
    ],
    definition ? JSON.stringify(definition) : null,
  ];
  await session.query(LOCK_SENDS);
  const { id } = idRow.parse((await session.query(ADD_RUN, values)).rows[0]);
  if (kind === 'sync') await queue.sendLook(session, pipeline);
  else if (definition)
    await queue.sendPreview(session, { pipeline, run: id, connections: connectionsOf(definition) });
  else await queue.sendCommand(session, { pipeline, run: id, source: order.source });
  return id;
}

export const dueRow = z.object({
  pipeline: z.string(),
  entry: z.string(),
  kind: z.enum(['every', 'cron']),
  seconds: z.number().nullable(),
  expression: z.string().nullable(),
  timeZone: z.string().nullable(),
  dueAt: z.date(),
  now: z.date(),
});
const pausedRow = dueRow.extend({ isPaused: z.boolean() });

export type ScheduleRow = z.infer<typeof dueRow>;
export const scheduleRows = z.array(dueRow.omit({ pipeline: true }));

export const scheduleIn = ({
  kind,
  seconds,
  expression,
  timeZone,
}: Pick<ScheduleRow, 'kind' | 'seconds' | 'expression' | 'timeZone'>): SyncSchedule =>
  kind === 'every'
    ? { kind, seconds: seconds ?? 0 }
    : { kind, expression: expression ?? '', timeZone: timeZone ?? '' };

/** Each due time leads to one run, whichever of several `serve` sees it first. Returns the number of runs. */
export async function runDueSchedules(control: ControlDatabase, queue: Queue): Promise<number> {
  return control.transaction(async (session) => {
    const rows = z.array(pausedRow).parse((await session.query(DUE_SCHEDULES)).rows);
    let runs = 0;
    for (const row of rows) {
      const { pipeline, entry } = row;
      const { dueAt, missed, next } = passDue(scheduleIn(row), row.dueAt, row.now);
      await session.query(MOVE_SCHEDULE, [pipeline, entry, next]);
      if (row.isPaused) continue;
      const joined = await session.query(JOIN_WAITING_RUN, [pipeline, entry, dueAt, missed]);
      if (joined.rows.length > 0) continue;
      await requestRun(session, queue, {
        ...{ pipeline, entry, origin: 'schedule', by: 'schedule', dueAt, missed },
      });
      runs += 1;
    }
    return runs;
  });
}
