/** Where an error came from: one transaction is open within the other, so that the inner one sees the errors of both. */
import type pg from 'pg';
import type { ConnectionSettings } from '../config/settings.ts';
import { shellWord } from '../shell-word.ts';

type Login = Pick<ConnectionSettings, 'side' | 'host' | 'port' | 'user' | 'database'>;

export interface Endpoint {
  readonly side: 'source' | 'destination';
  /** host:port/database, without credentials. */
  readonly address: string;
  readonly role: string;
  /** Options of psql and its relatives, as a shell takes them: the server alone, and with role and database. */
  readonly door: string;
  readonly login: string;
}

export function endpointFor({ side, host, port, user, database }: Login): Endpoint {
  const door = `-h ${shellWord(host)} -p ${port}`;
  return {
    side,
    address: `${host}:${port}/${database}`,
    role: user,
    door,
    login: `${door} -U ${shellWord(user)} -d ${shellWord(database)}`,
  };
}

const places = new WeakMap<Error, Endpoint>();

/** Undefined where it is no answer to a statement. */
export const endpointOf = (thrown: unknown): Endpoint | undefined =>
  thrown instanceof Error ? places.get(thrown) : undefined;

/** What its statements fail with is known by its place from then on. Streams of COPY are looked after by whoever reads them. */
export function markErrors(client: pg.Client, endpoint: Endpoint): void {
  const query = client.query.bind(client) as (...request: readonly unknown[]) => unknown;
  const mark = (error: unknown) => void (error instanceof Error && places.set(error, endpoint));
  const marking = (...request: readonly unknown[]): unknown => {
    const answer = query(...request);
    if (answer instanceof Promise) answer.catch(mark);
    return answer;
  };
  client.query = marking as typeof client.query;
}
