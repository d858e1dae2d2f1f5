/** An event trigger that made a statement of ours fail: the server names only its function, and that only in passing. */
import pg from 'pg';
import { z } from 'zod';
import { IncrepError, reworded } from '../errors.ts';
import { eventTriggersCalling } from '../sql/event-triggers.ts';
import { ident } from '../sql/identifiers.ts';
import { isMissingInside } from './usual-path.ts';

const foundRow = z.object({ name: z.string(), function: z.string() });

type Ask = (statement: string) => Promise<pg.QueryResult | undefined>;

/** The error as it is, where no event trigger is behind it. `ask` looks at the server over another transaction. */
export async function namingEventTrigger(thrown: unknown, ask: Ask): Promise<unknown> {
  if (!(thrown instanceof IncrepError) || !(thrown.cause instanceof pg.DatabaseError)) return thrown;
  const functions = functionsIn(thrown.cause.where ?? '');
  if (functions.length === 0) return thrown;
  // Whatever is wrong with the server now, the first error is the one that matters.
  const answer = await ask(eventTriggersCalling(functions)).catch(() => undefined);
  const { data: found } = foundRow.safeParse(answer?.rows[0]);
  if (!found) return thrown;
  const path = isMissingInside(thrown.cause)
    ? ` Its function uses a name without a schema that is not on the search_path of the role: ALTER FUNCTION ${found.function} SET search_path = public.`
    : '';
  return reworded(thrown, {
    what: `the event trigger ${ident(found.name)} failed: ${thrown.message}`,
    next: `Correct the function ${found.function}, or drop the event trigger: DROP EVENT TRIGGER ${ident(found.name)}.${path}`,
    cause: thrown.cause,
  });
}

/** Names, without their schemas, of the functions that a context of an error shows. */
const functionsIn = (where: string): string[] => [
  ...new Set([...where.matchAll(/function (?:"?\w+"?\.)?"?(\w+)"?\(/g)].flatMap(([, name]) => name ?? [])),
];
