import { Client } from 'pg';
import { endpointFor } from '../postgres/endpoint.ts';
import { serverError } from '../postgres/server-errors.ts';

export interface DemoLogin {
  readonly side: 'source' | 'destination';
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
}

/**
 * The session settings that decide how Postgres prints a value, so that both sides print alike. Names include their
 * schema. A lock that is not granted at once is a bug of the demo, and must not look like a hang.
 */
const SETTINGS = {
  search_path: '',
  TimeZone: 'UTC',
  DateStyle: 'ISO',
  IntervalStyle: 'postgres',
  extra_float_digits: '3',
  bytea_output: 'hex',
  lc_monetary: 'C',
  xmlbinary: 'base64',
  lock_timeout: '5s',
};

const OPTIONS = Object.entries(SETTINGS)
  .map(([name, value]) => `-c ${name}=${value}`)
  .join(' ');

/** A connection of the demo, not of increp. A signal closes it at once. */
export async function withClient<T>(
  login: DemoLogin,
  signal: AbortSignal,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const { side: _, ...settings } = login;
  // All settings are given, because the driver would read PGOPTIONS and similar variables for missing ones.
  const client = new Client({
    ...settings,
    ssl: false,
    options: OPTIONS,
    application_name: 'increp demo',
  });
  client.on('error', () => undefined);
  const close = () => socketOf(client).destroy();
  signal.addEventListener('abort', close, { once: true });
  try {
    await client.connect();
    return await use(client);
  } catch (error) {
    signal.throwIfAborted();
    throw serverError(error, endpointFor(login));
  } finally {
    signal.removeEventListener('abort', close);
    await client.end().catch(() => undefined);
  }
}

/** @types/pg does not declare the socket. */
const socketOf = (client: Client): { destroy(): void } =>
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream;
