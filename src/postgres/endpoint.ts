/**
 * The origin of an error. One transaction is open inside the other, so the inner one also sees the errors of the
 * outer one.
 */
import type pg from 'pg';
import type { ConnectionSettings, DatabaseSide } from '../config/settings.ts';
import { serverTarget, sshCommand } from '../config/connection/bastion.ts';
import { serverNames } from '../config/connection/servers.ts';
import { shellWord } from '../shell-word.ts';

type EndpointLogin = Pick<ConnectionSettings, 'side' | 'host' | 'port' | 'user' | 'database'> &
  Partial<Pick<ConnectionSettings, 'otherServers' | 'hostAddress' | 'bastion' | 'urlFrom'>>;

export interface Endpoint {
  readonly side: DatabaseSide;
  /** host:port/database, without credentials. */
  readonly address: string;
  readonly role: string;
  /** Where the URL of one of several destinations is set. */
  readonly urlFrom?: string;
  /** Options of psql and similar programs, quoted for a shell: for the server alone, and with role and database. */
  readonly door: string;
  readonly login: string;
  /** A command that opens a tunnel to the door, for a server behind a bastion. */
  readonly tunnelByHand?: string;
}

/** The port of a tunnel that the user opens, in commands of messages. */
const DOOR_PORT = 15_432;

export function endpointFor(login: EndpointLogin): Endpoint {
  const { side, host, hostAddress, port, user, database, otherServers = [], bastion, urlFrom } = login;
  const servers = [{ host, port }, ...otherServers];
  const hosts = servers.map((server) => server.host).join(',');
  const target = serverTarget({ host, hostAddress, port });
  const door = bastion
    ? `-h 127.0.0.1 -p ${DOOR_PORT}`
    : `-h ${shellWord(hosts)} -p ${servers.map((server) => server.port).join(',')}`;
  return {
    side,
    address: `${serverNames(login)}/${database}`,
    role: user,
    ...(urlFrom !== undefined && { urlFrom }),
    door,
    login: `${door} -U ${shellWord(user)} -d ${shellWord(database)}`,
    ...(bastion && { tunnelByHand: sshCommand(bastion, ['-N', '-L', `${DOOR_PORT}:${target}`]) }),
  };
}

/** A command with the door of a server behind a bastion needs a tunnel. */
export const withTunnel = (text: string, { door, tunnelByHand }: Endpoint): string =>
  tunnelByHand === undefined || !text.includes(door)
    ? text
    : `${text}\nThis command needs a tunnel in another terminal: ${tunnelByHand}`;

const places = new WeakMap<Error, Endpoint>();

/** Undefined if the error is not the answer to a statement. */
export const endpointOf = (thrown: unknown): Endpoint | undefined =>
  thrown instanceof Error ? places.get(thrown) : undefined;

/**
 * Marks every error of the client's statements with its endpoint. COPY streams are handled by the code that reads
 * them.
 */
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
