/**
 * One side: its settings, its identity and at most one connection, which is opened when needed and used by one caller
 * at a time.
 */
import type pg from 'pg';
import * as z from 'zod';
import type { ConnectionSettings } from '../config/settings.ts';
import { BACKEND_PID } from '../sql/sessions.ts';
import type { Timing } from '../timing.ts';
import { isBeforeSnapshot, MARK_READER } from '../sql/reader-mark.ts';
import { messageOf, TO_USUAL_PATH, type Statement } from '../sql/search-path.ts';
import { aloneSettings, beginReading, beginSnapshot, beginWriting } from '../sql/session.ts';
import { Asides } from './asides.ts';
import { BatchReader } from './batch-reader.ts';
import { commitWithin } from './commit-wait.ts';
import { backendOf } from './driver.ts';
import { namingEventTrigger } from './event-triggers.ts';
import { answersTo, inOneStatement, isMissingInside } from './user-search-path.ts';
import { ensureSupported, lastRow, queryFirst, readIdentity, type ServerIdentity } from './identity.ts';
import { endpointFor, type Endpoint } from './endpoint.ts';
import { ReadingPipeline } from './pipelined-reading.ts';
import type { ServerClock } from './server-clock.ts';
import { serverError } from './server-errors.ts';
import { Session } from './session.ts';
import { SessionWatch } from './session-watch.ts';
import type { Tunnels } from './tunnel/tunnels.ts';

const pidSchema = z.object({ pid: z.number() });
interface DatabaseOptions {
  readonly pipeline: string;
  readonly stallTimeoutSeconds: number;
  readonly timing: Timing;
  /** Undefined in a program without bastions. */
  readonly tunnels?: Tunnels | undefined;
  /** Shared by the sessions of several jobs. */
  readonly asides?: Asides;
  readonly signal?: AbortSignal;
  /** The time limit of the run. */
  readonly timeLimit?: { readonly remainingSeconds: number };
}

/**
 * A transaction of increp. It sends as few messages as possible, because each round trip counts on a slow network.
 */
export interface Transaction {
  /** The answers to the statements that were sent with BEGIN, one each. */
  readonly answers: readonly pg.QueryResult[];
  /** Sends a statement without parameters together with COMMIT. */
  readonly lastly: (statement: string) => void;
  /** Begins the transaction again, which releases its locks. */
  readonly restart: () => Promise<void>;
}

/** Statements that are sent with BEGIN. */
interface Around {
  /** Statements that must run before the snapshot is taken. */
  readonly first: readonly Statement[];
  /** Shows other sessions that this session only reads. */
  readonly mark: readonly string[];
  /** Statements that run directly before COMMIT. */
  readonly last?: readonly string[];
  readonly writes?: boolean;
}

const markOf = ({ canMark }: ServerIdentity): string[] => (canMark ? [MARK_READER] : []);

/**
 * The server sends an error before it releases the locks of the transaction, and without them the next statement may
 * succeed. Not after COPY: then the server does not process a ROLLBACK.
 */
