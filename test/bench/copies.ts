/** Databases at the destination that references load into: one a reference, so that the table has the same name in each. */
import { Pool } from 'pg';
import type { EmbeddedServer } from '../../src/demo/embedded-server.ts';

export interface Copy {
  readonly database: string;
  /** For libpq; the password is in the password file. */
  readonly connection: string;
  readonly pool: Pool;
}

export interface Copies extends AsyncDisposable {
  /** Makes it when it is asked for first. */
  get(database: string): Promise<Copy>;
}

export function copiesOn(server: EmbeddedServer): Copies {
  const made = new Map<string, Copy>();
  const admin = openPool(server.url('postgres'));
  return {
    get: async (database) => {
      const known = made.get(database);
      if (known) return known;
      await admin.query(`CREATE DATABASE ${database} TEMPLATE template0`);
      const copy = {
        database,
        connection: connectionTo(server, database),
        pool: openPool(server.url(database)),
      };
      made.set(database, copy);
      return copy;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([admin, ...[...made.values()].map(({ pool }) => pool)].map((pool) => pool.end()));
    },
  };
}

export const connectionTo = (
  { host, port, user }: Pick<EmbeddedServer, 'host' | 'port' | 'user'>,
  database: string,
): string => `host=${host} port=${port} user=${user} dbname=${database}`;

function openPool(connectionString: string): Pool {
  const pool = new Pool({ connectionString, max: 2, idleTimeoutMillis: 0, allowExitOnIdle: true });
  // An interrupted benchmark ends its servers first.
  pool.on('error', () => undefined);
  return pool;
}
