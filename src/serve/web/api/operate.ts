/** Runs, pauses and schedules: what operators change. */
import { z } from '@hono/zod-openapi';
import { ensureMayUse } from '../../access/ensure-may-use.ts';
import { pause, resume, type PauseScope } from '../../actions/pauses.ts';
import { cancelRun, pipelineOfRun, requestPipelineRun, type RequestedRun } from '../../actions/runs.ts';
import { removeSchedule, setSchedule } from '../../actions/schedules.ts';
import type { WebApp, WebParts } from '../web-app.ts';
import { readBlocker } from '../../read/pipeline-trouble.ts';
import { inJson } from './in-json.ts';
import { silentIn } from '../../unserved-runs.ts';
import { declareApi } from './declare.ts';
import { durationSchema, inPipeline, inTable, nameSchema, requested, tablesSchema } from './schemas.ts';

const done = z.object({ done: z.literal(true) });
const DONE = { done: true } as const;
const inRun = z.object({ run: z.uuid() });

export function addOperations(app: WebApp, parts: WebParts): void {
  addRuns(app, parts);
  addPauses(app, parts);
  addSchedules(app, parts);
}

function addRuns(app: WebApp, parts: WebParts): void {
  const { control, queue } = parts;
  const request = async (order: RequestedRun) => {
    const run = await requestPipelineRun(control, queue, order);
    const blockedBy = await readBlocker(control, order.pipeline, silentIn(parts));
    return { run, ...(blockedBy && { blocked_by: inJson(blockedBy) }) };
  };
  declareApi(
    app,
    {
      ...{ method: 'post', path: '/pipelines/{pipeline}/sync', access: 'operate', status: 202 },
      summary: 'Sync a pipeline now',
      params: inPipeline,
      body: z.strictObject({
        tables: tablesSchema.optional(),
        full_refresh: z.boolean().optional().describe('Load the tables again.'),
        deletes: z.boolean().optional().describe('Search for deleted rows now.'),
        verify: z.boolean().optional().describe('Compare the rows after the sync.'),
        max_duration: durationSchema.optional().describe('Begin no table after this time.'),
      }),
      result: requested,
    },
    async ({ params: { pipeline }, body, actor: { name: by } }) => {
      const { tables, full_refresh, deletes, verify, max_duration } = body;
      const options = {
        ...{ isFullRefresh: full_refresh, areDeletesForced: deletes, isVerified: verify },
        maxSeconds: max_duration,
      };
      return request({ pipeline, tables, options, by });
    },
  );
  const commands = { plan: 'operate', check: 'operate', verify: 'operate', reset: 'admin' } as const;
  const summaries = {
    plan: 'Show what a sync would do',
    check: 'Check a pipeline',
    verify: 'Compare the tables with the source',
    reset: 'Load tables again at the next sync',
  };
  for (const kind of ['plan', 'check', 'verify', 'reset'] as const)
    declareApi(
      app,
      {
        ...{ method: 'post', path: `/pipelines/{pipeline}/${kind}`, access: commands[kind], status: 202 },
        summary: `${summaries[kind]}: a worker runs "increp ${kind}"`,
        params: inPipeline,
        // Nobody resets every table because a key is missing.
        body: z.strictObject({ tables: kind === 'reset' ? tablesSchema : tablesSchema.optional() }),
        result: requested,
      },
      async ({ params: { pipeline }, body: { tables }, actor: { name: by } }) =>
        request({ pipeline, kind, tables, by }),
    );
  declareApi(
    app,
    {
      ...{ method: 'post', path: '/runs/{run}/cancel', access: 'operate' },
      summary: 'Cancel a run; unfinished tables are rolled back',
      params: inRun,
      result: done,
    },
    async ({ params: { run }, actor }) => {
      ensureMayUse(actor, await pipelineOfRun(control, run));
      await cancelRun(control, run);
      return DONE;
    },
  );
}

const pauseBody = z.strictObject({
  reason: z.string().min(1).max(500),
  until: z.iso.datetime({ offset: true }).optional().describe('Without it, the pause has no end.'),
});

