/**
 * The control: what a plain script does. It reads the rows above the largest key that it has seen, upserts them
 * and remembers their largest key. Nobody kills it, and still it loses rows, or the harness proves nothing.
 */
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import type { Login } from '../support/pair-databases.ts';
import { evenIfLost, isLost } from './lost-connection.ts';
import { TABLES, type TortureTable } from './tables.ts';

export const CONTROL_SCHEMA = 'control';

export class PlainCursor {
  #source: Client;
  readonly #login: Login;
  readonly #destination: Client;
  readonly #cursors = new Map<string, string>();
  runs = 0;

  private constructor(login: Login, source: Client, destination: Client) {
    this.#login = login;
    this.#source = source;
    this.#destination = destination;
  }

  static async connect(source: Login, destination: Login): Promise<PlainCursor> {
    const [from, to] = await Promise.all([connect(source), connect(destination)]);
    await to.query(`CREATE SCHEMA ${CONTROL_SCHEMA}; SET search_path = ${CONTROL_SCHEMA}`);
    for (const { sql, name } of TABLES)
      await to.query(`${sql}; CREATE TEMP TABLE new_${name} (LIKE ${name})`);
    return new PlainCursor(source, from, to);
  }

  /** Until told to stop, with a pause of that many milliseconds in between. */
  async loop(pause: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.sync();
      await sleep(pause, undefined, { signal }).catch(() => undefined);
    }
  }

  async sync(): Promise<void> {
    try {
      for (const table of TABLES) await this.#syncTable(table);
      this.runs += 1;
    } catch (error) {
      if (!isLost(error)) throw error;
      this.#source = await evenIfLost(() => connect(this.#login));
    }
  }

  async #syncTable({ name, key, columns, mergeKey }: TortureTable): Promise<void> {
    const cursor = this.#cursors.get(name);
    const above = cursor === undefined ? '' : `WHERE ${key} > '${cursor}'`;
    const list = columns.join(', ');
    await this.#destination.query(`TRUNCATE new_${name}`);
    await pipeline(
      this.#source.query(copyTo(`COPY (SELECT ${list} FROM ${name} ${above}) TO STDOUT`)),
      this.#destination.query(copyFrom(`COPY new_${name} (${list}) FROM STDIN`)),
    );
    const changed = columns.filter((column) => !mergeKey.includes(column));
    const { rows } = await this.#destination.query<{ last: string | null }>(
      `WITH merged AS (
         INSERT INTO ${name} (${list}) OVERRIDING SYSTEM VALUE SELECT ${list} FROM new_${name}
         ON CONFLICT (${mergeKey.join(', ')}) DO UPDATE
         SET ${changed.map((column) => `${column} = excluded.${column}`).join(', ')})
       SELECT max(${key})::text AS last FROM new_${name}`,
    );
    const last = rows[0]?.last;
    if (last) this.#cursors.set(name, last);
  }

  async end(): Promise<void> {
    await Promise.all([this.#source.end(), this.#destination.end()]);
  }
}

async function connect(login: Login): Promise<Client> {
  const client = new Client({ ...login, application_name: 'control' });
  client.on('error', () => undefined);
  await client.connect();
  await client.query(`SET TimeZone = 'UTC'`);
  return client;
}
