/** Keeps the pipelines and schedules of the control database like the directories below --pipelines, and like definitions. */
import * as z from 'zod';
import type { Timing } from '../timing.ts';
import { outlineOfDefinition } from '../config/service/definition.ts';
import { findPipelines, type PipelineDirectory } from '../config/service/pipeline-directories.ts';
import { readOutline, type ScheduledEntry } from '../config/service/schedules.ts';
import { scheduleOf, scheduleSchema } from '../config/tables/schedule-schema.ts';
import { IncrepError } from '../errors.ts';
import type { ControlDatabase, ControlSession } from '../postgres/control-database.ts';
import type { SyncSchedule } from '../schema/schedule.ts';
import { errorToJson } from '../report/summary-json.ts';
import {
  DATABASE_TIME,
  READ_SCHEDULES,
  REMOVE_SCHEDULES,
  SAVE_PIPELINE,
  SAVE_SCHEDULE,
} from '../sql/control/runs.ts';
import { PRESENT_PIPELINES } from '../sql/control/serve-processes.ts';
import { SAVE_DEFINED } from '../sql/control/definitions.ts';
import { LIST_OVERRIDES } from '../sql/control/pauses.ts';
import { definedPipelines, type DefinedPipeline } from './defined-pipelines.ts';
import { cancelDeletedWork } from './deleted-pipelines.ts';
import { nextDue } from './next-due.ts';
import { queueOf, type Queue } from './queue.ts';
import { serveProcess, type SharedNames } from './serve-process.ts';
import type { ServiceLog } from './service-log.ts';
import { scheduleIn, scheduleRows } from './trigger.ts';

export interface KnownPipelines {
  /** Reads the files that have changed. Returns the names of directories that cannot be pipelines. */
  readonly refresh: () => Promise<readonly string[]>;
}

interface KnownPipelinesOptions {
  readonly root: string;
  readonly control: ControlDatabase;
  readonly queue: Queue;
  readonly timing: Timing;
  readonly log: Pick<ServiceLog, 'info' | 'warn'>;
}

export function knownPipelines(options: KnownPipelinesOptions): KnownPipelines {
  const { root, control, queue, log } = options;
  const readDefined = definedPipelines(control);
  const self = serveProcess(options);
  let known = new Map<string, string>();
  let shared: SharedNames = new Set();
  return {
    refresh: async () => {
      const [{ pipelines: directories, refused }, defined] = await Promise.all([
        findPipelines(root),
        readDefined(),
      ]);
      const before = shared;
      shared = await self.register(directories.map(({ name }) => name));
      const present = await presentPipelines(control);
      const overrides = await readOverrides(control);
      const isDefined = (name: string) => defined.some((each) => each.name === name);
      const found = [
        ...directories
          .filter(({ name }) => !isDefined(name))
          .map((each) => ({ ...withOverrides(each, overrides), kind: 'directory' as const })),
        ...defined.map((each) => {
          const twin = directories.find(({ name }) => name === each.name);
          const fingerprint = `version ${each.version}/${twin?.directory ?? ''}`;
          return {
            ...withOverrides({ ...each, fingerprint }, overrides),
            ...{ kind: 'definition' as const, twin: twin?.directory },
          };
        }),
      ];
      for (const pipeline of found) {
        const { name, kind, fingerprint } = pipeline;
        const isLost = kind === 'directory' && known.has(name) && !present.has(name);
        // Another `serve` may have saved the schedules of its own directory.
        const isOwnAgain = before.has(name) && !shared.has(name);
        if (known.get(name) === fingerprint && !isLost && !isOwnAgain) continue;
        await (kind === 'directory'
          ? saveDirectory(control, queue, pipeline)
          : saveDefinition(control, queue, pipeline));
        if (isLost)
          log.warn('the pipeline was missing in the control database and is there again', { pipeline: name });
      }
      await self.removeOthers();
      known = new Map(found.map(({ name, fingerprint }) => [name, fingerprint]));
      await cancelDeletedWork(control);
      return refused;
    },
  };
}

