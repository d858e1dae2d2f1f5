/** Somebody who reads a copy all the time while it is worked on. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Pair } from './open-pair.ts';

export interface CopyReader {
  /** Every state of the copy that was seen, each once, in the order of their first sight. */
  readonly seen: readonly string[];
  readonly looks: number;
  stop(): Promise<void>;
}

/** What a reader would notice of a table: how many rows, and what is in them. `missing` where it is not there. */
export async function readAllTheTime(pair: Pair, table: string, content: string): Promise<CopyReader> {
  const client = new pg.Client(pair.login('destination'));
  await client.connect();
  const seen: string[] = [];
  let looks = 0;
  let isWanted = true;
  const loop = async () => {
    while (isWanted) {
      const state = await stateOf(client, table, content);
      looks += 1;
      if (!seen.includes(state)) seen.push(state);
      await sleep(3);
    }
    await client.end();
  };
  const end = loop();
  // Whoever stops it hears of what went wrong.
  end.catch(() => undefined);
  return {
    seen,
    get looks() {
      return looks;
    },
    stop: () => {
      isWanted = false;
      return end;
    },
  };
}

const UNDEFINED_TABLE = '42P01';

export async function stateOf(
  client: Pick<pg.Client, 'query'>,
  table: string,
  content: string,
): Promise<string> {
  try {
    const { rows } = await client.query<{ state: string }>(
      `SELECT count(*) || ' rows, ' || coalesce(sum(${content}), 0) AS state FROM ${table}`,
    );
    return rows[0]?.state ?? '';
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === UNDEFINED_TABLE) return 'missing';
    throw error;
  }
}
