/** What the API shows. */
import { z } from '@hono/zod-openapi';
import { ensureMayUse } from '../../access/ensure-may-use.ts';
import { ensurePipelineExists } from '../../actions/runs.ts';
import { ensureTableExists } from '../../missing-table.ts';
import { readAttempts, readPauses, readWorkers } from '../../read/activity.ts';
import { readAudit } from '../../read/audit.ts';
import { LOG_LEVELS, readLogs, readRunLog } from '../../read/logs.ts';
import { readOverview } from '../../read/overview.ts';
import { isTroubled } from '../../read/pipeline-trouble.ts';
import {
  readPipeline,
  readSchedules,
  readServing,
  readStateCounts,
  readTableList,
} from '../../read/pipeline.ts';
import { readRun, readRuns, withBlockers } from '../../read/run.ts';
import { readLags, readTable } from '../../read/table.ts';
import { RefusedRequest } from '../../refusal.ts';
import { TABLE_ORDERS } from '../../../sql/control/read/details.ts';
import type { WebApp, WebParts } from '../web-app.ts';
import { declareApi } from './declare.ts';
import { inJson } from './in-json.ts';
import { silentIn } from '../../unserved-runs.ts';
import { readStatus } from './status.ts';
import * as results from './results.ts';
import { idSchema, inPipeline, inTable, limitSchema, nameSchema, offsetSchema } from './schemas.ts';

const READ = { method: 'get', access: 'read' } as const;
/** A filter with a wrong name would show everything. */
const page = z.strictObject({
  limit: limitSchema(50),
  offset: offsetSchema,
  search: z.string().max(300).default(''),
});
const newest = z.strictObject({ limit: limitSchema(50), before: idSchema.optional() });
const level = z.enum(LOG_LEVELS).default('info').describe('The lowest level.');

export function addReading(app: WebApp, parts: WebParts): void {
  addPipelines(app, parts);
  addRuns(app, parts);
  addRecords(app, parts);
}

function addPipelines(app: WebApp, parts: WebParts): void {
  const { control } = parts;
  const silentSeconds = silentIn(parts);
  declareApi(
    app,
    { ...READ, path: '/status', summary: 'Everything at a glance', result: results.status },
    async ({ actor }) => readStatus(parts, actor),
  );
  declareApi(
    app,
    {
      ...{ ...READ, path: '/pipelines', query: page, summary: 'Pipelines, those with trouble first' },
      result: z.object({ found: z.number(), pipelines: z.array(results.pipelineSummary) }),
    },
    async ({ query, actor: { pipelines: visible } }) => {
      const { pipelineRows, pipelinesFound } = await readOverview(control, {
        ...query,
        visible,
        silentSeconds,
      });
      return inJson({
        found: pipelinesFound,
        pipelines: pipelineRows.map((row) => ({
          ...row,
          needsAttention: row.trouble > 0 || isTroubled(row),
        })),
      });
    },
  );
  declareApi(
    app,
    {
      ...{ ...READ, path: '/pipelines/{pipeline}', params: inPipeline, summary: 'One pipeline' },
      result: results.pipelineDetails,
    },
    async ({ params: { pipeline } }) => {
      const found = await readPipeline(control, pipeline);
      if (!found) throw missing(`pipeline "${pipeline}"`);
      return inJson({
        ...found,
        states: await readStateCounts(control, pipeline),
        schedules: await readSchedules(control, pipeline),
        workers: await readServing(control, pipeline, silentSeconds),
        pauses: await readPauses(control, pipeline),
      });
    },
  );
  declareApi(
    app,
    {
      ...{ ...READ, path: '/pipelines/{pipeline}/tables', params: inPipeline },
      summary: 'The tables of a pipeline',
      query: page.extend({
        state: results.tableState.optional(),
        order: z.enum(TABLE_ORDERS).default('trouble'),
      }),
      result: z.object({ found: z.number(), tables: z.array(results.tableSummary) }),
    },
    async ({ params: { pipeline }, query: { state, ...query } }) => {
      await ensurePipelineExists(control, pipeline);
      const tables = await readTableList(control, { pipeline, state: state ?? '', ...query });
      return inJson({ found: tables[0]?.found ?? 0, tables });
    },
  );
  declareApi(
    app,
    {
      ...{ ...READ, path: '/pipelines/{pipeline}/tables/{table}', params: inTable },
      summary: 'One table: its state, its lag and its last attempts',
      query: newest,
      result: results.tableDetails,
    },
    async ({ params: { pipeline, table }, query: { limit, before } }) => {
      const found = await readTable(control, pipeline, table);
      if (!found) {
        await ensurePipelineExists(control, pipeline);
        await ensureTableExists(control, pipeline, table);
        throw missing(`table "${table}"`);
      }
      const older = before === undefined ? {} : { before };
      return inJson({
        ...found,
        lags: await readLags(control, pipeline, table),
        attempts: await readAttempts(control, { pipeline, table, limit, ...older }),
      });
    },
  );
}