interface PausePlace {
  readonly path: string;
  readonly about: string;
  readonly params: z.ZodObject & z.ZodType<{ readonly pipeline?: string; readonly table?: string }>;
  readonly isForAll: boolean;
}

function addPauses(app: WebApp, { control, queue }: WebParts): void {
  const places: readonly PausePlace[] = [
    { path: '/pause', about: 'everything', params: z.object({}), isForAll: true },
    { path: '/pipelines/{pipeline}/pause', about: 'a pipeline', params: inPipeline, isForAll: false },
    {
      path: '/pipelines/{pipeline}/tables/{table}/pause',
      about: 'a table',
      params: inTable,
      isForAll: false,
    },
  ] as const;
  const scopeOf = (params: { readonly pipeline?: string; readonly table?: string }): PauseScope => ({
    pipeline: params.pipeline ?? null,
    table: params.table ?? null,
  });
  for (const { path, about, params, isForAll } of places) {
    declareApi(
      app,
      {
        ...{ method: 'put', path, access: 'operate', isForAll, params },
        summary: `Pause ${about}`,
        body: pauseBody,
        result: done,
      },
      async ({ params: given, body: { reason, until }, actor: { name: by } }) => {
        const endsAt = until === undefined ? null : new Date(until);
        await pause(control, queue, { ...scopeOf(given), reason, endsAt, by });
        return DONE;
      },
    );
    declareApi(
      app,
      {
        ...{ method: 'delete', path, access: 'operate', isForAll, params },
        summary: `End the pause of ${about}`,
        result: done,
      },
      async ({ params: given }) => {
        await resume(control, scopeOf(given));
        return DONE;
      },
    );
  }
  declareApi(
    app,
    {
      ...{ method: 'post', path: '/pipelines/{pipeline}/stop', access: 'operate', params: inPipeline },
      summary: 'Switch a pipeline off: no table begins, until it is started',
      result: done,
    },
    async ({ params: { pipeline }, actor: { name: by } }) => {
      await pause(control, queue, { pipeline, table: null, reason: 'stopped', endsAt: null, by });
      return DONE;
    },
  );
  declareApi(
    app,
    {
      ...{ method: 'post', path: '/pipelines/{pipeline}/start', access: 'operate', params: inPipeline },
      summary: 'Switch a pipeline on: its schedules are due again',
      result: done,
    },
    async ({ params: { pipeline } }) => {
      await resume(control, { pipeline, table: null });
      return DONE;
    },
  );
}

const scheduleBody = z.union(
  [
    z.strictObject({ every: z.string().openapi({ example: '30s' }) }),
    z.strictObject({ cron: z.string().openapi({ example: '0 3 * * *' }), time_zone: z.string().optional() }),
  ],
  { error: `a schedule has "every", or "cron" and perhaps "time_zone"` },
);

function addSchedules(app: WebApp, { control }: WebParts): void {
  const places = [
    { path: '/pipelines/{pipeline}/schedule', about: 'a pipeline', params: inPipeline },
    {
      path: '/pipelines/{pipeline}/schedules/{entry}',
      about: 'an entry of tables-config.json',
      params: inPipeline.extend({ entry: nameSchema }),
    },
  ] as const;
  for (const { path, about, params } of places) {
    declareApi(
      app,
      {
        ...{ method: 'put', path, access: 'operate', params },
        summary: `Set the schedule of ${about}, instead of that of the file`,
        body: scheduleBody,
        result: done,
      },
      async ({ params: given, body: schedule, actor: { name: by } }) => {
        await setSchedule(control, { pipeline: given.pipeline, entry: entryIn(given), schedule, by });
        return DONE;
      },
    );
    declareApi(
      app,
      {
        ...{ method: 'delete', path, access: 'operate', params },
        summary: `Use the schedule of the file again for ${about}`,
        result: done,
      },
      async ({ params: given }) => {
        await removeSchedule(control, { pipeline: given.pipeline, entry: entryIn(given) });
        return DONE;
      },
    );
  }
}

const entryIn = (params: object): string => ('entry' in params ? String(params.entry) : '');
