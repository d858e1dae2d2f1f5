/** The tunnels of a run: one for each side and bastion, with a socket for each server behind it. */
import { setTimeout as delay } from 'node:timers/promises';
import { serverTarget } from '../../config/connection/bastion.ts';
import { serversOf } from '../../config/connection/servers.ts';
import type { ConnectionSettings, ServerAddress } from '../../config/settings.ts';
import type { Environment } from '../../environment.ts';
import type { IncrepError } from '../../errors.ts';
import type { Timing } from '../../timing.ts';
import { lost, refusalError, refusalIn, unanswered } from './ssh-errors.ts';
import { endSoon, Tunnel, type TunnelWait } from './tunnel.ts';

interface TunnelPlace {
  /** The directory of the pipeline. */
  readonly directory: string;
  readonly environment: Environment;
  readonly timing: Timing;
}

/** The way of one connection to a server behind a bastion. */
export interface Route {
  /** The directory of the socket, and the number in its name. libpq calls these host and port. */
  readonly directory: string;
  readonly number: number;
  readonly path: string;
  /** The error of this connection, with what ssh says about it. */
  readonly explain: (error: IncrepError) => Promise<IncrepError>;
}

export class Tunnels implements AsyncDisposable {
  readonly #place: TunnelPlace;
  readonly #tunnels: Tunnel[] = [];

  /**
   * The connections that will share tunnels. Opens nothing: the first connection of a side opens its tunnel. Another
   * connection gets a tunnel of its own.
   */
  constructor(connections: readonly ConnectionSettings[], place: TunnelPlace) {
    this.#place = place;
    for (const group of Map.groupBy(connections, bastionKey).values()) this.#add(group);
  }

  /** Undefined if increp connects directly. @throws IncrepError SSH_FAILED */
  async routeTo(
    connection: ConnectionSettings,
    server: ServerAddress,
    wait: TunnelWait,
  ): Promise<Route | undefined> {
    const { side, bastion, database } = connection;
    const tunnel = this.#of(connection);
    if (!bastion || !tunnel) return undefined;
    const target = serverTarget(server);
    const number = tunnel.request.targets.indexOf(target) + 1;
    const ssh = await tunnel.open(wait);
    const before = ssh.lineCount;
    return {
      directory: ssh.directory,
      number,
      path: ssh.socketPath(number),
      explain: async (error) => {
        if (error.sqlstate !== undefined || !error.code.startsWith('CONNECTION_')) return error;
        // The reason is on its way through a pipe.
        await delay(WORDS_MS);
        const reason = refusalIn(ssh.lines, ssh.lineCount - before);
        if (reason !== undefined) return refusalError({ side, bastion }, { reason, target, database });
        const ended = await endSoon(ssh);
        return ended ? lost(error, bastion, ended) : unanswered(error, bastion, target);
      },
    };
  }

  /** The error of a connection that worked before. If its tunnel has ended, the error says why. */
  async explainLoss(connection: ConnectionSettings, error: IncrepError): Promise<IncrepError> {
    const { bastion } = connection;
    if (!bastion || error.code !== 'CONNECTION_LOST') return error;
    const ended = await this.#of(connection)?.recentEnd();
    return ended ? lost(error, bastion, ended) : error;
  }

  #of(connection: ConnectionSettings): Tunnel | undefined {
    const [key, targets] = [bastionKey(connection), targetsOf([connection])];
    const found = this.#tunnels.find(
      ({ request }) =>
        bastionKey(request) === key && targets.every((target) => request.targets.includes(target)),
    );
    return found ?? this.#add([connection]);
  }

  /** @param group connections of one side through one bastion */
  #add(group: readonly ConnectionSettings[]): Tunnel | undefined {
    const [{ side, bastion } = {}] = group;
    if (!side || !bastion) return undefined;
    const { timing, ...place } = this.#place;
    const tunnel = new Tunnel({ ...place, side, bastion, targets: targetsOf(group) }, timing);
    this.#tunnels.push(tunnel);
    return tunnel;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#tunnels.map((tunnel) => tunnel[Symbol.asyncDispose]()));
  }
}

const bastionKey = ({ side, bastion }: Pick<ConnectionSettings, 'side' | 'bastion'>): string =>
  JSON.stringify([side, bastion?.user, bastion?.host, bastion?.port, bastion?.command]);

const targetsOf = (connections: readonly ConnectionSettings[]): string[] => [
  ...new Set(connections.flatMap(serversOf).map(serverTarget)),
];

const WORDS_MS = 50;
