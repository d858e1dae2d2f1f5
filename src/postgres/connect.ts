/** Opens and closes one connection. */
import type { Socket } from 'node:net';
import { hostname } from 'node:os';
import pg from 'pg';
import type { ConnectionSettings, ServerAddress } from '../config/settings.ts';
import { serversOf } from '../config/connection/servers.ts';
import { IncrepError, reworded } from '../errors.ts';
import { connectedSocket, socketOf, socketTo, watchRefusal } from './driver.ts';
import { watchHandshake } from './handshake.ts';
import { newBinding } from './channel-binding.ts';
import { newAuthGuard } from './require-auth.ts';
import { addressesOf } from './addresses.ts';
import { endpointFor, markErrors, type Endpoint } from './endpoint.ts';
import { serverError } from './server-errors.ts';
import { tlsAttempts } from './tls.ts';
import type { TunnelWait } from './tunnel/tunnel.ts';
import type { Route, Tunnels } from './tunnel/tunnels.ts';
import { ensureTarget } from './target-session.ts';
import { isWithoutTls, tlsError } from './tls-errors.ts';
import { SQLSTATE } from './sqlstate.ts';

/**
 * Closes the connection after the answer to its last statement. On a dead network this would never end, so the socket is
 * destroyed after a time.
 */
export async function end(
  client: pg.Client,
  timeoutSeconds: number,
  lastAnswer: Promise<void> = Promise.resolve(),
): Promise<void> {
  const tooLate = setTimeout(() => socketOf(client).destroy(), timeoutSeconds * 1000);
  await lastAnswer;
  await client.end().catch(() => undefined);
  clearTimeout(tooLate);
}

/** Shown in pg_stat_activity, so that another run can name the holder of a lock. The server cuts it at 63 bytes. */
export function programName(pipeline: string, { program = '', suffix = '' } = {}): string {
  const printable = (text: string) => text.replaceAll(/[^\x20-\x7e]/g, '?');
  const words = [
    'increp',
    program,
    printable(pipeline).slice(0, 24),
    `${process.pid}@${hostname()}`,
    printable(suffix),
  ];
  return words
    .filter((word) => word !== '')
    .join(' ')
    .slice(0, 63);
}

/**
 * Allows as many SCRAM iterations as the server wants, like libpq. The driver refuses more than 100,000 by default.
 * Its types lack the option.
 */
const ANY_ITERATIONS = { scramMaxIterations: 0 };

interface ConnectOptions extends pg.ClientConfig {
  readonly timeoutSeconds: number;
  /** The time limit of a password command. */
  readonly passwordSeconds: number;
  /** Undefined in a program without bastions. */
  readonly tunnels?: Tunnels | undefined;
}

interface LoginOptions extends Omit<ConnectOptions, 'tunnels'> {
  /** Undefined for a direct connection. */
  readonly route: Route | undefined;
}

interface OpenConnection {
  readonly client: pg.Client;
  /** The settings of the one server and address that answered. */
  readonly settings: ConnectionSettings;
}

/**
 * Tries the servers and their addresses one after the other, like libpq: the next one if a server cannot be reached,
 * is starting or is of another kind than wanted. An answer such as a wrong password ends the search.
 * @throws IncrepError that says why there is no connection
 */
