/** Two servers and a pipeline directory. Everything is removed at the end. */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import type { Environment } from '../environment.ts';
import { withClient, type DemoLogin } from './connection.ts';
import { startServer, type EmbeddedServer } from './embedded-server.ts';
import { startGuard } from './guard.ts';
import { SHOP_SCHEMA, SHOP_TABLES } from './shop.ts';
import type { Story } from './story.ts';

export interface Stage {
  readonly source: DemoLogin;
  readonly destination: DemoLogin;
  readonly servers: readonly [source: EmbeddedServer, destination: EmbeddedServer];
  /** The pipeline directory. */
  readonly directory: string;
  readonly environment: Environment;
  readonly signal: AbortSignal;
  /** Leaves everything as it is. */
  keep(): Promise<void>;
}

/** The stage, and the connections of the demo to both servers. */
export interface Scene extends Stage {
  readonly story: Story;
  readonly sourceClient: pg.Client;
  readonly destinationClient: pg.Client;
}

export async function withStage<T>(
  { environment, signal }: Pick<Stage, 'environment' | 'signal'>,
  use: (stage: Stage) => Promise<T>,
): Promise<T> {
  return withServers(async (servers) => {
    signal.throwIfAborted();
    const directory = join(tmpdir(), `increp-demo-${randomBytes(4).toString('hex')}`);
    // No server runs in this directory. The guard removes it even if this process is killed.
    const guard = await startGuard(directory, undefined);
    try {
      const [source, destination] = servers;
      return await use({
        servers,
        source: loginOf(source, 'source'),
        destination: loginOf(destination, 'destination'),
        directory,
        environment,
        signal,
        keep: async () => {
          await Promise.all([guard.dismiss(), ...servers.map((server) => server.detach())]);
        },
      });
    } finally {
      await guard.release();
    }
  });
}

async function withServers<T>(use: (servers: Stage['servers']) => Promise<T>): Promise<T> {
  const starting = ['demo-source', 'demo-destination'].map((name) => startServer({ name }));
  const started = await Promise.allSettled(starting);
  const servers = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  try {
    const [source, destination] = servers;
    const failed = started.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
    if (!source || !destination) throw new Error('a server that did not start gave no reason');
    return await use([source, destination]);
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

const DATABASES = { source: 'shop', destination: 'warehouse' } as const;

const loginOf = ({ host, port, user, password }: EmbeddedServer, side: DemoLogin['side']): DemoLogin => ({
  side,
  host,
  port,
  user,
  password,
  database: DATABASES[side],
});

/** Roles as in production: one that may only read, and one that owns the destination tables. */
export const READER = 'reader';
const WRITER = 'writer';

/** Creates the databases, the roles and the pipeline directory. */
export async function preparePipeline(stage: Stage): Promise<void> {
  const connections = await createDatabases(stage);
  await writePipeline(stage.directory, [...connections, 'PIPELINE_NAME=demo'], TABLES_CONFIG);
}

export async function writePipeline(
  directory: string,
  env: readonly string[],
  tables: object,
): Promise<void> {
  await writeFile(join(directory, '.env'), `${env.join('\n')}\n`, { mode: 0o600 });
  await writeFile(join(directory, 'tables-config.json'), `${JSON.stringify(tables, null, 2)}\n`);
}

/** Creates the databases and the roles. Returns the lines of .env about them. */
export async function createDatabases({ source, destination, signal }: Stage): Promise<readonly string[]> {
  const passwords = [randomBytes(12).toString('base64url'), randomBytes(12).toString('base64url')] as const;
  await Promise.all([
    withClient({ ...source, database: 'postgres' }, signal, async (client) => {
      await client.query(`CREATE ROLE ${READER} LOGIN PASSWORD '${passwords[0]}'`);
      await client.query(`CREATE DATABASE ${source.database}`);
    }),
    withClient({ ...destination, database: 'postgres' }, signal, async (client) => {
      await client.query(`CREATE ROLE ${WRITER} LOGIN PASSWORD '${passwords[1]}'`);
      await client.query(`CREATE DATABASE ${destination.database} OWNER ${WRITER}`);
    }),
  ]);
  return [
    ...variables('SOURCE', { ...source, user: READER, password: passwords[0] }),
    `SOURCE_SCHEMA=${SHOP_SCHEMA}`,
    '',
    ...variables('DEST', { ...destination, user: WRITER, password: passwords[1] }),
    '',
  ];
}

// Without lookback, only the fence can find the row that was committed late.
const TABLES_CONFIG = { defaults: { lookback: '0s' }, tables: SHOP_TABLES };

const variables = (prefix: string, { host, port, user, password, database }: DemoLogin): string[] => [
  `${prefix}_HOST=${host}`,
  `${prefix}_PORT=${port}`,
  `${prefix}_USERNAME=${user}`,
  `${prefix}_PASSWORD=${password}`,
  `${prefix}_DB=${database}`,
];
