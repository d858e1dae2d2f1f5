/** The questions before actions, and the forms that answer them. */
import * as z from 'zod';
import { parseDuration } from '../../duration.ts';
import { deletePipeline } from '../actions/definitions.ts';
import { pause, resume } from '../actions/pauses.ts';
import { cancelRun, requestPipelineRun } from '../actions/runs.ts';
import type { Role } from '../access/roles.ts';
import { actorOf, type WebApp, type WebContext, type WebParts } from '../web/web-app.ts';
import type { ActionName } from './buttons.ts';
import { actionPath, ACTION_ROLES, isForAll } from './buttons.ts';
import { renderScreen } from './layout.ts';
import { pipelinePath, runPath, tablePath, withQuery } from './links.ts';
import { CANCEL_QUESTION, questionContent, questionFor, type ActionTarget } from './questions.ts';
import { visibleRun } from './visible-run.ts';

const PIPELINE_ACTIONS = ['sync', 'verify', 'full-refresh', 'reset', 'pause', 'resume', 'delete'] as const;
const GENERAL_ACTIONS = ['pause', 'resume'] as const;

export function addActions(app: WebApp, parts: WebParts): void {
  for (const action of PIPELINE_ACTIONS)
    addAction(app, parts, action, {
      path: `/pipelines/:pipeline/do/${action}`,
      access: ACTION_ROLES[action],
      isForAll: isForAll(action),
    });
  for (const action of GENERAL_ACTIONS)
    addAction(app, parts, action, { path: `/do/${action}`, access: ACTION_ROLES[action], isForAll: true });
  addCancel(app, parts);
}

interface ActionRoute {
  readonly path: string;
  readonly access: Role;
  readonly isForAll?: boolean;
}

function addAction(app: WebApp, parts: WebParts, action: ActionName, route: ActionRoute): void {
  app.add({ ...route, method: 'get' }, (context) => {
    const target = targetOf(context);
    const { pipeline, table } = target;
    const form = { action: actionPath(action, { pipeline, table: table ?? '' }), back: backTo(target) };
    return ask(context, { ...form, question: questionFor(action, target), isPause: action === 'pause' });
  });
  app.add({ ...route, method: 'post' }, async (context) => {
    const target = targetOf(context);
    if (target.table !== null) context.set('audited', { table: target.table });
    const address = await perform(context, parts, action, target);
    return context.redirect(withQuery(address, { done: action }), 303);
  });
}

function targetOf(context: WebContext): ActionTarget {
  const table = context.req.query('table') ?? '';
  return { pipeline: context.req.param('pipeline') ?? null, table: table === '' ? null : table };
}

function backTo({ pipeline, table }: ActionTarget): string {
  if (pipeline === null) return '/';
  return table === null ? pipelinePath(pipeline) : tablePath(pipeline, table);
}

const ask = (
  context: WebContext,
  form: Parameters<typeof questionContent>[0],
): Response | Promise<Response> =>
  context.html(renderScreen({ title: form.question.title, actor: actorOf(context) }, questionContent(form)));

const pauseForm = z.object({
  note: z.string().trim().max(200).catch(''),
  duration: z
    .string()
    .transform((text) => parseDuration(text))
    .catch(undefined),
});

/** Returns the address of the screen that shows the result. */
async function perform(
  context: WebContext,
  { control, queue }: WebParts,
  action: ActionName,
  target: ActionTarget,
): Promise<string> {
  const { pipeline, table } = target;
  const by = actorOf(context).name;
  if (action === 'pause') {
    const { note, duration } = pauseForm.parse(await context.req.parseBody());
    const endsAt = duration === undefined ? null : new Date(Date.now() + duration * 1000);
    await pause(control, queue, { pipeline, table, reason: note, endsAt, by });
    return backTo(target);
  }
  if (action === 'resume') {
    await resume(control, { pipeline, table });
    return backTo(target);
  }
  if (action === 'delete') {
    await deletePipeline(control, pipeline ?? '');
    return '/';
  }
  const run = await requestPipelineRun(control, queue, {
    ...{ pipeline: pipeline ?? '', by, kind: action === 'full-refresh' ? 'sync' : action },
    ...(table !== null && { tables: [table] }),
    ...(action === 'full-refresh' && { options: { isFullRefresh: true } }),
  });
  return runPath(run);
}

function addCancel(app: WebApp, parts: WebParts): void {
  const path = '/runs/:run/do/cancel';
  app.add({ method: 'get', path, access: 'operate' }, async (context) => {
    const { id } = await visibleRun(context, parts);
    const form = { action: `${runPath(id)}/do/cancel`, back: runPath(id), isPause: false };
    return ask(context, { ...form, question: CANCEL_QUESTION });
  });
  app.add({ method: 'post', path, access: 'operate' }, async (context) => {
    const { id } = await visibleRun(context, parts);
    await cancelRun(parts.control, id);
    return context.redirect(withQuery(runPath(id), { done: 'cancel' }), 303);
  });
}