export async function connect(
  settings: ConnectionSettings,
  endpoint: Endpoint,
  { tunnels, ...options }: ConnectOptions,
  signal: AbortSignal | undefined,
): Promise<OpenConnection> {
  const { targetSession, isShuffled, connectTimeoutSeconds } = settings.parameters;
  const inOrder = serversOf(settings);
  const servers = isShuffled ? shuffled(inOrder) : inOrder;
  const isPreference = targetSession === 'prefer-standby' && servers.length > 1;
  const targets = isPreference ? (['standby', 'any'] as const) : [targetSession];
  const failures: IncrepError[] = [];
  for (const target of targets)
    for (const server of servers) {
      const place =
        servers.length === 1 ? endpoint : endpointFor({ ...settings, ...server, otherServers: [] });
      try {
        const limit = { seconds: connectTimeoutSeconds ?? options.timeoutSeconds, signal };
        const route = await routeTo(settings, server, { tunnels, limit });
        // The bastion resolves the name of a host behind it.
        const addresses = route ? [server.hostAddress] : await addressesOf(server, limit);
        for (const hostAddress of addresses) {
          const one = { ...settings, ...server, hostAddress, otherServers: [] };
          const parameters = { ...settings.parameters, targetSession: target };
          const way = { ...options, route };
          const client = await logIn({ ...one, parameters }, place, way, signal).catch(async (error) =>
            collect(route && error instanceof IncrepError ? await route.explain(error) : error),
          );
          if (client) return { client, settings: one };
        }
      } catch (error) {
        signal?.throwIfAborted();
        collect(error instanceof IncrepError ? error : serverError(error, place, true));
      }
    }
  throw summary(failures);

  /** Throws an error that also holds for the other addresses. */
  function collect(error: unknown): undefined {
    if (!(error instanceof IncrepError) || !concernsAddress(error)) throw error;
    failures.push(error);
  }
}

/** @throws IncrepError SSH_FAILED */
async function routeTo(
  settings: ConnectionSettings,
  server: ServerAddress,
  { tunnels, limit }: Pick<ConnectOptions, 'tunnels'> & { readonly limit: TunnelWait },
): Promise<Route | undefined> {
  if (settings.bastion && !tunnels) throw new Error('a connection through a bastion without tunnels');
  return tunnels?.routeTo(settings, server, limit);
}

const CANNOT_CONNECT_NOW = '57P03';

const concernsAddress = ({ code, sqlstate }: IncrepError): boolean =>
  sqlstate === CANNOT_CONNECT_NOW ||
  (sqlstate === undefined && (code === 'CONNECTION_FAILED' || code === 'CONNECTION_LOST'));

const shuffled = <T>(list: readonly T[]): T[] =>
  list
    .map((item) => ({ item, place: Math.random() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ item }) => item);

/** One error with the messages of all addresses. */
function summary(failures: readonly IncrepError[]): Error {
  const [first] = failures;
  const messages = [...new Set(failures.map(({ message }) => message))];
  if (!first) return new Error('no address was tried');
  return messages.length === 1 ? first : reworded(first, { what: messages.join('; '), next: first.next });
}

/**
 * Logs in, and once more if the server refused the password and there is another one by now.
 * @param settings of one server and one address
 */
async function logIn(
  settings: ConnectionSettings,
  endpoint: Endpoint,
  { passwordSeconds, ...options }: LoginOptions,
  signal: AbortSignal | undefined,
): Promise<pg.Client> {
  const { credential } = settings;
  const wait = { seconds: passwordSeconds, signal };
  // Before the connection: the server would not wait for a slow command.
  const offered: OfferedPassword = { text: await credential.current(wait), isSent: false };
  try {
    return await connectTo(settings, endpoint, offered, options, signal);
  } catch (error) {
    if (!offered.isSent || !isRefusal(error)) throw error;
    const other = await credential.renewed(offered.text, wait);
    const again: OfferedPassword = { text: other, isSent: false };
    if (other !== undefined) return connectTo(settings, endpoint, again, options, signal).catch(refused);
    return refused(error);
  }

  function refused(error: unknown): never {
    if (!isRefusal(error) || credential.origin === undefined || credential.known === undefined) throw error;
    const next = `increp read the password again from ${credential.origin}, and the server refused it too. ${error.next}`;
    throw reworded(error, { what: error.message, next, cause: error.cause });
  }
}

const isRefusal = (error: unknown): error is IncrepError =>
  error instanceof IncrepError && error.code === 'AUTHENTICATION_FAILED';

interface OfferedPassword {
  readonly text: string | undefined;
  /** Whether the server asked for it. */
  isSent: boolean;
}

/** An address, so that the driver does not replace the server name of the TLS settings. */
const LOOPBACK = '127.0.0.1';

