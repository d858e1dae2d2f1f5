/** Pipelines without a directory: the API and the page create, change, delete and preview them. */
import * as z from 'zod';
import {
  connectionsOf,
  definitionSchema,
  outlineOfDefinition,
  type PipelineDefinition,
} from '../../config/service/definition.ts';
import type { PipelineOutline } from '../../config/service/schedules.ts';
import type { ControlDatabase, ControlSession } from '../../postgres/control-database.ts';
import {
  CHANGE_DEFINED,
  CREATE_DEFINED,
  DELETE_DEFINED,
  FORGET_PIPELINE,
  FIND_DEFINITION,
  LOCK_DEFINITION,
  LOCK_SCHEDULES,
  MISSING_CONNECTIONS,
} from '../../sql/control/definitions.ts';
import type { Actor } from '../access/roles.ts';
import { cancelDeletedWork } from '../deleted-pipelines.ts';
import { scheduleDefined } from '../known-pipelines.ts';
import { queueOf, type Queue } from '../queue.ts';
import { RefusedRequest } from '../refusal.ts';
import { requestRun } from '../trigger.ts';

export interface DefinitionOrder {
  readonly name: string;
  readonly definition: PipelineDefinition;
}

const versionRow = z.object({ version: z.number() });
const foundRow = z.object({ version: z.number(), definition: definitionSchema.nullable() });

/** Returns the version. Throws an IncrepError CONFIG_INVALID, or a RefusedRequest CONFLICT if the name is in use. */
export async function createPipeline(
  control: ControlDatabase,
  queue: Queue,
  { name, definition }: DefinitionOrder,
): Promise<number> {
  const { jobs, schedules } = ensureSound({ name, definition });
  await queue.ensure(queueOf(name));
  return control.transaction(async (session) => {
    const values = [name, queueOf(name), jobs, JSON.stringify(definition)];
    const created = versionRow.optional().parse((await session.query(CREATE_DEFINED, values)).rows[0]);
    if (!created) throw nameInUse(name, (await findPipeline(session, name))?.definition ?? null);
    // A pipeline that had the name before may have left something.
    await forgetPipeline(session, name);
    await scheduleDefined(session, name, schedules);
    return created.version;
  });
}

interface ChangeOrder extends DefinitionOrder {
  /** The version that the change is based on. */
  readonly version: number;
  readonly actor: Actor;
}

/** Returns the next version. Throws a RefusedRequest CONFLICT if somebody has changed the pipeline meanwhile. */
export async function changePipeline(
  control: ControlDatabase,
  { name, definition, version, actor }: ChangeOrder,
): Promise<number> {
  const { jobs, schedules } = ensureSound({ name, definition });
  return control.transaction(async (session) => {
    const before = await lockDefined(session, name);
    ensureSameConnections(actor, definition, before.definition);
    if (before.version !== version)
      throw new RefusedRequest(
        'CONFLICT',
        `pipeline "${name}" has version ${before.version} by now, not ${version}`,
        `Read it again: GET /api/v1/pipelines/${name}. Then send the change with its version.`,
      );
    const values = [name, jobs, JSON.stringify(definition)];
    const changed = versionRow.parse((await session.query(CHANGE_DEFINED, values)).rows[0]);
    await scheduleDefined(session, name, schedules);
    return changed.version;
  });
}

/** Its work is cancelled in order. Destinations and the history stay. */
export async function deletePipeline(control: ControlDatabase, name: string): Promise<void> {
  await control.transaction(async (session) => {
    await lockDefined(session, name);
    await session.query(DELETE_DEFINED, [name]);
    await forgetPipeline(session, name);
  });
  await cancelDeletedWork(control);
}

interface PreviewOrder extends DefinitionOrder {
  readonly actor: Actor;
}

/** A worker with the connections plans it. Returns the ID of the run. */
export async function previewPipeline(
  control: ControlDatabase,
  queue: Queue,
  { name, definition, actor }: PreviewOrder,
): Promise<string> {
  ensureSound({ name, definition });
  return control.transaction(async (session) => {
    const before = await findPipeline(session, name);
    if (before && !before.definition) throw nameInUse(name, null);
    ensureSameConnections(actor, definition, before?.definition ?? null);
    const order = { pipeline: name, kind: 'plan', origin: 'request', by: actor.name, definition } as const;
    return requestRun(session, queue, order);
  });
}

/** The connections that no worker has now. */
export async function missingConnections(
  session: ControlSession,
  definition: PipelineDefinition,
  silentSeconds: number,
): Promise<readonly string[]> {
  const { rows } = await session.query(MISSING_CONNECTIONS, [connectionsOf(definition), silentSeconds]);
  return z
    .array(z.object({ name: z.string() }))
    .parse(rows)
    .map(({ name }) => name);
}

function ensureSound({ name, definition }: DefinitionOrder): PipelineOutline {
  const outline = outlineOfDefinition(name, definition);
  if (outline.problem) throw outline.problem;
  return outline;
}

/** A token that is limited to pipelines does not choose what they read and write. */
function ensureSameConnections(
  actor: Actor,
  definition: PipelineDefinition,
  before: PipelineDefinition | null,
): void {
  if (actor.pipelines === null) return;
  const named = ({ source, destinations }: PipelineDefinition) => JSON.stringify([source, ...destinations]);
  if (before && named(before) === named(definition)) return;
  throw new RefusedRequest(
    'FORBIDDEN',
    `token ${actor.name} is limited to pipelines, so it may not choose connections`,
    'Use a token of the role admin without --pipeline.',
  );
}

async function findPipeline(session: ControlSession, name: string, statement = FIND_DEFINITION) {
  return foundRow.optional().parse((await session.query(statement, [name])).rows[0]);
}

async function lockDefined(session: ControlSession, name: string) {
  await session.query(LOCK_SCHEDULES, [name]);
  const found = await findPipeline(session, name, LOCK_DEFINITION);
  if (!found)
    throw new RefusedRequest('NOT_FOUND', `there is no pipeline "${name}"`, 'See GET /api/v1/pipelines.');
  const { definition } = found;
  if (!definition) throw nameInUse(name, null);
  return { ...found, definition };
}

const nameInUse = (name: string, definition: PipelineDefinition | null): RefusedRequest =>
  definition
    ? new RefusedRequest(
        'CONFLICT',
        `there is a pipeline "${name}" already`,
        `Change it: PUT /api/v1/pipelines/${name}.`,
      )
    : new RefusedRequest(
        'CONFLICT',
        `pipeline "${name}" is a directory below --pipelines, so the API cannot change it`,
        'Edit tables-config.json in its directory, or choose another name.',
      );

async function forgetPipeline(session: ControlSession, name: string): Promise<void> {
  for (const statement of FORGET_PIPELINE) await session.query(statement, [name]);
}
