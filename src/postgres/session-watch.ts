/** Watches sessions of one server for silence. Asks about a silent session over another connection to that server. */
import type pg from 'pg';
import * as z from 'zod';
import { formatDuration } from '../duration.ts';
import { IncrepError } from '../errors.ts';
import { isSameInstance } from '../schema/state-record.ts';
import { AS_LOGIN_ROLE, LOOK_AT_BACKEND, LOOK_AT_PROGRAM } from '../sql/sessions.ts';
import { Asides } from './asides.ts';
import { bytesMoved, isServersTurn, socketOf } from './driver.ts';
import type { Endpoint } from './endpoint.ts';
import { readIdentity, type ServerIdentity } from './identity.ts';
import { serverError } from './server-errors.ts';
import { watchForStall, type Backend } from './stall-detection.ts';

const backendSchema = z.object({ waitsForClient: z.boolean(), changedAt: z.string().nullable() });
const WORKING: Backend = { waitsForClient: false, changedAt: null };

interface WatchedServer {
  readonly endpoint: Endpoint;
  readonly applicationName: string;
  readonly stallTimeoutSeconds: number;
  /** Shared by the sessions of several jobs. */
  readonly asides: Asides;
  readonly signal: AbortSignal | undefined;
  /** Opens another connection to the server of the sessions. */
  readonly open: (signal: AbortSignal | undefined) => Promise<pg.Client>;
  /** Of the server of the sessions, if it is known. */
  readonly identity: () => ServerIdentity | undefined;
}

/** The flow of a session that another program uses for increp. */
interface ProgramFlow {
  readonly moved: () => number;
  readonly isServersTurn: () => boolean;
  readonly giveUp: (error: IncrepError) => void;
}

export class SessionWatch {
  readonly #options: WatchedServer;

  constructor(options: WatchedServer) {
    this.#options = options;
  }

  /** `pid` is asked for at each question, because a pooler changes the backend of a session. */
  session(client: pg.Client, pid: () => number | undefined): Disposable {
    const { stallTimeoutSeconds: seconds, applicationName } = this.#options;
    return watchForStall({
      seconds,
      moved: () => bytesMoved(client),
      isServersTurn: () => isServersTurn(client),
      lookAt: () => this.#lookAt(LOOK_AT_BACKEND, [pid(), applicationName]),
      giveUp: (found) => socketOf(client).destroy(this.#silent(found)),
    });
  }

  /** The same for a session of another program that works for increp, with an application name of its own. */
  program(applicationName: string, flow: ProgramFlow): Disposable {
    return watchForStall({
      ...flow,
      seconds: this.#options.stallTimeoutSeconds,
      lookAt: () => this.#lookAt(LOOK_AT_PROGRAM, [applicationName]),
      giveUp: (found) => flow.giveUp(this.#silent(found)),
    });
  }

  /** Asks over a connection of its own, which no signal ends. */
  askAlone<T>(question: (client: pg.Client) => Promise<T>): Promise<T> {
    return this.#ask(new Asides(), undefined, question);
  }

  #lookAt(statement: string, values: readonly unknown[]): Promise<Backend | undefined> {
    const { asides, signal } = this.#options;
    return this.#ask(asides, signal, async (client) => {
      const found = backendSchema.optional().parse((await client.query(statement, [...values])).rows[0]);
      // Another server does not know the session, and says nothing about it.
      return found ?? ((await this.#isElsewhere(client)) ? WORKING : undefined);
    });
  }

  async #ask<T>(
    asides: Asides,
    signal: AbortSignal | undefined,
    question: (client: pg.Client) => Promise<T>,
  ): Promise<T> {
    const { open, endpoint } = this.#options;
    try {
      return await asides.ask(
        () => open(signal),
        (client) => asLoginRole(client, () => question(client)),
      );
    } catch (error) {
      throw serverError(error, endpoint);
    }
  }

  /**
   * Whether a connection leads to another server than the session, although the session may still work. A primary that
   * replaced the server of the session does not count: it has ended the session.
   */
  async #isElsewhere(client: pg.Client): Promise<boolean> {
    const ours = this.#options.identity();
    if (!ours) return false;
    const theirs = await readIdentity(client, this.#options.endpoint);
    return (
      !isSameInstance(ours, theirs) &&
      (ours.isStandby || theirs.isStandby || ours.systemIdentifier !== theirs.systemIdentifier)
    );
  }

  #silent(found: string): IncrepError {
    const { endpoint, stallTimeoutSeconds } = this.#options;
    return new IncrepError('CONNECTION_LOST', {
      what: `${endpoint.side} ${endpoint.address}: no data for ${formatDuration(stallTimeoutSeconds)}, and ${found}`,
      next: 'Check that server, the network and firewalls that drop idle connections. Then run increp again.',
    });
  }
}

/** A session sees the sessions of its login role, whatever role the settings choose. */
export async function asLoginRole<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  await client.query(AS_LOGIN_ROLE);
  try {
    return await work();
  } finally {
    await client.query('COMMIT');
  }
}
