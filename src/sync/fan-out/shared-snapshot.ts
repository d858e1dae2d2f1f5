/** One snapshot of the source for several destinations: its questions asked once, its rows sent once. */
import type { PassThrough, Readable } from 'node:stream';
import type pg from 'pg';
import { z } from 'zod';
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
  readonly patience: number;
  readonly signal: AbortSignal | undefined;
}

interface Opened {
  readonly client: pg.ClientBase;
  readonly answers: readonly pg.QueryResult[];
}

/** What each of the receivers gets besides its stream, when all of it has arrived. */
export type Sent<T> = (
  client: pg.ClientBase,
  receivers: readonly PassThrough[],
) => { readonly told: Promise<T>; readonly sending: Promise<unknown> };

interface SharedCopy {
  readonly what: string;
  readonly meeting: Rendezvous<string, PassThrough>;
  told?: Promise<unknown>;
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
  #turn: Promise<unknown> = Promise.resolve();
  #exported: Promise<string> | undefined;
  /** Why its connection cannot go on. */
  #fault: unknown;
  #isBusy = false;

  constructor(options: SharedSnapshotOptions) {
    this.#options = options;
    this.#members = new Set(options.members);
    // Each of them hears of it where it waits.
    this.#opened.promise.catch(() => undefined);
  }

  /** Resolves when all have left it. Does not fail: whoever needs it is told. */
  async hold(first: readonly Statement[]): Promise<void> {
    try {
      await this.#options.source.withSnapshot(first, async (client, { answers }) => {
        this.#opened.resolve({ client, answers });
        await this.#left.promise;
        // What was given up in the middle still has rows to send, and answers no COMMIT.
        if (this.#isBusy || this.#fault !== undefined) throw new Error('given up in the middle');
      });
    } catch (error) {
      this.#opened.reject(error);
    }
  }

  /** To the statements that it was opened with. */
  async answers(): Promise<readonly pg.QueryResult[]> {
    return (await this.#opened.promise).answers;
  }

  /** One at a time, and briefly. */
  ask<T>(question: (client: pg.ClientBase) => Promise<T>): Promise<T> {
    const asked = this.#turn.then(async () => {
      const { client } = await this.#opened.promise;
      if (this.#fault !== undefined) throw brokenBy(this.#fault);
      this.#isBusy = true;
      try {
        return await question(client);
      } catch (error) {
        // What we ourselves object to has not broken anything.
        if (!(error instanceof IncrepError)) this.#fault = error;
        throw error;
      } finally {
        this.#isBusy = false;
      }
    });
    this.#turn = asked.catch(() => undefined);
    return asked;
  }

  /** By this name another session sees the same, for as long as this one is held. */
  exported(): Promise<string> {
    return (this.#exported ??= this.ask(exportSnapshot));
  }

  /**
   * Rows that are sent once for all that ask for the same at about the same time; to whoever comes later they are sent
   * again.
   */
  async receive<T>(member: string, what: string, send: Sent<T>): Promise<{ data: Readable; told: T }> {
    const copy = this.#copyFor(member, what);
    const data = newBranch();
    this.#branches.set(member, [...(this.#branches.get(member) ?? []), data]);
    const present = await copy.meeting.come(member, data);
    if (!present) throw new Error('a meeting that is over was chosen');
    copy.told ??= this.#begin(send, [...present.values()]);
    return { data, told: (await copy.told) as T };
  }

  #copyFor(member: string, what: string): SharedCopy {
    const known = this.#copies.find((copy) => copy.what === what && !copy.meeting.isOver);
    // Who waits for one of them comes to no other.
    for (const copy of this.#copies) if (copy !== known) copy.meeting.leave(member);
    if (known) return known;
    const waiting = this.#copies.flatMap(({ meeting }) => meeting.members);
    const expected = [...this.#members].filter((other) => !waiting.includes(other));
    const copy = { what, meeting: new Rendezvous<string, PassThrough>([...expected, member], this.#options) };
    this.#copies.push(copy);
    return copy;
  }

  /** Resolves when the rows begin to flow. */
  #begin<T>(send: Sent<T>, receivers: readonly PassThrough[]): Promise<T> {
    const begun = Promise.withResolvers<T>();
    this.ask((client) => {
      const { told, sending } = send(client, receivers);
      told.then(begun.resolve, begun.reject);
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
    next: 'Run increp again, if that was not enough.',
    cause: error,
  });
