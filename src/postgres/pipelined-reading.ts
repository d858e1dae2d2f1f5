/**
 * Reads on one connection that sends a statement without waiting for the answers to earlier ones (the driver's pipeline
 * mode). Any number of callers may read at the same time, and together they wait for one round trip.
 */
import type pg from 'pg';
import { attempt, type Attempted } from '../errors.ts';
import { messageOf, type Statement } from '../sql/search-path.ts';
import { end } from './connect.ts';
import { rowsOnly, socketOf } from './driver.ts';
import { answersTo } from './user-search-path.ts';

/** Lends the connection to a caller that reads with single statements. Each statement is a transaction of its own. */
export type PipelinedReading = <T>(read: (client: pg.ClientBase) => Promise<T>) => Promise<T>;

interface Side {
  /** Opens a connection in pipeline mode. */
  readonly connect: () => Promise<pg.Client>;
  /** Ends the connection if the server is silent. */
  readonly watch: (client: pg.Client) => Disposable;
  /** The error for people. */
  readonly explain: (error: unknown) => Error;
}

/** The connection is opened when it is needed, and again after a loss. */
export class ReadingPipeline {
  readonly #side: Side;
  #opening: Promise<pg.Client | undefined> | undefined;

  constructor(side: Side) {
    this.#side = side;
  }

  /** Undefined if there is no connection, for example because the server allows no more. */
  async reading(begin: string): Promise<PipelinedReading | undefined> {
    const client = await this.#open();
    return client && ((read) => this.#explained(() => read(readingClient(client, begin))));
  }

  /** Statements without parameters in one message each, which are all sent at the same time. Undefined as above. */
  async readAtOnce<T>(
    begin: string,
    messages: readonly (readonly Statement[])[],
    read: (answers: readonly pg.QueryResult[], place: number) => T,
  ): Promise<Attempted<T>[] | undefined> {
    const client = await this.#open();
    if (!client) return undefined;
    const reading = readingClient(client, begin);
    const answer = async (statements: readonly Statement[], place: number) => {
      const message = messageOf(statements);
      const answers: unknown = await reading.query(message.sent.join('; '));
      return read(answersTo(message, [answers].flat() as pg.QueryResult[]), place);
    };
    return Promise.all(
      messages.map((message, place) => attempt(() => this.#explained(() => answer(message, place)))),
    );
  }

  #open(): Promise<pg.Client | undefined> {
    if (this.#opening) return this.#opening;
    const opening = this.#side.connect().then(
      (client) => {
        const watch = this.#side.watch(client);
        client.once('end', () => {
          watch[Symbol.dispose]();
          if (this.#opening === opening) this.#opening = undefined;
        });
        return client;
      },
      () => undefined,
    );
    this.#opening = opening;
    return opening;
  }

  async #explained<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.#side.explain(error);
    }
  }

  async end(timeoutSeconds: number): Promise<void> {
    const client = await this.#opening;
    this.#opening = undefined;
    if (client) await end(client, timeoutSeconds);
  }

  /** Closes the connection at once, even during a statement. */
  discard(): void {
    void this.#opening?.then((client) => client && socketOf(client).destroy());
    this.#opening = undefined;
  }
}

/** A client whose statements run in a transaction with the settings of `begin`, and see what is committed. */
const readingClient = (client: pg.Client, begin: string): pg.ClientBase =>
  rowsOnly((...statement) =>
    // The driver sends the three messages one after the other, with nothing of another caller in between.
    inOrder([client.query(begin), client.query(...statement), client.query('COMMIT')] as const),
  );

/** The answer in the middle. The first error is the cause: after a failed BEGIN, the statement has not run. */
async function inOrder<T>([begun, answered, ended]: readonly [
  Promise<unknown>,
  Promise<T>,
  Promise<unknown>,
]) {
  await Promise.allSettled([begun, answered, ended]);
  await begun;
  return answered;
}