/** @param settings of one server and one address */
async function connectTo(
  settings: ConnectionSettings,
  endpoint: Endpoint,
  offered: OfferedPassword,
  { timeoutSeconds, route, ...config }: Omit<LoginOptions, 'passwordSeconds'>,
  signal: AbortSignal | undefined,
): Promise<pg.Client> {
  const failures: IncrepError[] = [];
  const { parameters } = settings;
  const { connectTimeoutSeconds = timeoutSeconds, keepAliveIdleSeconds = 10 } = parameters;
  const attempts = tlsAttempts(settings);
  /** Of the attempt before, if the server only refused TLS. */
  let connected: Socket | undefined;
  for (const ssl of attempts) {
    const reused = connected;
    const binding = newBinding(settings, endpoint, ssl !== false);
    const auth = newAuthGuard(settings, endpoint);
    const client = new pg.Client({
      ...ANY_ITERATIONS,
      host: route ? LOOPBACK : (settings.hostAddress ?? settings.host),
      ...(reused
        ? { stream: () => connectedSocket(reused) }
        : route && { stream: () => socketTo(route.path) }),
      port: settings.port,
      user: settings.user,
      // A function, because the driver replaces an empty value by an environment variable.
      password: () => {
        auth.ensureMethod();
        binding.ensureOffered();
        offered.isSent = true;
        return offered.text ?? '';
      },
      database: settings.database,
      ssl,
      enableChannelBinding: binding.isWanted,
      ...(ssl !== false && parameters.sslNegotiation === 'direct' && { sslnegotiation: 'direct' as const }),
      connectionTimeoutMillis: connectTimeoutSeconds * 1000,
      ...(parameters.options !== undefined && { options: parameters.options }),
      keepAlive: keepAliveIdleSeconds > 0,
      keepAliveInitialDelayMillis: keepAliveIdleSeconds * 1000,
      ...config,
    });
    // Without a listener, the loss of an idle connection would end the process. The next query reports it.
    client.on('error', () => undefined);
    const handshake = watchHandshake(client);
    const refusal = ssl !== false && attempts.at(-1) === false ? watchRefusal(client) : undefined;
    auth.watch(client);
    binding.watch(client);
    const stop = () => void socketOf(client).destroy();
    signal?.addEventListener('abort', stop, { once: true });
    try {
      await client.connect();
      // A server that asked for no password has not proved channel binding either.
      binding.ensureOffered();
      auth.ensureDone();
      markErrors(client, endpoint);
      await ensureTarget(client, settings, endpoint);
      return client;
    } catch (error) {
      connected = signal?.aborted ? undefined : refusal?.take();
      if (!connected) socketOf(client).destroy();
      signal?.throwIfAborted();
      const aboutTls = ssl === false ? undefined : await tlsError(error, settings, route?.path);
      failures.push(aboutTls ?? serverError(error, endpoint, true));
      // As in libpq: increp tries without TLS only if the handshake failed or the server refused, not if the
      // connection broke.
      if (handshake.isDone && !(error instanceof pg.DatabaseError)) break;
      if (!handshake.isConnected) break;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }
  throw mostTelling(failures);
}

const NO_ENTRY =
  'The server has no TLS, so no other sslmode helps. Add a "host" entry for this role, database and address to pg_hba.conf on that server. Or enable TLS there (ssl = on).';

/** Of two attempts, with TLS and without, the answer of a server says more than a failed connection. */
function mostTelling(failures: readonly IncrepError[]): Error {
  const answers = failures.filter(({ sqlstate }) => sqlstate !== undefined);
  const chosen =
    answers.find(({ sqlstate }) => sqlstate !== SQLSTATE.invalidAuthorization) ??
    answers[0] ??
    failures.find((failure) => !isWithoutTls(failure)) ??
    failures[0] ??
    new Error('no TLS attempt');
  if (chosen instanceof IncrepError && /no encryption/.test(chosen.message) && failures.some(isWithoutTls))
    return reworded(chosen, { what: chosen.message, next: NO_ENTRY, cause: chosen.cause });
  const other = failures.find((failure) => failure.code === 'TLS_FAILED' && failure !== chosen);
  if (!other || !(chosen instanceof IncrepError) || isWithoutTls(other)) return chosen;
  return reworded(chosen, {
    what: `${chosen.message}; with TLS: ${other.message}`,
    next: `${chosen.next} ${other.next}`,
  });
}