async function rolledBack<T>(client: pg.Client, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

type ClientWork<T> = (client: pg.Client, transaction: Transaction) => Promise<T>;

export class Database implements AsyncDisposable {
  readonly settings: ConnectionSettings;
  readonly endpoint: Endpoint;
  /** For questions about silent sessions. */
  readonly asides: Asides;
  readonly watch: SessionWatch;
  readonly #session: Session;
  readonly #stallTimeoutSeconds: number;
  readonly #timing: Timing;
  readonly #signal: AbortSignal | undefined;
  readonly #timeLimit: DatabaseOptions['timeLimit'];
  #isCommitting = false;
  readonly batches: BatchReader;
  readonly #options: DatabaseOptions;
  #second: Database | undefined;
  /** The end of the last transaction that only read. */
  #ending: Promise<void> = Promise.resolve();
  #identity: ServerIdentity | undefined;
  #serverClock: ServerClock | undefined;
  #identifying: Promise<ServerIdentity> | undefined;

  constructor(settings: ConnectionSettings, options: DatabaseOptions) {
    const { stallTimeoutSeconds, timing, signal, timeLimit, asides = new Asides() } = options;
    this.#options = { ...options, asides };
    this.asides = asides;
    this.settings = settings;
    this.endpoint = endpointFor(settings);
    this.#stallTimeoutSeconds = stallTimeoutSeconds;
    this.#timing = timing;
    this.#signal = signal;
    this.#timeLimit = timeLimit;
    this.#session = new Session(settings, options, {
      endpoint: this.endpoint,
      watch: () => this.watch,
      onDiscard: () => this.#forget(),
    });
    this.watch = new SessionWatch({
      ...{ endpoint: this.endpoint, applicationName: this.#session.applicationName },
      ...{ stallTimeoutSeconds, asides, signal },
      open: (until) => this.#openAnother(until, { query_timeout: timing.stallProbeTimeout * 1000 }),
      identity: () => this.#identity,
    });
    const reading = new ReadingPipeline({
      connect: () => this.#openAnother(signal, { pipeline: true }),
      watch: (client) => this.watch.session(client, () => backendOf(client)),
      explain: (error) => {
        signal?.throwIfAborted();
        return serverError(error, this.endpoint);
      },
    });
    this.batches = new BatchReader({
      pipeline: reading,
      closeTimeout: timing.closeTimeout,
      begin: async () => this.#beginReading(await this.identity()),
      readAtOnce: (statements) => this.readAtOnce(statements),
    });
    // A running statement ends with its connection, and the server rolls back. A COMMIT does not: its reply is worth a
    // short wait.
    const stop = () => {
      if (!this.#isCommitting) this.discard();
    };
    signal?.addEventListener('abort', stop, { once: true });
  }

  /** @throws IncrepError */
  withClient<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    return this.#session.withClient(work);
  }

  /** A connection to the same server for another use. The caller ends it. */
  async #openAnother(signal: AbortSignal | undefined, config: pg.ClientConfig): Promise<pg.Client> {
    return (await this.#session.connect(signal, this.connected, config)).client;
  }

  /** The settings of the one server that the current connection leads to, for sessions that need the same server. */
  get connected(): ConnectionSettings {
    return this.#session.connected;
  }

  /** A second connection to the same server, for transactions while the first one holds a snapshot. */
  get second(): Database {
    this.#second ??= new Database(this.connected, this.#options);
    return this.#second;
  }

  get isConnected(): boolean {
    return this.#session.isConnected;
  }

  /** Whether the server refused the last connection because it has too many. */
  get isFull(): boolean {
    return this.#session.isFull || this.#second?.isFull === true;
  }

  /** Whether a signal has ended the work on this connection. */
  get isStopped(): boolean {
    return this.#signal?.aborted === true;
  }

  get tunnels(): Tunnels | undefined {
    return this.#options.tunnels;
  }

  /** Undefined before the first connection. */
  get serverClock(): ServerClock | undefined {
    return this.#serverClock;
  }

  /** Callers at the same time share one connection. */
  async identity(): Promise<ServerIdentity> {
    if (this.#identity) return this.#identity;
    this.#identifying ??= this.#identify();
    try {
      return await this.#identifying;
    } finally {
      this.#identifying = undefined;
    }
  }

  /** Starts to connect, while the caller does something else. An error is that of the next caller. */
  connectEarly(): void {
    if (this.#identity) return;
    this.#identifying ??= this.#identify();
    this.#identifying.catch(() => undefined);
  }

  async #identify(): Promise<ServerIdentity> {
    const identity = await this.withClient((client) => readIdentity(client, this.endpoint));
    ensureSupported(identity, this.endpoint.side);
    this.#identity = identity;
    this.#serverClock = identity.serverClock;
    return identity;
  }

  /** Sends statements without parameters in one message. Each sees the data that is committed when it starts. */
  async readAtOnce(statements: readonly Statement[]): Promise<pg.QueryResult[]> {
    const identity = await this.identity();
    const begin = this.#beginReading(identity);
    return this.withClient(async (client) => {
      const message = messageOf(statements);
      const asked = queryFirst(client, [begin, ...message.sent, 'COMMIT'].join('; '));
      const results: unknown = await rolledBack(client, asked);
      return answersTo(message, (results as pg.QueryResult[]).slice(-message.sent.length - 1, -1));
    });
  }

  #beginReading = (identity: ServerIdentity): string =>
    [beginReading(identity, this.#timing.lockTimeout), ...markOf(identity)].join('; ');

  /** Each statement sees the data that is committed when it starts. */
  async withReading<T>(read: ClientWork<T>): Promise<T> {
    const identity = await this.identity();
    const begin = beginReading(identity, this.#timing.lockTimeout);
    return this.#withTransaction(begin, { first: [], mark: markOf(identity) }, (client, transaction) =>
      rolledBack(client, read(client, transaction)),
    );
  }

  /** One view of the whole database. The first statement that needs a snapshot takes it; LOCK TABLE does not. */
  async withSnapshot<T>(first: readonly Statement[], read: ClientWork<T>): Promise<T> {
    const identity = await this.identity();
    const begin = beginSnapshot(identity, this.#timing.lockTimeout);
    return this.#withTransaction(begin, { first, mark: markOf(identity) }, read);
  }

  async withWriting<T>(first: readonly Statement[], write: ClientWork<T>): Promise<T> {
    const begin = beginWriting(await this.identity(), this.#timing.lockTimeout);
    try {
      // Deferred triggers run at COMMIT, and they may be triggers of users.
      return await this.#withTransaction(
        begin,
        { first, mark: [], last: [TO_USUAL_PATH], writes: true },
        write,
      );
    } catch (error) {
      throw await namingEventTrigger(error, async (query) => (await this.readAtOnce([query]))[0]);
    }
  }

  /**
   * Runs one statement that the server allows in no transaction block, such as CREATE INDEX CONCURRENTLY. It cannot use SET
   * LOCAL, so the settings are those of the session, and are reset afterwards. Behind a pooler the session belongs to
   * other clients too, so its settings stay as they are.
   */
  async runAlone(text: string, { lockSeconds }: { readonly lockSeconds: number }): Promise<void> {
    const identity = await this.identity();
    const settings = identity.isPooled ? [] : aloneSettings(identity, lockSeconds);
    await this.withClient(async (client) => {
      for (const { set } of settings) await client.query(set);
      try {
        await client.query(inOneStatement(text));
      } catch (error) {
        if (settings.length === 0 || !isMissingInside(error)) throw error;
        // A function inside it needs the path of the role.
        await client.query('RESET search_path');
        await client.query(inOneStatement(text));
      }
      for (const { reset } of settings) await client.query(reset);
    });
  }

  async #withTransaction<T>(begin: string, around: Around, work: ClientWork<T>): Promise<T> {
    const { first, mark, last: atEnd = [], writes = false } = around;
    const early = first.filter((statement) => isBeforeSnapshot(statement));
    const message = messageOf(first);
    const asked = message.sent.toSpliced(early.length, 0, ...mark);
    return this.withClient(async (client) => {
      const opening = [begin, ...asked, BACKEND_PID].join('; ');
      const begun = (await queryFirst(client, opening)) as unknown as pg.QueryResult[];
      this.#session.transactionPid = pidSchema.parse(lastRow(begun, 0)).pid;
      const last: string[] = [];
      const answers = begun.slice(-1 - asked.length, -1).toSpliced(early.length, mark.length);
      const result = await work(client, {
        answers: answersTo(message, answers),
        lastly: (statement) => void last.push(statement),
        restart: async () => void (await client.query(`ROLLBACK; ${begin}`)),
      });
      const ending = [...last, ...atEnd, 'COMMIT'].join('; ');
      if (writes) await this.#commit(client, ending);
      else this.#endReading(client, ending);
      this.#session.transactionPid = undefined;
      return result;
    });
  }

  /**
   * Nothing depends on the reply, so the caller does not wait for it. The driver sends the next statement after it. If the
   * connection is lost, that statement reports it.
   */
  #endReading(client: pg.Client, commit: string): void {
    this.#ending = client.query(commit).then(
      () => undefined,
      () => undefined,
    );
  }

  /** @throws IncrepError COMMIT_UNCONFIRMED */
  async #commit(client: pg.Client, commit: string): Promise<void> {
    this.#signal?.throwIfAborted();
    const { standbyGrace } = this.#timing;
    const remaining = this.#timeLimit?.remainingSeconds ?? Infinity;
    const backend = [this.#session.transactionPid, this.#session.applicationName];
    this.#isCommitting = true;
    try {
      await commitWithin(client, commit, {
        endpoint: this.endpoint,
        seconds: Math.min(this.#stallTimeoutSeconds, Math.max(remaining, standbyGrace)),
        timing: this.#timing,
        signal: this.#signal,
        askAbout: (statement) => this.watch.askAlone((other) => other.query(statement, backend)),
        abandon: () => this.discard(),
      });
    } finally {
      this.#isCommitting = false;
    }
  }

  /** Closes the connection at once, even during a statement. */
  discard(): void {
    this.#session.discard();
  }

  /** After a restart or a failover, the next connection may reach another server. */
  #forget(): void {
    this.#identity = undefined;
    this.batches.discard();
    this.#second?.discard();
    this.#second = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#session.stopOpening();
    await this.batches.end();
    await this.#second?.[Symbol.asyncDispose]();
    await this.#session.end(this.#ending);
  }
}
