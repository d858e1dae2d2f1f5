/** Tokens are made, listed and revoked, by `increp token` and by the API. */
import * as z from 'zod';
import type { ControlSession } from '../../postgres/control-database.ts';
import { ADD_TOKEN, LIST_TOKENS, REVOKE_TOKEN } from '../../sql/control/access.ts';
import { ROLES, type Role } from '../access/roles.ts';
import { newToken } from '../access/tokens.ts';
import { RefusedRequest } from '../refusal.ts';

export interface TokenOrder {
  /** Undefined for a name of the role and the ID. */
  readonly name: string | undefined;
  readonly role: Role;
  /** Null means all pipelines. */
  readonly pipelines: readonly string[] | null;
  /** Undefined means that it does not expire. */
  readonly expiresInSeconds: number | undefined;
  /** Who makes it. */
  readonly by: string;
}

interface MadeToken {
  readonly id: string;
  readonly name: string;
  /** Nobody can read it again. */
  readonly text: string;
  readonly expiresAt: Date | null;
}

const madeRow = z.object({ expiresAt: z.date().nullable() });

/** @throws RefusedRequest CONFLICT if the name is in use */
export async function createToken(session: ControlSession, order: TokenOrder): Promise<MadeToken> {
  const { role, pipelines, expiresInSeconds, by } = order;
  const { id, text, digest } = newToken();
  const { name = `${role}-${id}` } = order;
  const values = [id, name, digest, role, pipelines, by, expiresInSeconds ?? null];
  const made = madeRow.optional().parse((await session.query(ADD_TOKEN, values)).rows[0]);
  if (!made)
    throw new RefusedRequest(
      'CONFLICT',
      `a token with the name "${name}" exists`,
      `Choose another name, or revoke that token: increp token revoke --name ${name}`,
    );
  return { id, name, text, ...made };
}

const tokenRow = z.object({
  id: z.string(),
  name: z.string(),
  role: z.enum(ROLES),
  pipelines: z.array(z.string()).nullable(),
  madeBy: z.string(),
  madeAt: z.date(),
  expiresAt: z.date().nullable(),
  usedAt: z.date().nullable(),
  hasExpired: z.boolean(),
});

export type ListedToken = z.infer<typeof tokenRow>;

export const listTokens = async (session: ControlSession): Promise<readonly ListedToken[]> =>
  z.array(tokenRow).parse((await session.query(LIST_TOKENS)).rows);

const revokedRow = z.object({ id: z.string(), name: z.string() });

/** By its ID or name. @throws RefusedRequest NOT_FOUND */
export async function revokeToken(
  session: ControlSession,
  token: string,
): Promise<z.infer<typeof revokedRow>> {
  const revoked = revokedRow.optional().parse((await session.query(REVOKE_TOKEN, [token])).rows[0]);
  if (!revoked)
    throw new RefusedRequest('NOT_FOUND', `there is no token "${token}"`, 'See: increp token list');
  return revoked;
}
