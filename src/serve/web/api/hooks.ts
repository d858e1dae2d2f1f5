/** Hooks: other programs start runs. */
import { z } from '@hono/zod-openapi';
import { ensureMayUse } from '../../access/ensure-may-use.ts';
import { hasRole } from '../../access/roles.ts';
import {
  createHook,
  ensureSigned,
  findHook,
  listHooks,
  receiveMessage,
  removeHook,
} from '../../actions/hooks.ts';
import { RefusedRequest } from '../../refusal.ts';
import { clientOf, rateLimiter } from '../rate-limit.ts';
import type { WebApp, WebContext, WebParts } from '../web-app.ts';
import { API, declareApi } from './declare.ts';
import { inJson } from './in-json.ts';
import { nameSchema, tablesSchema, timeSchema } from './schemas.ts';

const HOOK_LIMIT = { points: 120, seconds: 60 };
/** As in the header webhook-id. */
const MESSAGE_ID = /^[\x21-\x7e]{1,200}$/;
const hookId = z.string().regex(/^[0-9a-f]{16}$/);

const fields = {
  id: z.string(),
  name: z.string(),
  pipeline: z.string(),
  tables: z.array(z.string()).nullable().describe('Null means all tables.'),
};

export function addHooks(app: WebApp, parts: WebParts): void {
  const { control, hookKey } = parts;
  declareApi(
    app,
    {
      ...{ method: 'get', path: '/hooks', access: 'admin', isForAll: true, summary: 'All hooks' },
      result: z.object({ hooks: z.array(z.object({ ...fields, made_by: z.string(), made_at: timeSchema })) }),
    },
    async () => inJson({ hooks: await listHooks(control) }),
  );
  declareApi(
    app,
    {
      ...{ method: 'post', path: '/hooks', access: 'admin', isForAll: true, status: 201 },
      summary: 'Make a hook',
      body: z.strictObject({
        ...{ name: nameSchema, pipeline: nameSchema, tables: tablesSchema.optional() },
        signed: z
          .boolean()
          .default(true)
          .describe('If false, each message needs a token of the role trigger.'),
      }),
      result: z.object({
        ...fields,
        secret: z.string().nullable().describe('Only this answer has it. Null if "signed" is false.'),
      }),
    },
    async ({ body: { name, pipeline, tables = null, signed: isSigned }, actor: { name: by } }) => {
      const order = { name, pipeline, tables };
      return { ...order, ...(await createHook(control, { ...order, isSigned, by }, hookKey)) };
    },
  );
  declareApi(
    app,
    {
      ...{ method: 'delete', path: '/hooks/{hook}', access: 'admin', isForAll: true },
      summary: 'Remove a hook',
      params: z.object({ hook: hookId }),
      result: z.object({ done: z.literal(true) }),
    },
    async ({ params: { hook } }) => {
      await removeHook(control, hook);
      return { done: true };
    },
  );
  addReceiver(app, parts);
}

/** Open to everybody, because a signature stands for a token. */
function addReceiver(app: WebApp, { control, queue, address, hookKey }: WebParts): void {
  const result = z.object({ run: z.uuid().nullable() });
  const content = { 'application/json': { schema: result } };
  app.hono.openAPIRegistry.registerPath({
    ...{ method: 'post', path: `${API}/hooks/{hook}`, summary: 'Start a run by a hook' },
    description:
      'Signed as Standard Webhooks, or with a token of the role trigger. The body counts for nothing.',
    request: { params: z.object({ hook: hookId }) },
    responses: {
      202: { description: 'A run waits.', content },
      200: { description: 'This message started a run before.', content },
    },
  });
  const limit = rateLimiter(HOOK_LIMIT);
  app.add({ method: 'post', path: `${API}/hooks/:hook`, access: 'open' }, async (context) => {
    await limit(context, clientOf(context, address));
    const hook = await findHook(control, context.req.param('hook') ?? '');
    const by = await senderOf(context, hook.id, hookKey);
    const actor = context.get('actor');
    if (actor) ensureMayUse(actor, hook.pipeline);
    const id = context.req.header('webhook-id');
    const message = id !== undefined && MESSAGE_ID.test(id) ? id : undefined;
    const { run, isNew } = await receiveMessage(control, queue, {
      hook,
      message,
      by: `${by} (hook ${hook.name})`,
    });
    return context.json({ run }, isNew ? 202 : 200);
  });
}

/** A cookie does not count: no page starts a hook. */
async function senderOf(context: WebContext, hook: string, key: string | undefined): Promise<string> {
  if (context.req.header('authorization') === undefined) {
    const body = await context.req.text();
    ensureSigned({ body, headers: context.req.header() }, hook, key);
    return 'signature';
  }
  const actor = context.get('actor');
  if (!actor || !hasRole(actor, 'trigger'))
    throw new RefusedRequest(
      'UNAUTHENTICATED',
      'the token is not valid',
      'Make one: increp token create --role trigger',
    );
  return actor.name;
}
