/** A primary and a hot standby that streams from it, both our own. Of the installed version. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import pg from 'pg';
import { freePort, startServer } from '../../src/demo/embedded-server.ts';
import type { EmbeddedServer, ServerSettings } from '../../src/demo/embedded-server.ts';
import { startGuard } from '../../src/demo/guard.ts';
import {
  findNativeDirectory,
  runnableBinaries,
  SERVER_ENVIRONMENT,
} from '../../src/demo/postgres-binaries.ts';
import { findServerUser } from '../../src/demo/server-user.ts';
import { waitUntil } from './activity.ts';

export interface Standby {
  readonly port: number;
  url(database: string): string;
  /** Resolves when everything that the primary has written by now can be read here. */
  caughtUp(): Promise<void>;
  /** Makes it a primary. */
  promote(): Promise<void>;
}

export interface ReplicatedServers extends AsyncDisposable {
  readonly primary: EmbeddedServer;
  readonly standby: Standby;
}

const PRIMARY: ServerSettings = {
  wal_level: 'replica',
  max_wal_senders: 5,
  wal_keep_size: '256MB',
  autovacuum: false,
  // What is committed is written, so that one can wait for it to arrive.
  synchronous_commit: 'local',
};

/** `settings` are the standby's own, `shared` those of the primary. */
export async function startReplicated(
  settings: ServerSettings = {},
  shared: ServerSettings = {},
): Promise<ReplicatedServers> {
  const primary = await startServer({ name: 'test-primary', settings: { ...PRIMARY, ...shared } });
  try {
    const { standby, stop } = await startStandby(primary, settings);
    const end = async () => {
      await stop();
      await primary.stop();
    };
    return { primary, standby, [Symbol.asyncDispose]: end };
  } catch (error) {
    await primary.stop();
    throw error;
  }
}

async function startStandby(
  primary: EmbeddedServer,
  settings: ServerSettings,
): Promise<{ standby: Standby; stop: () => Promise<void> }> {
  const user = await findServerUser();
  const directory = join(user ? '/tmp' : tmpdir(), `increp-test-standby-${randomBytes(6).toString('hex')}`);
  const guard = await startGuard(directory, user);
  const data = join(directory, 'data');
  const asUser = { ...user, cwd: '/', env: SERVER_ENVIRONMENT, extendEnv: false };
  const label = await withBackup(primary, () => execa('cp', ['-R', primary.dataDirectory, data], asUser));
  const files = {
    backup_label: label,
    'standby.signal': '',
    'postgresql.auto.conf': Object.entries({
      ...settings,
      primary_conninfo: `host=${primary.host} port=${primary.port} user=${primary.user} password=${primary.password}`,
    })
      .map(([name, value]) => `${name} = '${value}'\n`)
      .join(''),
  };
  // What the primary has written meanwhile is streamed; half a segment of it must not be found here.
  await execa('/bin/sh', ['-c', 'chmod 700 "$0" && rm -rf "$0"/pg_wal/* "$0"/postmaster.*', data], asUser);
  for (const [name, input] of Object.entries(files))
    await execa('/bin/sh', ['-c', 'cat >"$0"', join(data, name)], { ...asUser, input });
  const binaries = await runnableBinaries(findNativeDirectory(), join(directory, 'native'), user);
  const port = await freePort();
  const child = spawn(join(binaries.directory, 'bin', 'postgres'), ['-D', data, '-p', String(port)], {
    ...user,
    detached: true,
    cwd: directory,
    env: SERVER_ENVIRONMENT,
    stdio: 'ignore',
  });
  guard.watch('server', child.pid);
  const url = (database: string) => primary.url(database).replace(`:${primary.port}/`, `:${port}/`);
  const standby = {
    port,
    url,
    caughtUp: () => caughtUp(primary, url('postgres')),
    promote: () => promote(url('postgres')),
  };
  const stop = () => guard.release();
  try {
    await waitUntil('the standby answers', () =>
      ask<boolean>(url('postgres'), 'SELECT true').catch(() => false),
    );
    return { standby, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The label that tells a copy of the data directory, made by `copy`, from where to recover. */
async function withBackup(primary: EmbeddedServer, copy: () => Promise<unknown>): Promise<string> {
  const client = new pg.Client({ connectionString: primary.url('postgres') });
  await client.connect();
  try {
    await client.query(`SELECT pg_backup_start('standby', true)`);
    await copy();
    const { rows } = await client.query<{ labelfile: string }>('SELECT labelfile FROM pg_backup_stop(false)');
    return rows[0]?.labelfile ?? '';
  } finally {
    await client.end();
  }
}

async function ask<T>(url: string, question: string): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<unknown[]>({ text: question, rowMode: 'array' });
    return rows[0]?.[0] as T;
  } finally {
    await client.end();
  }
}

async function caughtUp(primary: EmbeddedServer, url: string): Promise<void> {
  const written = await ask<string>(primary.url('postgres'), 'SELECT pg_current_wal_flush_lsn()');
  await waitUntil('the standby has caught up', () =>
    ask(url, `SELECT pg_last_wal_replay_lsn() >= '${written}'`),
  );
}

async function promote(url: string): Promise<void> {
  await ask(url, 'SELECT pg_promote()');
  await waitUntil('the standby is a primary', () => ask(url, 'SELECT NOT pg_is_in_recovery()'));
}
