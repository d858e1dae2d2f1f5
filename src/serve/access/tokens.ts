/** Tokens: 256 random bits. Only a digest is stored, so a copy of the control database opens nothing. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import * as z from 'zod';
import { isReadOnly, type ControlSession } from '../../postgres/control-database.ts';
import { FIND_TOKEN, MARK_TOKEN_USED } from '../../sql/control/access.ts';
import { ROLES, type Actor } from './roles.ts';

const FORM = /^increp_(?<id>[0-9a-f]{12})_(?<secret>[\w-]{43})$/;

export interface NewToken {
  readonly id: string;
  /** Shown once. */
  readonly text: string;
  readonly digest: Buffer;
}

/** A random value of this size needs no slow hash and no salt. */
export const digestOf = (secret: string): Buffer => createHash('sha256').update(secret).digest();

export const randomSecret = (): string => randomBytes(32).toString('base64url');

export function newToken(): NewToken {
  const [id, secret] = [randomBytes(6).toString('hex'), randomSecret()];
  return { id, text: `increp_${id}_${secret}`, digest: digestOf(secret) };
}

/** A standby shows everything, but records nothing. */
function unlessReadOnly(error: unknown): void {
  if (!isReadOnly(error)) throw error;
}

export const actorRow = z.object({
  tokenId: z.string(),
  name: z.string(),
  role: z.enum(ROLES),
  pipelines: z.array(z.string()).nullable(),
});
const tokenRow = actorRow.extend({ digest: z.instanceof(Buffer) });

/** Undefined if the token is unknown, has expired or was revoked. */
export async function actorOfToken(session: ControlSession, text: string): Promise<Actor | undefined> {
  const { id, secret } = FORM.exec(text)?.groups ?? {};
  if (id === undefined || secret === undefined) return undefined;
  const found = tokenRow.optional().parse((await session.query(FIND_TOKEN, [id])).rows[0]);
  if (!found || !timingSafeEqual(found.digest, digestOf(secret))) return undefined;
  await session.query(MARK_TOKEN_USED, [id]).catch(unlessReadOnly);
  const { digest: _, ...actor } = found;
  return actor;
}
