/** Keeps the pipelines and schedules of the control database like the directories below --pipelines. */
import * as z from 'zod';
import { findPipelines, type PipelineDirectory } from '../config/service/pipeline-directories.ts';
import { readOutline, type ScheduledEntry } from '../config/service/schedules.ts';
import { scheduleOf, scheduleSchema } from '../config/tables/schedule-schema.ts';
import type { ControlDatabase, ControlSession } from '../postgres/control-database.ts';
import type { SyncSchedule } from '../schema/schedule.ts';
import { errorToJson } from '../report/summary-json.ts';
import {
  DATABASE_TIME,
  READ_SCHEDULES,
  REMOVE_PIPELINES,
  REMOVE_SCHEDULES,
  SAVE_PIPELINE,
  SAVE_SCHEDULE,
} from '../sql/control/runs.ts';
import { LIST_OVERRIDES } from '../sql/control/pauses.ts';
import { nextDue } from './next-due.ts';
import { queueOf, type Queue } from './queue.ts';
import { scheduleIn, scheduleRows } from './trigger.ts';

export interface KnownPipelines {
  /** Reads the files that have changed. Returns the names of directories that cannot be pipelines. */
  readonly refresh: () => Promise<readonly string[]>;
}

export function knownPipelines(root: string, control: ControlDatabase, queue: Queue): KnownPipelines {
  let known = new Map<string, string>();
  return {
    refresh: async () => {
      const { pipelines: found, refused } = await findPipelines(root);
      const overrides = await readOverrides(control);
      const pipelines = found.map((pipeline) => withOverrides(pipeline, overrides));
      for (const pipeline of pipelines)
        if (known.get(pipeline.name) !== pipeline.fingerprint) await save(control, queue, pipeline);
      if (known.size === 0 || pipelines.length < known.size)
        await control.query(REMOVE_PIPELINES, [pipelines.map(({ name }) => name)]);
      known = new Map(pipelines.map(({ name, fingerprint }) => [name, fingerprint]));
      return refused;
    },
  };
}

const overrideRow = z.object({ pipeline: z.string(), entry: z.string(), schedule: scheduleSchema });
type Override = z.infer<typeof overrideRow>;

const readOverrides = async (control: ControlSession): Promise<readonly Override[]> =>
  z.array(overrideRow).parse((await control.query(LIST_OVERRIDES)).rows);

type ScheduledPipeline = PipelineDirectory & { readonly overrides: readonly ScheduledEntry[] };

/** A schedule that a person sets or removes is a change like one of the file. */
function withOverrides(pipeline: PipelineDirectory, all: readonly Override[]): ScheduledPipeline {
  const own = all.filter((each) => each.pipeline === pipeline.name);
  const overrides = own.map(({ entry, schedule }) => ({ entry, schedule: scheduleOf(schedule) }));
  return { ...pipeline, overrides, fingerprint: `${pipeline.fingerprint}/${JSON.stringify(overrides)}` };
}

/** Those that people set come last, and only one of an entry counts. */
const effective = (
  written: readonly ScheduledEntry[],
  overrides: readonly ScheduledEntry[],
): readonly ScheduledEntry[] => [
  ...written.filter(({ entry }) => !overrides.some((other) => other.entry === entry)),
  ...overrides,
];

async function save(
  control: ControlDatabase,
  queue: Queue,
  { name, directory, overrides }: ScheduledPipeline,
): Promise<void> {
  const { jobs, schedules, problem } = await readOutline(directory);
  await queue.ensure(queueOf(name));
  await control.transaction(async (session) => {
    await session.query(SAVE_PIPELINE, [name, queueOf(name), jobs, problem ? errorToJson(problem) : null]);
    // A file with a problem says nothing about its schedules.
    if (!problem) await saveSchedules(session, name, effective(schedules, overrides));
  });
}

async function saveSchedules(
  session: ControlSession,
  pipeline: string,
  schedules: readonly ScheduledEntry[],
): Promise<void> {
  const { now } = z.object({ now: z.date() }).parse((await session.query(DATABASE_TIME)).rows[0]);
  const before = scheduleRows.parse((await session.query(`${READ_SCHEDULES} FOR UPDATE`, [pipeline])).rows);
  for (const { entry, schedule } of schedules) {
    const row = before.find((each) => each.entry === entry);
    if (row && isSame(scheduleIn(row), schedule)) continue;
    const { seconds, expression, timeZone } = fieldsOf(schedule);
    const first = firstDue(schedule, now);
    await session.query(SAVE_SCHEDULE, [
      ...[pipeline, entry, schedule.kind, seconds, expression, timeZone],
      ...[first.dueAt, first.problem],
    ]);
  }
  await session.query(REMOVE_SCHEDULES, [pipeline, schedules.map(({ entry }) => entry)]);
}

const isSame = (one: SyncSchedule, other: SyncSchedule): boolean =>
  JSON.stringify(fieldsOf(one)) === JSON.stringify(fieldsOf(other));

const fieldsOf = (schedule: SyncSchedule) =>
  schedule.kind === 'every'
    ? { seconds: schedule.seconds, expression: null, timeZone: null }
    : { seconds: null, expression: schedule.expression, timeZone: schedule.timeZone };

/** An interval begins at once. */
function firstDue(
  schedule: SyncSchedule,
  now: Date,
): { readonly dueAt: Date; readonly problem: string | null } {
  if (schedule.kind === 'every') return { dueAt: now, problem: null };
  try {
    return { dueAt: nextDue(schedule, now), problem: null };
  } catch (error) {
    return { dueAt: now, problem: error instanceof Error ? error.message : String(error) };
  }
}
