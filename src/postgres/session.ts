/** The one connection of a side: it is opened when needed, lent to one caller at a time, and replaced after a failure. */
import type pg from 'pg';
import type { ConnectionSettings } from '../config/settings.ts';
import { IncrepError } from '../errors.ts';
import { END_BACKEND } from '../sql/sessions.ts';
import type { Timing } from '../timing.ts';
import { isUnconfirmed } from './commit-wait.ts';
import { connect, end, programName } from './connect.ts';
import { backendOf, socketOf } from './driver.ts';
import type { Endpoint } from './endpoint.ts';
import { codeOf } from './identity.ts';
import { serverError } from './server-errors.ts';
import { asLoginRole, type SessionWatch } from './session-watch.ts';
import { SQLSTATE } from './sqlstate.ts';
import type { Tunnels } from './tunnel/tunnels.ts';

interface SessionOptions {
  readonly pipeline: string;
  readonly timing: Timing;
  readonly tunnels?: Tunnels | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface SessionOwner {
  readonly endpoint: Endpoint;
  readonly watch: () => SessionWatch;
  /** Called when the connection was closed before its time. The next one may reach another server. */
  readonly onDiscard: () => void;
}

export class Session {
  readonly #settings: ConnectionSettings;
  readonly #options: SessionOptions;
  readonly #owner: SessionOwner;
  readonly applicationName: string;
  #isFull = false;
  /** The backend of the open transaction. A pooler changes it. */
  transactionPid: number | undefined;
  /** The backend of a broken connection. It may not have noticed yet, and holds its locks until then. */
  #orphan: number | undefined;
  #client: pg.Client | undefined;
  #opening: Promise<pg.Client> | undefined;
  #connected: ConnectionSettings | undefined;
  readonly #closing = new AbortController();

  constructor(settings: ConnectionSettings, options: SessionOptions, owner: SessionOwner) {
    this.#settings = settings;
    this.#options = options;
    this.#owner = owner;
    this.applicationName = programName(options.pipeline, { suffix: settings.parameters.applicationName });
  }

  /**
   * Lends the connection to a caller. If the caller fails, the connection is closed and not rolled back, because it
   * may not answer after a failed COPY. @throws IncrepError
   */
  async withClient<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const { signal, tunnels } = this.#options;
    signal?.throwIfAborted();
    const isReused = this.#client !== undefined;
    const client = await this.#open();
    using _ = this.#owner.watch().session(client, () => this.transactionPid ?? backendOf(client));
    try {
      return await work(client);
    } catch (error) {
      this.discard();
      if (isUnconfirmed(error)) throw error;
      signal?.throwIfAborted();
      // The server ended the session before it read our first statement. It ends only sessions without a transaction
      // in this way.
      if (isReused && codeOf(error) === SQLSTATE.idleSessionTimeout) return await this.withClient(work);
      const failure = serverError(error, this.#owner.endpoint);
      throw (await tunnels?.explainLoss(this.#settings, failure)) ?? failure;
    }
  }

  async #open(): Promise<pg.Client> {
    if (this.#client) return this.#client;
    this.#opening = this.connect(this.#untilClosed()).then(({ client, settings }) => {
      this.#connected = settings;
      return client;
    });
    try {
      const client = await this.#opening;
      this.#isFull = false;
      this.#client = client;
      // The connection was closed while idle, by idle_session_timeout or a restart. The next caller gets a new one.
      client.once('end', () => {
        if (this.#client === client) this.discard();
      });
      await this.#endOrphan(client);
      return client;
    } catch (error) {
      this.#isFull = error instanceof IncrepError && error.code === 'TOO_MANY_CONNECTIONS';
      throw error;
    } finally {
      this.#opening = undefined;
      this.#options.signal?.throwIfAborted();
    }
  }

  /** The settings of the one server that the current connection leads to, for sessions that need the same server. */
  get connected(): ConnectionSettings {
    return this.#connected ?? this.#settings;
  }

  get isConnected(): boolean {
    return this.#client !== undefined;
  }

  /** Whether the server refused the last connection because it has too many. */
  get isFull(): boolean {
    return this.#isFull;
  }

  #untilClosed(): AbortSignal {
    const { signal } = this.#options;
    const closing = this.#closing.signal;
    return signal ? AbortSignal.any([signal, closing]) : closing;
  }

  /** Opens a connection for the caller. @throws IncrepError */
  connect(
    signal: AbortSignal | undefined,
    settings = this.#settings,
    more: pg.ClientConfig = {},
  ): ReturnType<typeof connect> {
    const { timing, tunnels } = this.#options;
    const limits = { timeoutSeconds: timing.connectTimeout, passwordSeconds: timing.passwordCommand };
    const options = { application_name: this.applicationName, ...more, ...limits, tunnels };
    return connect(settings, this.#owner.endpoint, options, signal);
  }

  async #endOrphan(client: pg.Client): Promise<void> {
    const orphan = this.#orphan;
    this.#orphan = undefined;
    // If this fails, the next statement reports why.
    if (orphan === undefined) return;
    await asLoginRole(client, () => client.query(END_BACKEND, [orphan, this.applicationName])).catch(
      () => undefined,
    );
  }

  /** Closes the connection at once, even during a statement. */
  discard(): void {
    const client = this.#client;
    this.#client = undefined;
    if (client) this.#orphan = this.transactionPid ?? backendOf(client);
    this.transactionPid = undefined;
    if (client) socketOf(client).destroy();
    this.#owner.onDiscard();
  }

  /** Ends a connection that is being opened. No caller waits for it if the other side failed. */
  stopOpening(): void {
    this.#closing.abort();
  }

  /** Closes the connection after the last answer. */
  async end(lastAnswer: Promise<void>): Promise<void> {
    const client = this.#client ?? (await this.#opening?.catch(() => undefined));
    this.#client = undefined;
    if (client) await end(client, this.#options.timing.closeTimeout, lastAnswer);
  }
}
