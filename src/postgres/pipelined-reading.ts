/**
 * Reads on one connection that sends a statement without waiting for the answers to earlier ones (the driver's pipeline
 * mode). Any number of callers may read at the same time, and together they wait for one round trip.
 */
import type pg from 'pg';
import { rowsOnly } from './driver.ts';

/** Lends the connection to a caller that reads with single statements. Each statement is a transaction of its own. */
export type PipelinedReading = <T>(read: (client: pg.ClientBase) => Promise<T>) => Promise<T>;

/** A client whose statements run in a transaction with the settings of `begin`, and see what is committed. */
export const readingClient = (client: pg.Client, begin: string): pg.ClientBase =>
  rowsOnly((...statement) =>
    // The driver sends the three messages one after the other, with nothing of another caller in between.
    inOrder([client.query(begin), client.query(...statement), client.query('COMMIT')] as const),
  );

/** Several statements without parameters in one message. */
export async function readTogether(
  client: pg.Client,
  begin: string,
  statements: readonly string[],
): Promise<pg.QueryResult[]> {
  const answers: unknown = await readingClient(client, begin).query(statements.join('; '));
  return [answers].flat() as pg.QueryResult[];
}

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
