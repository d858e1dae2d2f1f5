/**
 * The origin of an error. One transaction is open inside the other, so the inner one also sees the errors of the
 * outer one.
 */
import type pg from 'pg';
import type { ConnectionSettings } from '../config/settings.ts';
import type { DatabaseSide } from '../errors.ts';
import { serverTarget, sshCommand } from '../config/connection/bastion.ts';
import { serverNames } from '../config/connection/servers.ts';
import { shellWord } from '../shell-word.ts';

type EndpointLogin = Pick<ConnectionSettings, 'side' | 'host' | 'port' | 'user' | 'database'> &
  Partial<Pick<ConnectionSettings, 'otherServers' | 'hostAddress' | 'bastion' | 'urlFrom' | 'passwordFrom'>>;

export interface Endpoint {
  readonly side: DatabaseSide;
  /** host:port/database, without credentials. */
  readonly address: string;
  readonly role: string;
  readonly urlFrom?: string;
  readonly passwordFrom?: string;
  /** Options of psql and similar programs, quoted for a shell: for the server alone, and with role and database. */
  readonly door: string;
  readonly login: string;
  /** A command that opens a tunnel to the door, for a server behind a bastion. */
  readonly tunnelByHand?: string;
}

type SettingPlace = Pick<Endpoint, 'side' | 'urlFrom' | 'passwordFrom'>;

/** `DEST`: the start of the names of its variables. */
export const prefixOf = ({ side }: Pick<Endpoint, 'side'>): string => (side === 'source' ? 'SOURCE' : 'DEST');

/** `DEST_DB`, or `the database in DEST_URL`: where that part of the address is set. */
export const partOf = (origin: SettingPlace, part: string, inUrl: string): string =>
  origin.urlFrom === undefined ? `${prefixOf(origin)}_${part}` : `${inUrl} in ${origin.urlFrom}`;

/** A variable works beside a URL without `sslmode`. */
export const sslModePart = (origin: SettingPlace): string => {
  const inUrl = partOf(origin, 'SSLMODE', '"sslmode"');
  const prefix = prefixOf(origin);
  return origin.urlFrom === `${prefix}_URL` ? `${prefix}_SSLMODE (or ${inUrl})` : inUrl;
};

/** Where host and port are set. */
export const addressParts = (origin: SettingPlace): string =>
  origin.urlFrom === undefined
    ? `${prefixOf(origin)}_HOST and ${prefixOf(origin)}_PORT`
    : `the host and the port in ${origin.urlFrom}`;

/** Where user and password are set. */
export function loginParts(origin: SettingPlace): string {
  const { urlFrom, passwordFrom } = origin;
  if (urlFrom !== undefined && passwordFrom === undefined) return `the user and the password in ${urlFrom}`;
  return `${partOf(origin, 'USERNAME', 'the user')} and ${passwordFrom ?? `${prefixOf(origin)}_PASSWORD`}`;
}

/** The port of a tunnel that the user opens, in commands of messages. */
const DOOR_PORT = 15_432;

export function endpointFor(login: EndpointLogin): Endpoint {
  const { side, host, hostAddress, port, user, database, otherServers = [], bastion } = login;
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
    ...(login.urlFrom !== undefined && { urlFrom: login.urlFrom }),
    ...(login.passwordFrom !== undefined && { passwordFrom: login.passwordFrom }),
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
