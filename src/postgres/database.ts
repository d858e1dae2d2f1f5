/** One side: its settings, who it is, and at most one connection, opened when needed and lent to one borrower. */
import { hostname } from 'node:os';
import pg from 'pg';
import { z } from 'zod';
import type { ConnectionSettings } from '../config/settings.ts';
import { IncrepError } from '../errors.ts';
import { beginReading, beginSnapshot, beginWriting, CONTROL_DATA, SERVER_IDENTITY } from '../sql/session.ts';
import { watchHandshake } from './handshake.ts';
import { serverError, type Place } from './server-errors.ts';
import { tlsAttempts } from './tls.ts';
import { isWithoutTls, tlsError } from './tls-errors.ts';

const CONNECT_TIMEOUT_SECONDS = 10;
/** How long a statement queues for a table lock, and so may hold up those who queue behind it. */
export const LOCK_TIMEOUT_SECONDS = 5;

/** SQLSTATEs. */
const CANCELLED = '57014';
const IDLE_SESSION_TIMEOUT = '57P05';

const codeOf = (error: unknown): unknown => (error as { code?: unknown } | undefined)?.code;

const identitySchema = z.object({
  version: z.number(),
  isLinux: z.boolean(),
  database: z.string(),
  databaseOid: z.string(),
  isStandby: z.boolean(),
  startedAt: z.string(),
  timeZone: z.string(),
  encoding: z.string(),
  /** default_transaction_read_only. */
  isReadOnly: z.boolean(),
  backendPid: z.number(),
  canReadControl: z.boolean(),
});
const controlSchema = z.object({ systemIdentifier: z.string().nullable(), timeline: z.number().nullable() });

interface Connected {
  /** A pooler or proxy answers in the server's place, so a session may be another one in the next transaction. */
  readonly isPooled: boolean;
}

export type ServerIdentity = Readonly<
  Omit<z.infer<typeof identitySchema>, 'backendPid'> & z.infer<typeof controlSchema> & Connected
>;

export class Database implements AsyncDisposable {
  readonly settings: ConnectionSettings;
  readonly place: Place;
  readonly #applicationName: string;
  readonly #signal: AbortSignal | undefined;
  #client: pg.Client | undefined;
  #opening: Promise<pg.Client> | undefined;
  #identity: ServerIdentity | undefined;

  constructor(settings: ConnectionSettings, pipeline: string, signal?: AbortSignal) {
    this.settings = settings;
    this.place = {
      side: settings.side,
      address: `${settings.host}:${settings.port}/${settings.database}`,
      role: settings.user,
    };
    this.#applicationName = programName(pipeline);
    this.#signal = signal;
    // A statement in progress ends with its connection; the server rolls back.
    signal?.addEventListener('abort', () => this.discard(), { once: true });
  }

  /**
   * Lends the connection. If the borrower fails it is closed, never rolled back: after a failed COPY it may not
   * answer any more. @throws IncrepError
   */
  async withClient<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    this.#signal?.throwIfAborted();
    const isReused = this.#client !== undefined;
    const client = await this.#open();
    try {
      return await work(client);
    } catch (error) {
      this.discard();
      this.#signal?.throwIfAborted();
      // It crossed our first statement, which was not looked at: only a session without a transaction is ended so.
      if (isReused && codeOf(error) === IDLE_SESSION_TIMEOUT) return this.withClient(work);
      throw serverError(error, this.place);
    }
  }

  async #open(): Promise<pg.Client> {
    if (this.#client) return this.#client;
    this.#opening = connect(this.settings, this.place, this.#applicationName);
    try {
      const client = (this.#client = await this.#opening);
      // Nobody waits for an idle connection that ends, by idle_session_timeout or a pooler; the next one is a new one.
      client.once('end', () => {
        if (this.#client === client) this.discard();
      });
      return client;
    } finally {
      this.#opening = undefined;
    }
  }

  async identity(): Promise<ServerIdentity> {
    this.#identity ??= await this.withClient(readIdentity);
    return this.#identity;
  }

  /** Statements without parameters in one message, each seeing what is committed when it starts. */
  async readAtOnce(statements: readonly string[]): Promise<pg.QueryResult[]> {
    const begin = beginReading(await this.identity(), LOCK_TIMEOUT_SECONDS);
    return this.withClient(async (client) => {
      const results: unknown = await queryFirst(client, [begin, ...statements, 'COMMIT'].join('; '));
      return (results as pg.QueryResult[]).slice(-statements.length - 1, -1);
    });
  }

  /** Statements that each see what is committed when they start. */
  async withReading<T>(read: (client: pg.Client) => Promise<T>): Promise<T> {
    return this.#withTransaction(beginReading(await this.identity(), LOCK_TIMEOUT_SECONDS), read);
  }

  /** One view of the whole database. `beforehand` runs before the snapshot is taken. */
  async withSnapshot<T>(beforehand: string, read: (client: pg.Client) => Promise<T>): Promise<T> {
    const begin = beginSnapshot(await this.identity(), LOCK_TIMEOUT_SECONDS);
    return this.#withTransaction(beforehand === '' ? begin : `${begin}; ${beforehand}`, read);
  }

  async withWriting<T>(write: (client: pg.Client) => Promise<T>): Promise<T> {
    return this.#withTransaction(beginWriting(await this.identity(), LOCK_TIMEOUT_SECONDS), write);
  }

  async #withTransaction<T>(begin: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
    return this.withClient(async (client) => {
      await queryFirst(client, begin);
      const result = await work(client);
      await client.query('COMMIT');
      return result;
    });
  }

  /** Closes at once, whatever is going on. */
  discard(): void {
    const client = this.#client;
    this.#client = undefined;
    // The next connection may find another server: a restart, a failover.
    this.#identity = undefined;
    if (client) socketOf(client).destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Whoever waited for this connection may have been given up because the other side failed.
    const client = this.#client ?? (await this.#opening?.catch(() => undefined));
    this.#client = undefined;
    await client?.end().catch(() => undefined);
  }
}

