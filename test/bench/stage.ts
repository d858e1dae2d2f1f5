/** Two servers of our own, the large and the small table at the source, and a pipeline between them. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { startServer, type EmbeddedServer } from '../../src/demo/embedded-server.ts';
import { openPair, type OpenPair, type PairOptions, type TableConfig } from '../support/open-pair.ts';
import { copiesOn, type Copies } from './copies.ts';
import { fillTable } from './data.ts';
import type { Servers } from './measure.ts';
import type { Tools } from './tools.ts';

/** fsync and its relatives are off, as they are for all servers that increp starts itself. */
const SETTINGS = {
  wal_level: 'logical',
  shared_buffers: '512MB',
  max_wal_size: '8GB',
  checkpoint_timeout: '30min',
  autovacuum: false,
} as const;

export const LARGE = 'items';
export const SMALL = 'items_small';

export interface Size {
  readonly rows: number;
  readonly smallRows: number;
  /** Of the quiet run: most, fewest and between. */
  readonly quietTables: readonly [number, number, number];
  readonly manyTables: number;
}

export interface Stage extends AsyncDisposable {
  readonly size: Size;
  readonly tools: Tools;
  readonly source: EmbeddedServer;
  readonly destination: EmbeddedServer;
  readonly servers: Servers;
  readonly workspace: string;
  readonly pair: OpenPair['pair'];
  /** The databases that references load into. */
  readonly copies: Copies;
  /** Another pipeline on the same servers. */
  openAnother(options: PairOptions): Promise<OpenPair>;
  /** What the pipeline does with the two tables. */
  configure(options: Readonly<Record<string, unknown>>): Promise<void>;
  /** On both servers. */
  checkpoint(): Promise<void>;
  /** Each batch of changes has another. */
  nextHour(): number;
}

export interface StageWatcher {
  readonly say: (line: string) => void;
  /** As soon as it runs, and before there is anything in it. */
  readonly serverStarted: (server: EmbeddedServer) => void;
}

export async function openStage(size: Size, tools: Tools, watcher: StageWatcher): Promise<Stage> {
  await using stack = new AsyncDisposableStack();
  const workspace = await mkdtemp(join(tmpdir(), 'increp-bench-'));
  stack.defer(() => rm(workspace, { recursive: true, force: true }));
  const [source, destination] = await startBoth(stack, watcher);
  const place = {
    sourceServerUrl: source.url('postgres'),
    destinationServerUrl: destination.url('postgres'),
    workspace,
  };
  const { pair, close } = await openPair({}, place);
  stack.defer(close);
  const passwords = [source, destination].map(
    ({ host, port, user, password }) => `${host}:${port}:*:${user}:${password}\n`,
  );
  await writeFile(join(workspace, 'passwords'), passwords.join(''), { mode: 0o600 });
  const copies = stack.use(copiesOn(destination));
  watcher.say(`filling ${LARGE} with ${size.rows} rows`);
  await fill(source.url(pair.login('source').database), size);
  const hours = numbers();
  const kept = stack.move();
  return {
    size,
    tools,
    source,
    destination,
    servers: [source.pid, destination.pid],
    workspace,
    pair,
    copies,
    openAnother: (options) => openPair(options, place),
    configure: (options) => pair.writeTables([LARGE, SMALL].map((name) => tableConfig(name, options))),
    checkpoint: async () => {
      await Promise.all([pair.source.query('CHECKPOINT'), pair.destination.query('CHECKPOINT')]);
    },
    nextHour: () => hours.next().value,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function startBoth(
  stack: AsyncDisposableStack,
  { say, serverStarted }: StageWatcher,
): Promise<[EmbeddedServer, EmbeddedServer]> {
  say('starting two servers');
  const start = async (name: string) => {
    const server = stack.use(await startServer({ name, settings: SETTINGS }));
    serverStarted(server);
    return server;
  };
  return [await start('bench-source'), await start('bench-dest')];
}

async function fill(url: string, { rows, smallRows }: Size): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    for (const [table, count] of [
      [LARGE, rows],
      [SMALL, smallRows],
    ] as const) {
      for (const statement of fillTable(table, count)) await client.query(statement);
    }
  } finally {
    await client.end();
  }
}

const tableConfig = (name: string, options: Readonly<Record<string, unknown>>): TableConfig => ({
  name,
  replication_key: 'updated_at',
  unique_cols: ['id'],
  ...options,
});

function* numbers(): Generator<number, never> {
  for (let number = 1; ; number += 1) yield number;
}
