/** Pipelines without a directory: admins create, change, delete and preview them. */
import { z } from '@hono/zod-openapi';
import { definitionSchema } from '../../../config/service/definition.ts';
import { ensureMayUse } from '../../access/ensure-may-use.ts';
import {
  changePipeline,
  createPipeline,
  deletePipeline,
  missingConnections,
  previewPipeline,
} from '../../actions/definitions.ts';
import type { WebApp, WebParts } from '../web-app.ts';
import { declareApi } from './declare.ts';
import { inPipeline, nameSchema, requested } from './schemas.ts';
import { silentIn } from '../../unserved-runs.ts';

/** 5,000 tables with many options each. */
const LARGEST_DEFINITION = 4 * 1024 * 1024;

const newPipeline = definitionSchema.extend({ name: nameSchema });
const changedPipeline = definitionSchema.extend({
  version: z.int().min(1).describe('The version that the change is based on.'),
});
const missing = z.array(z.string()).describe('Connections that no worker has now. The work waits for them.');
const saved = z.object({ pipeline: z.string(), version: z.number(), missing_connections: missing });

interface WrittenDefinition {
  readonly name?: string;
  readonly config: unknown;
}

/** The whole configuration would fill the audit. */
const audited = ({ name, config, ...definition }: WrittenDefinition) => {
  const tables = Array.isArray(config) ? config : (config as { readonly tables?: unknown }).tables;
  return {
    ...definition,
    ...(name !== undefined && { pipeline: name }),
    tables: Array.isArray(tables) ? tables.length : 0,
  };
};

export function addDefinitions(app: WebApp, parts: WebParts): void {
  const { control, queue } = parts;
  const shared = { access: 'admin', largestBody: LARGEST_DEFINITION, audited } as const;
  const silentSeconds = silentIn(parts);
  declareApi(
    app,
    {
      ...{ ...shared, method: 'post', path: '/pipelines', isForAll: true, status: 201, body: newPipeline },
      summary: 'Create a pipeline that needs no directory',
      result: saved,
    },
    async ({ body: { name, ...definition } }) => ({
      pipeline: name,
      version: await createPipeline(control, queue, { name, definition }),
      missing_connections: await missingConnections(control, definition, silentSeconds),
    }),
  );
  declareApi(
    app,
    {
      ...{ ...shared, method: 'post', path: '/pipelines/preview', status: 202, body: newPipeline },
      summary: 'Show what a sync of a new or changed pipeline would do: a worker runs "increp plan"',
      result: requested.extend({ missing_connections: missing }),
    },
    async ({ body: { name, ...definition }, actor }) => {
      ensureMayUse(actor, name);
      return {
        run: await previewPipeline(control, queue, { name, definition, actor }),
        missing_connections: await missingConnections(control, definition, silentSeconds),
      };
    },
  );
  declareApi(
    app,
    {
      ...{ ...shared, method: 'put', path: '/pipelines/{pipeline}', params: inPipeline },
      body: changedPipeline,
      summary: 'Change a pipeline that the API has created',
      result: saved,
    },
    async ({ params: { pipeline: name }, body: { version, ...definition }, actor }) => ({
      pipeline: name,
      version: await changePipeline(control, { name, definition, version, actor }),
      missing_connections: await missingConnections(control, definition, silentSeconds),
    }),
  );
  declareApi(
    app,
    {
      ...{ method: 'delete', path: '/pipelines/{pipeline}', access: 'admin', isForAll: true },
      summary: 'Delete a pipeline that the API has created',
      params: inPipeline,
      result: z.object({ done: z.literal(true), kept: z.string() }),
    },
    async ({ params: { pipeline } }) => {
      await deletePipeline(control, pipeline);
      return { done: true, kept: KEPT };
    },
  );
}

const KEPT =
  'The destination tables and their saved state stay, and the history stays for 30 days. Syncs that ran are rolled back.';
