/** A source of its own whose last commits are lost in a crash, and so are their transaction IDs. */
import pg from 'pg';
import { expect } from 'vitest';
import { startServer } from '../../src/demo/embedded-server.ts';
import { killBackend } from './kill-backend.ts';
import type { TableConfig } from './open-pair.ts';
import { freshPair } from './pair.ts';
import { stopWalWriter } from './wal-writer.ts';

interface LossyTable {
  readonly table: TableConfig;
  /** Creates the table. These commits are kept. */
  readonly sql: string;
  /** Inserts the row with this ID. */
  readonly insert: (id: number) => string;
}

export async function lossySource({ table, sql, insert }: LossyTable) {
  // Commits that were not waited for are lost, and so are their numbers.
  const settings = { synchronous_commit: false, wal_writer_delay: '10s', autovacuum: false };
  const server = await startServer({ name: 'lossy', settings });
  const source = new pg.Pool({ connectionString: server.url('postgres') });
  source.on('error', () => undefined);
  const pair = await freshPair({ tables: [table] });
  await pair.setEnv({
    SOURCE_HOST: server.host,
    SOURCE_PORT: String(server.port),
    SOURCE_USERNAME: server.user,
    SOURCE_PASSWORD: server.password,
    SOURCE_DB: 'postgres',
  });
  await source.query(sql);
  await source.query('CHECKPOINT');
  await stopWalWriter(source);
  /** The transaction ID that wrote the row. */
  const written = async (id: number) => {
    const { rows } = await source.query<{ xmin: string }>(`${insert(id)} RETURNING xmin::text`);
    return Number(rows[0]?.xmin);
  };
  const crash = async (rowsKept: number) => {
    await killBackend(source);
    const rowsLeft = () =>
      source.query(`SELECT FROM ${table.name}`).then(
        ({ rowCount }) => rowCount,
        () => undefined,
      );
    await expect.poll(rowsLeft, { timeout: 20_000 }).toBe(rowsKept);
  };
  const close = async () => {
    await source.end();
    await pair[Symbol.asyncDispose]();
    await server.stop();
  };
  return { pair, source, written, crash, [Symbol.asyncDispose]: close };
}
