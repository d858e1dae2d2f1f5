/** The pair of servers that a whole test run shares: given by URL, in containers, or embedded. */
import { readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import process from 'node:process';
import { Client } from 'pg';
import { startServer, type EmbeddedServer } from '../../src/demo/embedded-server.ts';
import { nativeDirectoryOf, parseMajor } from './postgres-binaries.ts';
import type { PostgresMajor } from './postgres-binaries.ts';

export interface TestServer {
  /** Of a superuser, to the database "postgres". */
  readonly url: string;
  /** For a person. */
  readonly description: string;
  stop(): Promise<void>;
  /** Leaves the server running after the test run. */
  keep(): Promise<void>;
}

type Side = 'source' | 'dest';

/**
 * Prepared transactions for the tests of late commits, logical for those of replication slots in the way. With hundreds
 * of databases coming and going, autovacuum would be at work all the time, and its snapshots show in what tests measure.
 */
const SETTINGS = {
  max_prepared_transactions: 20,
  max_connections: 100,
  wal_level: 'logical',
  autovacuum: false,
  // Whoever drops a table looks through all buffers, and whoever ends gives all of them back.
  shared_buffers: '16MB',
} as const;

export async function startServers(): Promise<readonly [TestServer, TestServer]> {
  const hasDocker = process.env['INCREP_TEST_SERVERS'] !== 'embedded' && (await doesDockerAnswer());
  const results = await Promise.allSettled([
    startTestServer('source', hasDocker),
    startTestServer('dest', hasDocker),
  ]);
  const [source, destination] = results;
  if (source.status === 'fulfilled' && destination.status === 'fulfilled') {
    return [source.value, destination.value];
  }
  for (const result of results) if (result.status === 'fulfilled') await result.value.stop();
  throw results.find((result) => result.status === 'rejected')?.reason;
}

async function startTestServer(side: Side, hasDocker: boolean): Promise<TestServer> {
  const url = process.env[`INCREP_TEST_${side.toUpperCase()}_URL`];
  if (url) return givenServer(url);
  const major = parseMajor(process.env[`INCREP_TEST_${side.toUpperCase()}_VERSION`]);
  return hasDocker ? containerServer(major) : embeddedServer(side, major);
}

const nothing = () => Promise.resolve();

const givenServer = (url: string): TestServer => {
  const { host } = new URL(url);
  return { url, description: `the given ${host}`, stop: nothing, keep: nothing };
};

async function embeddedServer(side: Side, major: PostgresMajor): Promise<TestServer> {
  const nativeDirectory = await nativeDirectoryOf(major);
  const server = await startServer({ name: `test-${side}`, settings: SETTINGS, nativeDirectory });
  await trustSuperuser(server);
  return {
    url: server.url('postgres'),
    description: `embedded Postgres ${server.version}`,
    stop: () => server.stop(),
    keep: () => server.detach(),
  };
}

/** Tests open thousands of sessions of their own, and a third of what one costs is the password. increp's roles need theirs. */
async function trustSuperuser({ dataDirectory, url }: EmbeddedServer): Promise<void> {
  const file = join(dataDirectory, 'pg_hba.conf');
  const rules = await readFile(file, 'utf8');
  await writeFile(file, `host all ${new URL(url('postgres')).username} 127.0.0.1/32 trust\n${rules}`);
  const admin = new Client({ connectionString: url('postgres') });
  await admin.connect();
  await admin.query('SELECT pg_reload_conf()');
  await admin.end();
}

async function containerServer(major: PostgresMajor): Promise<TestServer> {
  const { GenericContainer, Wait } = await import('testcontainers');
  const settings = Object.entries({ ...SETTINGS, fsync: 'off', synchronous_commit: 'off' });
  const container = await new GenericContainer(`postgres:${major}`)
    .withEnvironment({ POSTGRES_PASSWORD: 'postgres', POSTGRES_INITDB_ARGS: '--no-sync' })
    .withCommand(['postgres', ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])])
    .withExposedPorts(5432)
    // The image starts the server twice; the first one is only for its own set-up.
    .withWaitStrategy(Wait.forLogMessage(/database system is ready to accept connections/, 2))
    .start();
  const at = `${container.getHost()}:${container.getMappedPort(5432)}`;
  return {
    url: `postgres://postgres:postgres@${at}/postgres`,
    description: `container postgres:${major}`,
    stop: async () => void (await container.stop()),
    keep: nothing,
  };
}

/** A socket file may be left over from an engine that is not there any more, so it is asked. */
function doesDockerAnswer(): Promise<boolean> {
  const host = new URL(process.env['DOCKER_HOST'] || 'unix:///var/run/docker.sock');
  const target =
    host.protocol === 'unix:' ? { socketPath: host.pathname } : { host: host.hostname, port: host.port };
  return new Promise((resolve) => {
    const ping = request({ ...target, path: '/_ping', timeout: 1000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    ping.on('error', () => resolve(false));
    ping.on('timeout', () => ping.destroy());
    ping.end();
  });
}
