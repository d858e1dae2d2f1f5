/** The control database of the service: a few connections that are opened when needed, and replaced if they break. */
import type pg from 'pg';
import type { ConnectionSettings } from '../config/settings.ts';
import { asIncrepError, IncrepError, reworded } from '../errors.ts';
import type { Timing } from '../timing.ts';
import { connect, end, programName } from './connect.ts';
import { endpointFor, type Endpoint } from './endpoint.ts';
import { serverError } from './server-errors.ts';
import { SQLSTATE } from './sqlstate.ts';

/** What can run a statement: the database, or one transaction in it. */
export interface ControlSession {
  readonly query: <Row extends pg.QueryResultRow = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
  ) => Promise<pg.QueryResult<Row>>;
}

interface ControlOptions {
  /** In pg_stat_activity, beside the process. */
  readonly program: 'serve' | 'work' | 'token';
  readonly connections: number;
  readonly timing: Pick<Timing, 'connectTimeout' | 'passwordCommand' | 'closeTimeout' | 'serve'>;
}

export class ControlDatabase implements ControlSession, AsyncDisposable {
  readonly endpoint: Endpoint;
  readonly #settings: ConnectionSettings;
  readonly #options: ControlOptions;
  readonly #idle: pg.Client[] = [];
  readonly #waiting: (() => void)[] = [];
  #count = 0;
  #isClosed = false;

  constructor(settings: ConnectionSettings, options: ControlOptions) {
    this.#settings = settings;
    this.#options = options;
    this.endpoint = endpointFor(settings);
  }

  /** Errors of the server stay as they are, because the queue reads their codes. */
  async query<Row extends pg.QueryResultRow = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
  ): Promise<pg.QueryResult<Row>> {
    return this.#withClient(async (client) => {
      try {
        return await queryOn<Row>(client, text, values);
      } catch (error) {
        // Statements of the queue that begin a transaction leave it open if one of them fails.
        if (isAnswer(error)) await client.query('ROLLBACK');
        throw error;
      }
    });
  }

  /**
   * A worker that is stopped or frozen inside a transaction would hold its locks, so the server ends a session that is idle
   * there.
   */
  async transaction<T>(work: (session: ControlSession) => Promise<T>): Promise<T> {
    const { idleTransaction, statement } = this.#options.timing.serve;
    const limits = `SET LOCAL idle_in_transaction_session_timeout = ${Math.ceil(idleTransaction * 1000)};
      SET LOCAL statement_timeout = ${Math.ceil(statement * 1000)}; SET LOCAL synchronous_commit = on`;
    return this.#withClient(async (client) => {
      await client.query(`BEGIN; ${limits}`);
      try {
        const result = await work({ query: (text, values) => queryOn(client, text, values) });
        await client.query('COMMIT');
        return result;
      } catch (error) {
        await client.query('ROLLBACK');
        throw error;
      }
    });
  }

  async #withClient<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = await this.#take();
    let isUsable = false;
    const lost = () => (isUsable = false);
    client.once('error', lost);
    client.once('end', lost);
    try {
      isUsable = true;
      return await work(client);
    } catch (error) {
      // A statement that the server refused leaves the connection as it was. Any other error may not.
      isUsable &&= isAnswer(error);
      throw error;
    } finally {
      client.off('error', lost);
      client.off('end', lost);
      this.#giveBack(client, isUsable);
    }
  }

  async #take(): Promise<pg.Client> {
    while (!this.#isClosed && this.#count >= this.#options.connections && this.#idle.length === 0)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.#isClosed) throw new Error('the control database is closed');
    const idle = this.#idle.pop();
    if (idle) return idle;
    this.#count += 1;
    try {
      return await this.#open();
    } catch (error) {
      this.#count -= 1;
      this.#waiting.shift()?.();
      throw error;
    }
  }

  async #open(): Promise<pg.Client> {
    const { timing, program } = this.#options;
    const { client } = await connect(
      this.#settings,
      this.endpoint,
      {
        timeoutSeconds: timing.connectTimeout,
        passwordSeconds: timing.passwordCommand,
        application_name: programName(program, { program: 'control' }),
        // On a dead network, no answer comes.
        query_timeout: timing.serve.query * 1000,
      },
      undefined,
    ).catch((error: unknown) => {
      throw asControlError(error, this.endpoint);
    });
    client.on('end', () => {
      const place = this.#idle.indexOf(client);
      if (place < 0) return;
      this.#idle.splice(place, 1);
      this.#count -= 1;
    });
    return client;
  }

  #giveBack(client: pg.Client, isUsable: boolean): void {
    if (isUsable && !this.#isClosed) this.#idle.push(client);
    else {
      this.#count -= 1;
      void end(client, this.#options.timing.closeTimeout);
    }
    this.#waiting.shift()?.();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    const idle = this.#idle.splice(0);
    this.#waiting.splice(0).forEach((wake) => wake());
    await Promise.all(idle.map((client) => end(client, this.#options.timing.closeTimeout)));
  }
}

const queryOn = <Row extends pg.QueryResultRow>(
  client: pg.Client,
  text: string,
  values?: readonly unknown[],
): Promise<pg.QueryResult<Row>> => (values ? client.query<Row>(text, [...values]) : client.query<Row>(text));

const isAnswer = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'severity' in error && error.severity === 'ERROR';

/** Whether the server refused a change, because it is a standby or is set to be read-only. */
export const isReadOnly = (error: unknown): boolean =>
  isAnswer(error) && (error as { readonly code?: unknown }).code === SQLSTATE.readOnlyTransaction;

/** The driver says this after `query_timeout`. */
const NO_ANSWER = 'Query read timeout';

/** The error of any statement, for people. */
export function asControlError(error: unknown, endpoint: Endpoint): IncrepError {
  const next = `Check SERVE_DATABASE_URL, that server and the network. To test the login: psql ${endpoint.login}`;
  if (error instanceof Error && error.message === NO_ANSWER)
    return new IncrepError('CONNECTION_LOST', {
      what: `control database ${endpoint.address}: no answer to a statement`,
      next,
      cause: error,
    });
  const known = error instanceof IncrepError ? error : asIncrepError(serverError(error, endpoint, false));
  if (known.code === 'INTERNAL' || known.code === 'CONFIG_INVALID') return known;
  return reworded(known, {
    what: known.message,
    next,
    cause: known.cause,
  });
}
