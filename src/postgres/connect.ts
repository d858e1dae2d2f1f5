/** One connection made, with what that takes, and ended. */
import { hostname } from 'node:os';
import pg from 'pg';
import type { ConnectionSettings } from '../config/settings.ts';
import { IncrepError, reworded } from '../errors.ts';
import { socketOf } from './driver.ts';
import { watchHandshake } from './handshake.ts';
import { newBinding } from './channel-binding.ts';
import { markErrors, type Endpoint } from './endpoint.ts';
import { serverError } from './server-errors.ts';
import { tlsAttempts } from './tls.ts';
import { ensureTarget } from './target-session.ts';
import { isWithoutTls, tlsError } from './tls-errors.ts';
import { SQLSTATE } from './sqlstate.ts';

/** Says goodbye, which over a dead network would take for ever. */
export async function end(client: pg.Client, timeoutSeconds: number): Promise<void> {
  const tooLate = setTimeout(() => socketOf(client).destroy(), timeoutSeconds * 1000);
  await client.end().catch(() => undefined);
  clearTimeout(tooLate);
}

/** Shown in pg_stat_activity, by which another run can name the holder of a lock. The server cuts at 63 bytes. */
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

/** Of SCRAM, as many as the server wants, like libpq: the driver would refuse a login above 100,000. Its types lack the option. */
const ANY_ITERATIONS = { scramMaxIterations: 0 };

interface ConnectOptions extends pg.ClientConfig {
  readonly timeoutSeconds: number;
}

/** @throws IncrepError that says why no connection came about */
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
    const client = new pg.Client({
      ...ANY_ITERATIONS,
      host: settings.host,
      port: settings.port,
      user: settings.user,
      // A function, because the driver takes an empty value for a reason to look at the environment.
      password: () => {
        binding.ensureOffered();
        return settings.password ?? '';
      },
      database: settings.database,
      ssl,
      enableChannelBinding: binding.isWanted,
      ...(ssl !== false && parameters.sslNegotiation === 'direct' && { sslnegotiation: 'direct' as const }),
      connectionTimeoutMillis: connectTimeoutSeconds * 1000,
      keepAlive: keepAliveIdleSeconds > 0,
      keepAliveInitialDelayMillis: keepAliveIdleSeconds * 1000,
      ...config,
    });
    // Without a listener a lost idle connection would end the process; the next query reports it.
    client.on('error', () => undefined);
    const handshake = watchHandshake(client);
    binding.watch(client);
    const stop = () => void socketOf(client).destroy();
    signal?.addEventListener('abort', stop, { once: true });
    try {
      await client.connect();
      // A server that asked for no password has bound nothing either.
      binding.ensureOffered();
      markErrors(client, endpoint);
      await ensureTarget(client, settings, endpoint);
      return client;
    } catch (error) {
      socketOf(client).destroy();
      signal?.throwIfAborted();
      const aboutTls = ssl === false ? undefined : await tlsError(error, settings);
      failures.push(aboutTls ?? serverError(error, endpoint, true));
      // As libpq: without TLS only where the handshake failed or the server said no, not where it broke off.
      if (handshake.isDone && !(error instanceof pg.DatabaseError)) break;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }
  throw mostTelling(failures);
}

/** Of two attempts, with TLS and without: what a server says tells more than a connection that was not made. */
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
