/** Sessions of browsers. A cookie has a random value, and the control database its digest. */
import type { ControlSession } from '../../postgres/control-database.ts';
import { ADD_SESSION, FIND_SESSION, REMOVE_SESSION } from '../../sql/control/access.ts';
import type { Actor } from './roles.ts';
import { actorRow, digestOf, randomSecret } from './tokens.ts';

export const SESSION_SECONDS = 12 * 3600;

/** Returns the value of the cookie. */
export async function openSession(control: ControlSession, { tokenId }: Actor): Promise<string> {
  const secret = randomSecret();
  await control.query(ADD_SESSION, [digestOf(secret), tokenId, SESSION_SECONDS]);
  return secret;
}

export async function actorOfSession(control: ControlSession, secret: string): Promise<Actor | undefined> {
  const { rows } = await control.query(FIND_SESSION, [digestOf(secret)]);
  return actorRow.optional().parse(rows[0]);
}

export const closeSession = (control: ControlSession, secret: string) =>
  control.query(REMOVE_SESSION, [digestOf(secret)]);