const nameRow = z.object({ name: z.string() });

/** Another `serve` may have removed a pipeline while this one showed no sign of life. */
const presentPipelines = async (control: ControlSession): Promise<ReadonlySet<string>> =>
  new Set(
    z
      .array(nameRow)
      .parse((await control.query(PRESENT_PIPELINES)).rows)
      .map(({ name }) => name),
  );

const overrideRow = z.object({ pipeline: z.string(), entry: z.string(), schedule: scheduleSchema });
type Override = z.infer<typeof overrideRow>;

const readOverrides = async (control: ControlSession): Promise<readonly Override[]> =>
  z.array(overrideRow).parse((await control.query(LIST_OVERRIDES)).rows);

interface WithOverrides {
  readonly overrides: readonly ScheduledEntry[];
}

/** A schedule that a person sets or removes is a change like one of the file. */
function withOverrides<T extends { readonly name: string; readonly fingerprint: string }>(
  pipeline: T,
  all: readonly Override[],
): T & WithOverrides {
  const overrides = overridesOf(pipeline.name, all);
  return { ...pipeline, overrides, fingerprint: `${pipeline.fingerprint}/${JSON.stringify(overrides)}` };
}

const overridesOf = (name: string, all: readonly Override[]): readonly ScheduledEntry[] =>
  all
    .filter(({ pipeline }) => pipeline === name)
    .map(({ entry, schedule }) => ({ entry, schedule: scheduleOf(schedule) }));

/** Those that people set come last, and only one of an entry counts. */
const effective = (
  written: readonly ScheduledEntry[],
  overrides: readonly ScheduledEntry[],
): readonly ScheduledEntry[] => [
  ...written.filter(({ entry }) => !overrides.some((other) => other.entry === entry)),
  ...overrides,
];

async function saveDirectory(
  control: ControlDatabase,
  queue: Queue,
  { name, directory, overrides }: PipelineDirectory & WithOverrides,
): Promise<void> {
  const { jobs, schedules, problem } = await readOutline(directory);
  await queue.ensure(queueOf(name));
  await control.transaction(async (session) => {
    const values = [name, queueOf(name), jobs, problem ? errorToJson(problem) : null];
    const { rowCount } = await session.query(SAVE_PIPELINE, values);
    // Somebody may have created a pipeline with this name a moment ago. A file with a problem says nothing about its schedules.
    if (rowCount === 1 && !problem) await saveSchedules(session, name, effective(schedules, overrides));
  });
}

/** The API has saved it. A newer increp may find another problem, and people change schedules. */
async function saveDefinition(
  control: ControlDatabase,
  queue: Queue,
  {
    name,
    version,
    definition,
    overrides,
    twin,
  }: DefinedPipeline & WithOverrides & { readonly twin: string | undefined },
): Promise<void> {
  const outline = outlineOfDefinition(name, definition);
  const problem = outline.problem ?? (twin === undefined ? undefined : twinProblem(name, twin));
  await queue.ensure(queueOf(name));
  await control.transaction(async (session) => {
    const values = [name, version, outline.jobs, problem ? errorToJson(problem) : null];
    const { rowCount } = await session.query(SAVE_DEFINED, values);
    if (rowCount === 1 && !outline.problem)
      await saveSchedules(session, name, effective(outline.schedules, overrides));
  });
}

const twinProblem = (name: string, directory: string): IncrepError =>
  new IncrepError('CONFIG_INVALID', {
    what: `the API has created pipeline "${name}", and the directory ${directory} has the same name; the directory is ignored`,
    next: `Rename the directory, or delete the pipeline: DELETE /api/v1/pipelines/${name}.`,
  });

/** In the transaction that has created or changed the pipeline. */
export async function scheduleDefined(
  session: ControlSession,
  name: string,
  schedules: readonly ScheduledEntry[],
): Promise<void> {
  await saveSchedules(session, name, effective(schedules, overridesOf(name, await readOverrides(session))));
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