async function readIdentity(client: pg.Client): Promise<ServerIdentity> {
  const { backendPid, ...identity } = identitySchema.parse(
    lastRow(await queryFirst(client, SERVER_IDENTITY), 0),
  );
  const isPooled = backendPid !== processOf(client);
  const end: unknown = await client.query(identity.canReadControl ? `${CONTROL_DATA}; COMMIT` : 'COMMIT');
  if (!identity.canReadControl) return { ...identity, isPooled, systemIdentifier: null, timeline: null };
  return { ...identity, isPooled, ...controlSchema.parse(lastRow(end, 1)) };
}

/**
 * The message that begins a transaction and has read nothing yet. A role's statement_timeout of a millisecond can cut
 * it off on a busy server before it has lifted that limit.
 */
async function queryFirst(client: pg.Client, sql: string): Promise<pg.QueryResult> {
  try {
    return await client.query(sql);
  } catch (error) {
    if (codeOf(error) !== CANCELLED) throw error;
    await client.query('ROLLBACK');
    return client.query(sql);
  }
}

/** Of several statements in one message; `after` of them follow the one that is meant. */
const lastRow = (results: unknown, after: number): unknown =>
  (results as pg.QueryResult[]).at(-1 - after)?.rows[0];

/** What answered the connection called itself this process; a pooler makes up a number of its own. Not in the typings. */
const processOf = (client: pg.Client): unknown => (client as unknown as { processID: unknown }).processID;

/** The typings leave the socket out. */
const socketOf = (client: pg.Client): { destroy(): void } =>
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream;

/** Shown in pg_stat_activity, by which another run can name the holder of a lock. The server cuts at 63 bytes. */
const programName = (pipeline: string): string =>
  `increp ${pipeline.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 24)} ${process.pid}@${hostname().slice(0, 24)}`;

async function connect(
  settings: ConnectionSettings,
  place: Place,
  applicationName: string,
): Promise<pg.Client> {
  const failures: IncrepError[] = [];
  for (const ssl of tlsAttempts(settings)) {
    const client = new pg.Client({
      host: settings.host,
      port: settings.port,
      user: settings.user,
      // A function, because the driver takes an empty value for a reason to look at the environment.
      password: () => settings.password ?? '',
      database: settings.database,
      ssl,
      application_name: applicationName,
      connectionTimeoutMillis: CONNECT_TIMEOUT_SECONDS * 1000,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    });
    // Without a listener a lost idle connection would end the process; the next query reports it.
    client.on('error', () => undefined);
    const handshake = watchHandshake(client);
    try {
      await client.connect();
      return client;
    } catch (error) {
      socketOf(client).destroy();
      const aboutTls = ssl === false ? undefined : await tlsError(error, settings);
      failures.push(aboutTls ?? serverError(error, place, true));
      // As libpq: without TLS only where the handshake failed or the server said no, not where it broke off.
      if (handshake.isDone && !(error instanceof pg.DatabaseError)) break;
    }
  }
  throw mostTelling(failures);
}

/** Of two attempts, with TLS and without: what a server says tells more than a connection that was not made. */
function mostTelling(failures: readonly IncrepError[]): Error {
  const server = failures.find(({ code }) => code !== 'CONNECTION_FAILED' && code !== 'TLS_FAILED');
  const chosen = server ?? failures[0] ?? new Error('no TLS attempt');
  const other = failures.find((failure) => failure.code === 'TLS_FAILED' && failure !== chosen);
  if (!other || !(chosen instanceof IncrepError) || isWithoutTls(other)) return chosen;
  const { code, message, next, sqlstate, cause } = chosen;
  return new IncrepError(code, {
    what: `${message}; with TLS: ${other.message}`,
    next: `${next} ${other.next}`,
    sqlstate,
    cause,
  });
}
