/** The HTML part of the service: four screens, the login and the questions before actions. */
import * as z from 'zod';
import { readAttempts, readPauses, readQueue, readRunning, readWorkers } from '../read/activity.ts';
import { readAudit } from '../read/audit.ts';
import { LOG_LEVELS, readRunLog } from '../read/logs.ts';
import { readOverview, readPeriods } from '../read/overview.ts';
import {
  readPipeline,
  readSchedules,
  readServing,
  readStateCounts,
  readTableList,
} from '../read/pipeline.ts';
import { tableState } from '../read/rows.ts';
import { readRuns } from '../read/run.ts';
import { readLags, readTable } from '../read/table.ts';
import type { RefusalText } from '../refusal.ts';
import { TABLE_ORDERS } from '../../sql/control/read/details.ts';
import {
  actorOf,
  RETRY_SECONDS,
  type WebApp,
  type WebContext,
  type WebPage,
  type WebParts,
} from '../web/web-app.ts';
import { addActions } from './actions.ts';
import { readAssets } from './assets.ts';
import { renderScreen } from './layout.ts';
import { pipelineLink } from './links.ts';
import { loginContent, refusalContent } from './login.ts';
import { silentIn } from '../unserved-runs.ts';
import { attentionText, overviewContent, PIPELINES_ON_PAGE } from './overview.ts';
import { pipelineContent, TABLES_ON_PAGE } from './pipeline.ts';
import { NOTICES } from './questions.ts';
import { isPreview, runContent } from './run.ts';
import { tableContent } from './table.ts';
import { missing, visibleRun } from './visible-run.ts';

export const servicePage = (): WebPage => ({
  assets: readAssets(),
  addRoutes: (app, parts) => {
    addScreens(app, parts);
    addActions(app, parts);
  },
  renderRefusal,
});

/** Wrong parameters count as none. */
const queryOf = (context: WebContext) => {
  const { search = '', state, order, page, level, done, next = '/' } = context.req.query();
  return {
    search: search.slice(0, 200),
    state: tableState
      .or(z.literal(''))
      .catch('')
      .parse(state ?? ''),
    order: z.enum(TABLE_ORDERS).catch('trouble').parse(order),
    page: z.coerce.number().int().min(1).max(100_000).catch(1).parse(page),
    level: z.enum(LOG_LEVELS).catch('info').parse(level),
    notice: done === undefined ? undefined : NOTICES[done],
    next,
  };
};

const parameter = (context: WebContext, name: 'pipeline' | 'table' | 'run'): string =>
  context.req.param(name) ?? '';

/** The screen again, without the notice of an action. */
function ownAddress(context: WebContext): string {
  const { pathname, searchParams } = new URL(context.req.url);
  searchParams.delete('done');
  return searchParams.size === 0 ? pathname : `${pathname}?${searchParams.toString()}`;
}

function addScreens(app: WebApp, parts: WebParts): void {
  app.add({ method: 'get', path: '/login', access: 'open' }, (context) =>
    context.html(renderScreen({ title: 'Log in', actor: undefined }, loginContent(queryOf(context).next))),
  );
  app.add({ method: 'get', path: '/', access: 'read' }, (context) => overviewScreen(context, parts));
  app.add({ method: 'get', path: '/pipelines/:pipeline', access: 'read' }, (context) =>
    pipelineScreen(context, parts),
  );
  app.add({ method: 'get', path: '/pipelines/:pipeline/tables/:table', access: 'read' }, (context) =>
    tableScreen(context, parts),
  );
  app.add({ method: 'get', path: '/runs/:run', access: 'read' }, (context) => runScreen(context, parts));
}

async function overviewScreen(context: WebContext, parts: WebParts): Promise<Response> {
  const actor = actorOf(context);
  const { control } = parts;
  const { search, page, notice } = queryOf(context);
  const visible = actor.pipelines;
  const [overview, periods, running, workers, queue, pauses] = await Promise.all([
    readOverview(control, {
      ...{ visible, search, silentSeconds: silentIn(parts) },
      ...{ limit: PIPELINES_ON_PAGE, offset: (page - 1) * PIPELINES_ON_PAGE },
    }),
    readPeriods(control, visible),
    readRunning(control, { visible, pipeline: null, limit: 50 }),
    readWorkers(control, silentIn(parts)),
    readQueue(control, visible),
    readPauses(control, null),
  ]);
  const content = overviewContent({
    ...{ actor, overview, periods, running, workers, queue, pauses, search, page },
  });
  const title = attentionText(overview);
  return context.html(renderScreen({ title, actor, refresh: ownAddress(context), notice }, ...content));
}

