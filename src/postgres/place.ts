/** Where an error came from: one transaction is open within the other, so that the inner one sees the errors of both. */
import type pg from 'pg';
import type { ConnectionSettings } from '../config/settings.ts';
import { shellWord } from '../shell-word.ts';

type Login = Pick<ConnectionSettings, 'side' | 'host' | 'port' | 'user' | 'database'>;

export interface Place {
  readonly side: 'source' | 'destination';
  /** host:port/database, without credentials. */
  readonly address: string;
  readonly role: string;
  /** Options of psql and its relatives, as a shell takes them: the server alone, and with role and database. */
  readonly door: string;
  readonly login: string;
}

export function placeFor({ side, host, port, user, database }: Login): Place {
  const door = `-h ${shellWord(host)} -p ${port}`;
  return {
    side,
    address: `${host}:${port}/${database}`,
    role: user,
    door,
    login: `${door} -U ${shellWord(user)} -d ${shellWord(database)}`,
  };
}

const places = new WeakMap<Error, Place>();

/** Undefined where it is no answer to a statement. */
export const placeOf = (thrown: unknown): Place | undefined =>
  thrown instanceof Error ? places.get(thrown) : undefined;

/** What its statements fail with is known by its place from then on. Streams of COPY are looked after by whoever reads them. */
export function markErrors(client: pg.Client, place: Place): void {
  const query = client.query.bind(client) as (...request: readonly unknown[]) => unknown;
  const mark = (error: unknown) => void (error instanceof Error && places.set(error, place));
  const marking = (...request: readonly unknown[]): unknown => {
    const answer = query(...request);
    if (answer instanceof Promise) answer.catch(mark);
    return answer;
  };
  client.query = marking as typeof client.query;
}
