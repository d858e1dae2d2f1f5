/** Tokens through the API. */
import { z } from '@hono/zod-openapi';
import { createToken, listTokens, revokeToken } from '../../actions/tokens.ts';
import { ROLES } from '../../access/roles.ts';
import type { WebApp, WebParts } from '../web-app.ts';
import { declareApi } from './declare.ts';
import { durationSchema, nameSchema, timeOf, timeSchema } from './schemas.ts';

const ownToken = {
  id: z.string(),
  name: z.string(),
  role: z.enum(ROLES),
  pipelines: z.array(z.string()).nullable().describe('Null means all pipelines.'),
};

export function addTokens(app: WebApp, { control }: WebParts): void {
  declareApi(
    app,
    {
      ...{ method: 'get', path: '/token', access: 'trigger' },
      summary: 'The token of this request',
      result: z.object(ownToken),
    },
    async ({ actor: { tokenId: id, name, role, pipelines } }) => ({ id, name, role, pipelines }),
  );
  declareApi(
    app,
    {
      ...{ method: 'get', path: '/tokens', access: 'admin', isForAll: true },
      summary: 'All tokens that were not revoked',
      result: z.object({
        tokens: z.array(
          z.object({
            ...ownToken,
            made_by: z.string(),
            made_at: timeSchema,
            expires_at: timeSchema.nullable(),
            used_at: timeSchema.nullable(),
            has_expired: z.boolean(),
          }),
        ),
      }),
    },
    async () => ({
      tokens: (await listTokens(control)).map(
        ({ madeBy, madeAt, expiresAt, usedAt, hasExpired, ...token }) => ({
          ...token,
          made_by: madeBy,
          made_at: timeOf(madeAt),
          expires_at: timeOf(expiresAt),
          used_at: timeOf(usedAt),
          has_expired: hasExpired,
        }),
      ),
    }),
  );
  declareApi(
    app,
    {
      ...{ method: 'post', path: '/tokens', access: 'admin', isForAll: true, status: 201 },
      summary: 'Make a token',
      body: z.strictObject({
        name: nameSchema,
        role: z.enum(ROLES),
        pipelines: z.array(nameSchema).min(1).optional(),
        expires: durationSchema.optional(),
      }),
      result: z.object({
        ...ownToken,
        expires_at: timeSchema.nullable(),
        token: z.string().describe('Only this answer has it.'),
      }),
    },
    async ({ body: { name, role, pipelines = null, expires }, actor }) => {
      const order = { name, role, pipelines, expiresInSeconds: expires, by: actor.name };
      const { id, text, expiresAt } = await createToken(control, order);
      return { id, name, role, pipelines, expires_at: timeOf(expiresAt), token: text };
    },
  );
  declareApi(
    app,
    {
      ...{ method: 'delete', path: '/tokens/{token}', access: 'admin', isForAll: true },
      summary: 'Revoke a token and end its sessions',
      params: z.object({ token: nameSchema.describe('The ID or the name.') }),
      result: z.object({ id: z.string(), name: z.string() }),
    },
    ({ params: { token } }) => revokeToken(control, token),
  );
}
