/** Hooks: other programs start runs of one pipeline, by messages of Standard Webhooks or by a token. */
import { createHmac, randomBytes } from 'node:crypto';
import * as z from 'zod';
import { Webhook } from 'standardwebhooks';
import type { ControlDatabase, ControlSession } from '../../postgres/control-database.ts';
import {
  ADD_HOOK,
  ADD_MESSAGE,
  FIND_HOOK,
  FIND_MESSAGE_RUN,
  LIST_HOOKS,
  REMOVE_HOOK,
  SET_MESSAGE_RUN,
} from '../../sql/control/hooks.ts';
import type { Queue } from '../queue.ts';
import { RefusedRequest } from '../refusal.ts';
import { ensurePipelineExists, requestRunIn } from './runs.ts';

/** Nothing is stored, so each `serve` needs the same key. */
const secretOf = (key: string, hook: string): string =>
  `whsec_${createHmac('sha256', key).update(`increp hook ${hook}`).digest('base64')}`;

const hookRow = z.object({
  id: z.string(),
  name: z.string(),
  pipeline: z.string(),
  tables: z.array(z.string()).nullable(),
  madeBy: z.string(),
  madeAt: z.date(),
});
export type Hook = z.infer<typeof hookRow>;

interface HookOrder {
  readonly name: string;
  readonly pipeline: string;
  /** Null means all tables. */
  readonly tables: readonly string[] | null;
  /** Whether it has a secret. Without one, messages need a token. */
  readonly isSigned: boolean;
  readonly by: string;
}

/** Throws a RefusedRequest: NOT_FOUND, CONFLICT if the name is in use, or NOT_POSSIBLE without a key. */
export async function createHook(
  control: ControlDatabase,
  { name, pipeline, tables, isSigned, by }: HookOrder,
  key: string | undefined,
): Promise<{ readonly id: string; readonly secret: string | null }> {
  if (isSigned && key === undefined)
    throw new RefusedRequest(
      'NOT_POSSIBLE',
      'the hook would have no secret, because SERVE_HOOK_KEY of increp serve is not set',
      'Set SERVE_HOOK_KEY and restart increp serve. If the caller sends a token of the role trigger, add "signed": false.',
    );
  const id = randomBytes(8).toString('hex');
  await control.transaction(async (session) => {
    await ensurePipelineExists(session, pipeline);
    const { rowCount } = await session.query(ADD_HOOK, [id, name, pipeline, tables, by]);
    if (rowCount !== 1)
      throw new RefusedRequest('CONFLICT', `a hook with the name "${name}" exists`, 'Choose another name.');
  });
  return { id, secret: !isSigned || key === undefined ? null : secretOf(key, id) };
}

export const listHooks = async (session: ControlSession): Promise<readonly Hook[]> =>
  z.array(hookRow).parse((await session.query(LIST_HOOKS)).rows);

/** Throws a RefusedRequest NOT_FOUND. */
export async function removeHook(session: ControlSession, id: string): Promise<void> {
  if ((await session.query(REMOVE_HOOK, [id])).rowCount !== 1) throw missing(id);
}

/** Throws a RefusedRequest NOT_FOUND. */
export async function findHook(session: ControlSession, id: string): Promise<Hook> {
  const found = hookRow.optional().parse((await session.query(FIND_HOOK, [id])).rows[0]);
  if (!found) throw missing(id);
  return found;
}

const missing = (id: string) =>
  new RefusedRequest('NOT_FOUND', `there is no hook ${id}`, 'See GET /api/v1/hooks.');

interface SignedMessage {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Its time must be within five minutes of the clock here. Throws a RefusedRequest UNAUTHENTICATED. */
export function ensureSigned({ body, headers }: SignedMessage, hook: string, key: string | undefined): void {
  if (key === undefined) throw unsigned('SERVE_HOOK_KEY of increp serve is not set');
  try {
    new Webhook(secretOf(key, hook)).verify(body, headers, { jsonParse: false });
  } catch (error) {
    throw unsigned(error instanceof Error ? error.message : String(error));
  }
}

const unsigned = (why: string) =>
  new RefusedRequest(
    'UNAUTHENTICATED',
    `the message has no valid signature: ${why}`,
    'Sign it as Standard Webhooks with the secret of the hook, or send a token of the role trigger.',
  );

const messageRow = z.object({ run: z.string().nullable() });

/** A message with an ID that has come before starts no other run. */
export async function receiveMessage(
  control: ControlDatabase,
  queue: Queue,
  { hook, message, by }: { readonly hook: Hook; readonly message: string | undefined; readonly by: string },
): Promise<{ readonly run: string | null; readonly isNew: boolean }> {
  const { id, pipeline, tables } = hook;
  return control.transaction(async (session) => {
    if (message !== undefined && (await session.query(ADD_MESSAGE, [id, message])).rowCount !== 1) {
      const { run } = messageRow.parse((await session.query(FIND_MESSAGE_RUN, [id, message])).rows[0]);
      return { run, isNew: false };
    }
    const run = await requestRunIn(session, queue, {
      ...{ pipeline, by, origin: 'hook' },
      ...(tables && { tables }),
    });
    if (message !== undefined) await session.query(SET_MESSAGE_RUN, [id, message, run]);
    return { run, isNew: true };
  });
}
