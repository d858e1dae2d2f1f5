/** The schemas of durations, and of the schedules that only the service uses. */
import * as z from 'zod';
import { DURATION_FORMS, DURATION_PATTERN, parseDuration } from '../../duration.ts';
import { CRON_PATTERN, isTimeZone, SHORTEST_INTERVAL, type SyncSchedule } from '../../schema/schedule.ts';

export const duration = z
  .string({ error: DURATION_FORMS })
  .meta({ pattern: DURATION_PATTERN.source })
  .transform((text, context) => {
    const seconds = parseDuration(text);
    if (seconds === undefined) context.addIssue(DURATION_FORMS);
    return seconds ?? z.NEVER;
  });

const SCHEDULE =
  'an object with "every" (such as "30s"), or with "cron" (five fields) and an optional "time_zone"';
export const scheduleSchema = z
  .strictObject(
    {
      every: duration.refine((seconds) => seconds >= SHORTEST_INTERVAL, { error: '1s or longer' }).optional(),
      cron: z
        .string({ error: SCHEDULE })
        .regex(CRON_PATTERN, { error: 'five fields, as in crontab' })
        .optional(),
      time_zone: z
        .string({ error: 'the name of a time zone, such as "Europe/Berlin"' })
        .refine(isTimeZone, { error: 'the name of a time zone, such as "Europe/Berlin"' })
        .optional(),
    },
    { error: SCHEDULE },
  )
  .refine(
    ({ every, cron, time_zone }) =>
      (every === undefined) !== (cron === undefined) && (cron !== undefined || time_zone === undefined),
    {
      error: SCHEDULE,
    },
  );

export const pipelineScheduleSchema = scheduleSchema
  .optional()
  .describe(
    'When `increp serve` syncs the tables without a `schedule` of their own. `{ "every": "30s" }`, or `cron` and `time_zone`.',
  );

const EVERY_ZONE = 'UTC';

export function scheduleOf({ every, cron, time_zone }: z.output<typeof scheduleSchema>): SyncSchedule {
  if (cron === undefined) return { kind: 'every', seconds: every ?? SHORTEST_INTERVAL };
  return { kind: 'cron', expression: cron.trim(), timeZone: time_zone ?? EVERY_ZONE };
}
