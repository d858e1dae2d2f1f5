/**
 * Explains errors of event triggers. The server mentions only the function of the trigger, in the context of the
 * error.
 */
import pg from 'pg';
import * as z from 'zod';
import { IncrepError, reworded } from '../errors.ts';
import { eventTriggersCalling } from '../sql/event-triggers.ts';
import { ident } from '../sql/identifiers.ts';
import { isMissingInside } from './user-search-path.ts';

const foundRow = z.object({ name: z.string(), function: z.string() });

type Ask = (statement: string) => Promise<pg.QueryResult | undefined>;

/** Returns the error unchanged if no event trigger caused it. `ask` queries the server in another transaction. */
export async function namingEventTrigger(thrown: unknown, ask: Ask): Promise<unknown> {
  if (!(thrown instanceof IncrepError) || !(thrown.cause instanceof pg.DatabaseError)) return thrown;
  const functions = functionsIn(thrown.cause.where ?? '');
  if (functions.length === 0) return thrown;
  // If this query fails too, the first error is more important.
  const answer = await ask(eventTriggersCalling(functions)).catch(() => undefined);
  const { data: found } = foundRow.safeParse(answer?.rows[0]);
  if (!found) return thrown;
  const path = isMissingInside(thrown.cause)
    ? ` Its function uses a name without a schema that is not on the search_path of the role: ALTER FUNCTION ${found.function} SET search_path = public.`
    : '';
  return reworded(thrown, {
    what: `the event trigger ${ident(found.name)} failed: ${thrown.message}`,
    next: `Fix the function ${found.function}, or drop the event trigger: DROP EVENT TRIGGER ${ident(found.name)}.${path}`,
    cause: thrown.cause,
  });
}

/** The names, without schemas, of the functions in the context of an error. */
const functionsIn = (where: string): string[] => [
  ...new Set([...where.matchAll(/function (?:"?\w+"?\.)?"?(\w+)"?\(/g)].flatMap(([, name]) => name ?? [])),
];
