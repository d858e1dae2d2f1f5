/** One snapshot of the source for several destinations. Its queries run once, and its rows are sent once. */
import type { PassThrough, Readable } from 'node:stream';
import type pg from 'pg';
import * as z from 'zod';
import { IncrepError } from '../../errors.ts';
import { newBranch } from '../../postgres/broadcast.ts';
import type { Database } from '../../postgres/database.ts';
import type { Statement } from '../../sql/search-path.ts';
import { EXPORT_SNAPSHOT } from '../../sql/session.ts';
import { Rendezvous } from './rendezvous.ts';

interface SharedSnapshotOptions {
  readonly source: Database;
  /** Names of destinations. */
  readonly members: Iterable<string>;
  /** Milliseconds. */
  readonly waitMs: number;
  readonly signal: AbortSignal | undefined;
}

interface Opened {
  readonly client: pg.ClientBase;
  readonly answers: readonly pg.QueryResult[];
}

/** Starts to send. `result`: the result for each receiver, besides its stream. `sending` ends with the last row. */
export type Sent<T> = (
  client: pg.ClientBase,
  receivers: readonly PassThrough[],
) => { readonly result: Promise<T>; readonly sending: Promise<unknown> };

interface SharedCopy {
  readonly rowsKey: string;
  readonly meeting: Rendezvous<string, PassThrough>;
  result?: Promise<unknown>;
}

const exportRow = z.object({ snapshot: z.string() });

export async function exportSnapshot(client: pg.ClientBase): Promise<string> {
  const { rows } = await client.query(EXPORT_SNAPSHOT);
  return exportRow.parse(rows[0]).snapshot;
}

export class SharedSnapshot {
  readonly #options: SharedSnapshotOptions;
  readonly #members: Set<string>;
  readonly #opened = Promise.withResolvers<Opened>();
  readonly #left = Promise.withResolvers<void>();
  readonly #copies: SharedCopy[] = [];
  readonly #branches = new Map<string, PassThrough[]>();
  #queue: Promise<unknown> = Promise.resolve();
  #exported: Promise<string> | undefined;
  /** The error that broke its connection. */
  #fault: unknown;
  #isBusy = false;

  constructor(options: SharedSnapshotOptions) {
    this.#options = options;
    this.#members = new Set(options.members);
    // Prevents an unhandled rejection. Each member gets the error where it waits.
    this.#opened.promise.catch(() => undefined);
  }

  /** Resolves when all members have left. It does not reject: the members get the error. */
  async hold(first: readonly Statement[]): Promise<void> {
    try {
      await this.#options.source.withSnapshot(first, async (client, { answers }) => {
        this.#opened.resolve({ client, answers });
        await this.#left.promise;
        // After a failed COPY the source has rows left to send, and answers no COMMIT. The error closes the connection.
        if (this.#isBusy || this.#fault !== undefined) throw new Error('the members left during a query');
      });
    } catch (error) {
      this.#opened.reject(error);
    }
  }

  /** The answers to the statements that were sent when the snapshot was opened. */
  async answers(): Promise<readonly pg.QueryResult[]> {
    return (await this.#opened.promise).answers;
  }

  /** Runs one question at a time. */
  query<T>(question: (client: pg.ClientBase) => Promise<T>): Promise<T> {
    const asked = this.#queue.then(async () => {
      const { client } = await this.#opened.promise;
      if (this.#fault !== undefined) throw brokenBy(this.#fault);
      this.#isBusy = true;
      try {
        return await question(client);
      } catch (error) {
        // An IncrepError comes from increp's own checks. The connection still works.
        if (!(error instanceof IncrepError)) this.#fault = error;
        throw error;
      } finally {
        this.#isBusy = false;
      }
    });
    this.#queue = asked.catch(() => undefined);
    return asked;
  }

  /** The name with which another session can import the snapshot, while this session holds it. */
  exported(): Promise<string> {
    return (this.#exported ??= this.query(exportSnapshot));
  }

  /** Sends the rows once to all members that ask at about the same time. A later member gets them again. */
  async receive<T>(member: string, rowsKey: string, send: Sent<T>): Promise<{ data: Readable; result: T }> {
    const copy = this.#copyFor(member, rowsKey);
    const data = newBranch();
    this.#branches.set(member, [...(this.#branches.get(member) ?? []), data]);
    const present = await copy.meeting.come(member, data);
    if (!present) throw new Error('the COPY has already started');
    copy.result ??= this.#begin(send, [...present.values()]);
    return { data, result: (await copy.result) as T };
  }

  #copyFor(member: string, rowsKey: string): SharedCopy {
    const known = this.#copies.find((copy) => copy.rowsKey === rowsKey && !copy.meeting.isOver);
    // A member that waits for one of them does not come to another.
    for (const copy of this.#copies) if (copy !== known) copy.meeting.leave(member);
    if (known) return known;
    const waiting = this.#copies.flatMap(({ meeting }) => meeting.members);
    const expected = [...this.#members].filter((other) => !waiting.includes(other));
    const copy = {
      rowsKey,
      meeting: new Rendezvous<string, PassThrough>([...expected, member], this.#options),
    };
    this.#copies.push(copy);
    return copy;
  }

  /** Resolves when the rows begin to flow. */
  #begin<T>(send: Sent<T>, receivers: readonly PassThrough[]): Promise<T> {
    const begun = Promise.withResolvers<T>();
    this.query((client) => {
      const { result, sending } = send(client, receivers);
      result.then(begun.resolve, begun.reject);
      return sending;
    }).catch((error: unknown) => {
      begun.reject(error);
      for (const receiver of receivers) receiver.destroy(error as Error);
    });
    return begun.promise;
  }

  leave(member: string): void {
    this.#members.delete(member);
    for (const branch of this.#branches.get(member) ?? []) branch.destroy();
    for (const { meeting } of this.#copies) meeting.leave(member);
    if (this.#members.size === 0) this.#left.resolve();
  }
}

const brokenBy = (error: unknown): IncrepError =>
  new IncrepError('CONNECTION_LOST', {
    what: `source: the snapshot that several destinations shared is lost: ${error instanceof Error ? error.message : String(error)}`,
    next: 'Run increp again if the retries failed.',
    cause: error,
  });
