/** Opens and closes one connection. */
import { hostname } from 'node:os';
import pg from 'pg';
import type { ConnectionSettings } from '../config/settings.ts';
import { IncrepError, reworded } from '../errors.ts';
import { socketOf } from './driver.ts';
import { watchHandshake } from './handshake.ts';
import { newBinding } from './channel-binding.ts';
import { newAuthGuard } from './require-auth.ts';
import { markErrors, type Endpoint } from './endpoint.ts';
import { serverError } from './server-errors.ts';
import { tlsAttempts } from './tls.ts';
import { ensureTarget } from './target-session.ts';
import { isWithoutTls, tlsError } from './tls-errors.ts';
import { SQLSTATE } from './sqlstate.ts';

/** Closes the connection. On a dead network this would never end, so the socket is destroyed after a time. */
export async function end(client: pg.Client, timeoutSeconds: number): Promise<void> {
  const tooLate = setTimeout(() => socketOf(client).destroy(), timeoutSeconds * 1000);
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
}

/** @throws IncrepError that says why there is no connection */
export async function connect(
  settings: ConnectionSettings,
  endpoint: Endpoint,
  { timeoutSeconds, ...config }: ConnectOptions,
  signal: AbortSignal | undefined,
): Promise<pg.Client> {
  const failures: IncrepError[] = [];
  const { parameters } = settings;
  const { connectTimeoutSeconds = timeoutSeconds, keepAliveIdleSeconds = 10 } = parameters;
  for (const ssl of tlsAttempts(settings)) {
    const binding = newBinding(settings, endpoint, ssl !== false);
    const auth = newAuthGuard(settings, endpoint);
    const client = new pg.Client({
      ...ANY_ITERATIONS,
      host: settings.host,
      port: settings.port,
      user: settings.user,
      // A function, because the driver replaces an empty value by an environment variable.
      password: () => {
        auth.ensureMethod();
        binding.ensureOffered();
        return settings.password ?? '';
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
      socketOf(client).destroy();
      signal?.throwIfAborted();
      const aboutTls = ssl === false ? undefined : await tlsError(error, settings);
      failures.push(aboutTls ?? serverError(error, endpoint, true));
      // As in libpq: increp tries without TLS only if the handshake failed or the server refused, not if the
      // connection broke.
      if (handshake.isDone && !(error instanceof pg.DatabaseError)) break;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }
  throw mostTelling(failures);
}

/** Of two attempts, with TLS and without, the answer of a server says more than a failed connection. */
function mostTelling(failures: readonly IncrepError[]): Error {
  const answers = failures.filter(({ sqlstate }) => sqlstate !== undefined);
  const chosen =
    answers.find(({ sqlstate }) => sqlstate !== SQLSTATE.invalidAuthorization) ??
    answers[0] ??
    failures.find((failure) => !isWithoutTls(failure)) ??
    failures[0] ??
    new Error('no TLS attempt');
  const other = failures.find((failure) => failure.code === 'TLS_FAILED' && failure !== chosen);
  if (!other || !(chosen instanceof IncrepError) || isWithoutTls(other)) return chosen;
  return reworded(chosen, {
    what: `${chosen.message}; with TLS: ${other.message}`,
    next: `${chosen.next} ${other.next}`,
  });
}
