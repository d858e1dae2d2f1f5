import { Client } from 'pg';
import { endpointFor } from '../postgres/endpoint.ts';
import { serverError } from '../postgres/server-errors.ts';

export interface Login {
  readonly side: 'source' | 'destination';
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
}

/**
 * The session settings that decide how Postgres prints a value, so that both sides print alike. The name of the
 * schema is always written. A lock that is not given at once is a mistake of the demo, and must not look like a hang.
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

/** A connection of the demo itself, not of increp. A signal closes it, whatever is going on. */
export async function withClient<T>(
  login: Login,
  signal: AbortSignal,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const { side: _, ...settings } = login;
  // Everything is given, because the driver would else look at PGOPTIONS and its kin.
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

/** The typings leave the socket out. */
const socketOf = (client: Client): { destroy(): void } =>
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream;
