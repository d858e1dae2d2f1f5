/** A source that is replaced by its standby, which lacks what was committed last; its address stays the same. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { faultProxy } from '../support/proxy.ts';
import { startReplicated } from '../support/standby.ts';

export interface FailingSource extends AsyncDisposable {
  /** Of a superuser, to the database "postgres". */
  readonly url: string;
  failOver(): Promise<void>;
}

/** Milliseconds before the failover in which nothing is replicated any more. */
const LAG = 2000;

/** The lock table has room for 1,200 locks, and for what a server finds beside it. */
const SETTINGS = { max_prepared_transactions: 20, max_connections: 100, max_locks_per_transaction: 10 };

export async function startFailingSource(): Promise<FailingSource> {
  const servers = await startReplicated(SETTINGS, SETTINGS);
  const { primary, standby } = servers;
  const target = { host: primary.host, port: primary.port };
  const proxy = await faultProxy(target);
  return {
    url: primary.url('postgres').replace(`:${primary.port}/`, `:${proxy.port}/`),
    failOver: async () => {
      await stopStreaming(standby.url('postgres'));
      await sleep(LAG);
      await proxy.refuse();
      proxy.reset();
      await standby.promote();
      target.port = standby.port;
      await proxy.resume();
    },
    [Symbol.asyncDispose]: async () => {
      await proxy[Symbol.asyncDispose]();
      await servers[Symbol.asyncDispose]();
    },
  };
}

async function stopStreaming(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`ALTER SYSTEM SET primary_conninfo = ''`);
    await client.query('SELECT pg_reload_conf()');
  } finally {
    await client.end();
  }
}