function addRuns(app: WebApp, parts: WebParts): void {
  const { control } = parts;
  declareApi(
    app,
    {
      ...{ ...READ, path: '/runs', summary: 'Runs, newest first' },
      query: z.strictObject({
        limit: limitSchema(50),
        before: z.uuid().optional().describe('Only runs that are older than this run.'),
        pipeline: nameSchema.optional(),
      }),
      result: z.object({ runs: z.array(results.run) }),
    },
    async ({ query: { limit, before: beforeRun, pipeline = null }, actor: { pipelines: visible } }) => {
      const runs = await readRuns(control, { visible, pipeline, beforeRun, limit });
      return inJson({ runs: await withBlockers(control, runs, silentIn(parts)) });
    },
  );
  const inRun = z.object({ run: z.uuid() });
  declareApi(
    app,
    {
      ...{ ...READ, path: '/runs/{run}', params: inRun, summary: 'One run, with its tables' },
      result: results.runDetails,
    },
    async ({ params, actor }) => {
      const found = await readRun(control, params.run, silentIn(parts));
      if (!found) throw missing(`run ${params.run}`, 'See GET /api/v1/runs.');
      ensureMayUse(actor, found.pipeline);
      return inJson(found);
    },
  );
  declareApi(
    app,
    {
      ...{ ...READ, path: '/runs/{run}/events', params: inRun, summary: 'The log of a run, newest first' },
      query: newest.extend({ level }),
      result: z.object({ events: z.array(results.logLine) }),
    },
    async ({ params, query, actor }) => {
      const found = await readRun(control, params.run, silentIn(parts));
      if (!found) throw missing(`run ${params.run}`, 'See GET /api/v1/runs.');
      ensureMayUse(actor, found.pipeline);
      return inJson({ events: await readRunLog(control, { run: params.run, ...query }) });
    },
  );
}

function addRecords(app: WebApp, parts: WebParts): void {
  const { control } = parts;
  declareApi(
    app,
    {
      ...{ ...READ, path: '/logs', summary: 'The logs of all runs, newest first' },
      query: newest.extend({ level, pipeline: nameSchema.optional() }),
      result: z.object({ logs: z.array(results.logLine) }),
    },
    async ({ query: { pipeline = null, ...query }, actor: { pipelines: visible } }) =>
      inJson({ logs: await readLogs(control, { visible, pipeline, ...query }) }),
  );
  declareApi(
    app,
    {
      ...{
        ...READ,
        path: '/workers',
        isForAll: true,
        summary: 'The workers, and the pipelines that they lack',
      },
      result: z.object({ workers: z.array(results.worker) }),
    },
    async () => inJson({ workers: await readWorkers(control, silentIn(parts)) }),
  );
  declareApi(
    app,
    {
      ...{ ...READ, path: '/audit', summary: 'Requests that were to change something, newest first' },
      query: newest.extend({ pipeline: nameSchema.optional() }),
      result: z.object({ audit: z.array(results.auditLine) }),
    },
    async ({ query: { pipeline = null, before, limit }, actor: { pipelines: visible } }) => {
      const older = before === undefined ? {} : { before };
      return inJson({ audit: await readAudit(control, { visible, pipeline, limit, ...older }) });
    },
  );
}

const missing = (what: string, hint = 'See GET /api/v1/pipelines.') =>
  new RefusedRequest('NOT_FOUND', `there is no ${what}`, hint);