async function pipelineScreen(context: WebContext, parts: WebParts): Promise<Response> {
  const actor = actorOf(context);
  const { control } = parts;
  const name = parameter(context, 'pipeline');
  const { search, state, order, page, notice } = queryOf(context);
  const pipeline = await readPipeline(control, name);
  if (!pipeline) throw missing(`there is no pipeline "${name}"`);
  const of = { visible: actor.pipelines, pipeline: name };
  const [states, tables, schedules, workers, running, runs, audit, pauses] = await Promise.all([
    readStateCounts(control, name),
    readTableList(control, {
      ...{ pipeline: name, search, state, order },
      ...{ limit: TABLES_ON_PAGE, offset: (page - 1) * TABLES_ON_PAGE },
    }),
    readSchedules(control, name),
    readServing(control, name, silentIn(parts)),
    readRunning(control, { ...of, limit: 50 }),
    readRuns(control, { ...of, limit: 50, withoutQuiet: true }),
    readAudit(control, { ...of, limit: 20 }),
    readPauses(control, name),
  ]);
  const content = pipelineContent({
    ...{ actor, pipeline, states, tables, filter: { search, state, order }, page },
    ...{ schedules, workers, running, runs, audit, pauses },
  });
  const screen = { title: name, actor, refresh: ownAddress(context), notice };
  return context.html(renderScreen(screen, ...content));
}

async function tableScreen(context: WebContext, { control }: WebParts): Promise<Response> {
  const actor = actorOf(context);
  const [pipeline, name] = [parameter(context, 'pipeline'), parameter(context, 'table')];
  const table = await readTable(control, pipeline, name);
  if (!table) throw missing(`pipeline "${pipeline}" has no table "${name}"`);
  const [whole, schedules, lags, attempts, pauses] = await Promise.all([
    readPipeline(control, pipeline),
    readSchedules(control, pipeline),
    readLags(control, pipeline, name),
    readAttempts(control, { pipeline, table: name, limit: 50 }),
    readPauses(control, pipeline),
  ]);
  const problem = whole?.problem ?? null;
  const content = tableContent({ actor, table, schedules, lags, attempts, pauses, problem });
  const { notice } = queryOf(context);
  const screen = {
    title: name,
    actor,
    refresh: ownAddress(context),
    notice,
    trail: [pipelineLink(pipeline)],
  };
  return context.html(renderScreen(screen, ...content));
}

async function runScreen(context: WebContext, parts: WebParts): Promise<Response> {
  const actor = actorOf(context);
  const run = await visibleRun(context, parts);
  const { notice, level } = queryOf(context);
  const lines = await readRunLog(parts.control, { run: run.id, level, limit: 200 });
  const trail = isPreview(run) ? [] : [pipelineLink(run.pipeline)];
  const screen = { title: `Run of ${run.pipeline}`, actor, notice, trail };
  return context.html(
    renderScreen({ ...screen, refresh: ownAddress(context) }, ...runContent(run, actor, { level, lines })),
  );
}

const nextForm = z.object({ next: z.string().catch('/') });

/** A wrong token leads to the login again. */
async function renderRefusal(context: WebContext, refusal: RefusalText): Promise<Response> {
  const isLogin = context.req.path === '/login';
  const { next } = nextForm.parse(isLogin ? await context.req.parseBody() : {});
  // A form is not sent again by itself.
  const reloadAfter = refusal.status === 503 && context.req.method === 'GET' ? RETRY_SECONDS : undefined;
  const content = isLogin ? loginContent(next, refusal) : refusalContent(refusal, reloadAfter);
  const actor = isLogin ? undefined : context.get('actor');
  return context.html(
    renderScreen({ title: isLogin ? 'Log in' : refusal.message, actor, reloadAfter }, content),
    refusal.status,
  );
}
