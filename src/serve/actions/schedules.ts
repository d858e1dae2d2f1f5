/** Schedules that people set in the service, instead of those of tables-config.json. */
import type { ControlDatabase } from '../../postgres/control-database.ts';
import { REMOVE_OVERRIDE, SAVE_OVERRIDE } from '../../sql/control/pauses.ts';
import { scheduleSchema, scheduleOf } from '../../config/tables/schedule-schema.ts';
import { nextDue } from '../next-due.ts';
import { RefusedRequest } from '../refusal.ts';
import { ensurePipelineExists } from './runs.ts';

export interface ScheduleOrder {
  readonly pipeline: string;
  /** The entry of tables-config.json, or empty for the pipeline. */
  readonly entry: string;
  /** As in tables-config.json: `{ "every": "30s" }`, or `cron` and `time_zone`. */
  readonly schedule: unknown;
  readonly by: string;
}

/** `serve` uses it within seconds. Throws a RefusedRequest INVALID_REQUEST. */
export async function setSchedule(
  control: ControlDatabase,
  { pipeline, entry, schedule, by }: ScheduleOrder,
): Promise<void> {
  const { data, error } = scheduleSchema.safeParse(schedule);
  if (!data)
    throw new RefusedRequest(
      'INVALID_REQUEST',
      error.issues.map(({ message }) => message).join('; '),
      EXAMPLE,
    );
  ensureDue(data);
  await control.transaction(async (session) => {
    await ensurePipelineExists(session, pipeline);
    await session.query(SAVE_OVERRIDE, [pipeline, entry, JSON.stringify(schedule), by]);
  });
}

function ensureDue(schedule: Parameters<typeof scheduleOf>[0]): void {
  try {
    nextDue(scheduleOf(schedule), new Date());
  } catch (error) {
    throw new RefusedRequest(
      'INVALID_REQUEST',
      error instanceof Error ? error.message : String(error),
      EXAMPLE,
    );
  }
}

const EXAMPLE = 'Write { "every": "30s" } or { "cron": "0 3 * * *", "time_zone": "Europe/Berlin" }.';

/** The schedule of the file is valid again. Throws a RefusedRequest NOT_FOUND. */
export async function removeSchedule(
  control: ControlDatabase,
  { pipeline, entry }: Pick<ScheduleOrder, 'pipeline' | 'entry'>,
): Promise<void> {
  const { rowCount } = await control.query(REMOVE_OVERRIDE, [pipeline, entry]);
  if (rowCount === 0)
    throw new RefusedRequest(
      'NOT_FOUND',
      `nobody has set a schedule for "${entry === '' ? pipeline : entry}"`,
      'A schedule of tables-config.json changes in that file.',
    );
}
