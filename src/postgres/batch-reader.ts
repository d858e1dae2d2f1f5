/**
 * Reads many items in batches: one message each, all sent at the same time on a second connection if there is one. An item
 * that the server refuses has an error of its own.
 */
import type pg from 'pg';
import { done, IncrepError, type Attempted } from '../errors.ts';
import type { Statement } from '../sql/search-path.ts';
import { batchesOf, inBatches } from './batches.ts';
import type { PipelinedReading, ReadingPipeline } from './pipelined-reading.ts';

type BatchReading<T, R> = readonly [
  items: readonly T[],
  messageFor: (batch: readonly T[]) => readonly Statement[],
  read: (batch: readonly T[], answers: readonly pg.QueryResult[]) => readonly R[],
  /** Around a batch on the first connection. */
  around?: (batch: readonly T[], work: () => Promise<readonly R[]>) => Promise<readonly R[]>,
];

interface Reader {
  /** The second connection. */
  readonly pipeline: ReadingPipeline;
  /** Of the second connection, in seconds. */
  readonly closeTimeout: number;
  /** The statements that begin a transaction that only reads. */
  readonly begin: () => Promise<string>;
  /** One message on the first connection. */
  readonly readAtOnce: (statements: readonly Statement[]) => Promise<pg.QueryResult[]>;
}

/** Statements that cost few round trips one by one. */
const SMALL_BATCH = 10;

export class BatchReader {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  /**
   * A second connection for reading, until `end`. Undefined if there is none, for example because the server allows no more
   * connections. Its server may be another one if a load balancer is in between.
   */
  async pipelined(): Promise<PipelinedReading | undefined> {
    const { pipeline, begin } = this.#reader;
    return pipeline.reading(await begin());
  }

  /**
   * Sends a message for each batch of items. A batch that is refused is repeated in smaller batches, so an item that is
   * refused has its own error.
   */
  async read<T, R>(...batches: BatchReading<T, R>): Promise<Attempted<R>[]> {
    const answers = await this.begin(...batches);
    return answers();
  }

  /** The same, but the caller decides when to wait. Until then, only the second connection is used. */
  async begin<T, R>(
    ...[items, messageFor, read, around = (_, work) => work()]: BatchReading<T, R>
  ): Promise<() => Promise<Attempted<R>[]>> {
    const { pipeline, begin, readAtOnce } = this.#reader;
    const batches = [...batchesOf(items)];
    const opening = await begin();
    const together =
      batches.length > 1
        ? pipeline.readAtOnce(opening, batches.map(messageFor), (answers, place) =>
            read(batches[place] ?? [], answers),
          )
        : Promise.resolve(undefined);
    return async () => {
      const answered = await together;
      const results: Attempted<R>[] = [];
      for (const [index, batch] of batches.entries()) {
        const found = answered?.[index];
        results.push(
          ...(found?.kind === 'done'
            ? found.value.map(done)
            : await inBatches(batch, (part) =>
                around(part, async () => read(part, await readAtOnce(messageFor(part)))),
              )),
        );
      }
      return results;
    };
  }

  /**
   * Single statements in batches. Statements that share a `subject` read the same table: after one of them has waited for a
   * lock in vain, the others fail without a wait of their own.
   */
  each(
    asked: readonly { readonly statement: Statement; readonly subject: object }[],
  ): Promise<Attempted<pg.QueryResult>[]> {
    const locked = new Map<object, IncrepError>();
    let mixed: IncrepError | undefined;
    return this.read(
      asked,
      (batch) => batch.map(({ statement }) => statement),
      (_, answers) => answers,
      async (batch, work) => {
        const known = batch.map(({ subject }) => locked.get(subject)).find((error) => error !== undefined);
        if (known) throw known;
        const [subject, ...others] = new Set(batch.map((each) => each.subject));
        // A small batch would only wait once more, without a verdict on one table.
        if (mixed && others.length > 0 && batch.length <= SMALL_BATCH) throw mixed;
        try {
          return await work();
        } catch (error) {
          if (subject && isLockTimeout(error)) {
            if (others.length === 0) locked.set(subject, error);
            else mixed = error;
          }
          throw error;
        }
      },
    );
  }

  end(): Promise<void> {
    return this.#reader.pipeline.end(this.#reader.closeTimeout);
  }

  /** Closes the second connection at once, even during a statement. */
  discard(): void {
    this.#reader.pipeline.discard();
  }
}

const isLockTimeout = (error: unknown): error is IncrepError =>
  error instanceof IncrepError && error.code === 'LOCK_TIMEOUT';
