/** Servers that increp does not reach, and roles without a privilege. */
import { inject } from 'vitest';
import { goThrough } from '../support/chunked.ts';
import { withAdmin } from '../support/pair-databases.ts';
import { faultProxy } from '../support/proxy.ts';
import { sync } from '../support/sync.ts';
import { copying, reader, type Failure } from '../support/failure.ts';

export const CONNECTION_FAILURES: readonly Failure[] = [
  {
    code: 'CONNECTION_FAILED',
    title: 'nobody listens there',
    provoke: ({ pair }) => pair.setEnv({ SOURCE_PORT: '1' }),
    says: ['source db.example.com:5432/shop', 'connection refused'],
    next: 'SOURCE_HOST and SOURCE_PORT',
  },
  {
    code: 'TLS_FAILED',
    title: 'the server has no TLS',
    provoke: ({ pair }) => pair.setEnv({ SOURCE_SSLMODE: 'require' }),
    says: ['source db.example.com:5432/shop', 'does not support TLS'],
    next: 'SOURCE_SSLMODE',
  },
  {
    code: 'CONNECTION_LOST',
    title: 'the source goes away again and again',
    pair: copying,
    provoke: async ({ pair, stack }) => {
      const proxy = stack.use(await faultProxy(pair.login('source')));
      proxy.when({ from: 'client', seen: 'COPY', fault: 'reset', times: 100 });
      await goThrough(pair, 'source', proxy);
    },
    says: ['source db.example.com:5432/shop'],
    next: 'network',
  },
  {
    code: 'TOO_MANY_CONNECTIONS',
    title: 'the role has no connection left',
    provoke: async ({ pair }) => {
      await pair.source.query(`ALTER ROLE ${reader(pair)} CONNECTION LIMIT 0`);
    },
    sqlstate: '53300',
    says: ['source db.example.com:5432/shop', 'too many connections for role "reader"'],
    next: /pg_stat_activity|CONNECTION LIMIT/,
  },
  {
    code: 'AUTHENTICATION_FAILED',
    title: 'a wrong password',
    provoke: ({ pair }) => pair.setEnv({ DEST_PASSWORD: 'wrong' }),
    sqlstate: '28P01',
    says: [
      'destination warehouse.example.com:5432/analytics',
      'password authentication failed for user "writer"',
    ],
    next: 'DEST_PASSWORD',
  },
  {
    code: 'AUTHENTICATION_FAILED',
    title: 'no password at all',
    provoke: ({ pair }) => pair.setEnv({ SOURCE_PASSWORD: undefined }),
    says: ['source db.example.com:5432/shop', 'asks for the password of "reader", but none is set'],
    next: /SOURCE_PASSWORD .*\.pgpass.* CREDENTIALS_DIRECTORY and STATE_DIR/,
    isOther: true,
  },
  {
    code: 'AUTHENTICATION_FAILED',
    title: 'a role that may not log in',
    provoke: async ({ pair }) => {
      await pair.source.query(`ALTER ROLE ${reader(pair)} NOLOGIN`);
    },
    sqlstate: '28000',
    says: ['source db.example.com:5432/shop', 'role "reader" is not permitted to log in'],
    next: 'ALTER ROLE "reader" LOGIN',
    isOther: true,
  },
  {
    code: 'CONNECTION_FAILED',
    title: 'a database that allows no connections',
    provoke: async ({ pair, stack }) => {
      const { database } = pair.login('source');
      const allow = (isAllowed: boolean) =>
        withAdmin(inject('sourceServerUrl'), (admin) =>
          admin.query(`ALTER DATABASE "${database}" ALLOW_CONNECTIONS ${isAllowed}`),
        );
      await allow(false);
      stack.defer(async () => void (await allow(true)));
    },
    sqlstate: '55000',
    says: ['source db.example.com:5432/shop', 'database "shop" is not currently accepting connections'],
    next: 'ALTER DATABASE "shop" ALLOW_CONNECTIONS true',
    isOther: true,
  },
  {
    code: 'PRIVILEGE_MISSING',
    title: 'no CREATE on the schema of the destination',
    provoke: async ({ pair }) => {
      await sync(pair);
      const { user } = pair.login('destination', 'increp');
      await pair.destination.query(
        `ALTER SCHEMA public OWNER TO CURRENT_USER; REVOKE CREATE ON SCHEMA public FROM "${user}", PUBLIC; GRANT USAGE ON SCHEMA public TO "${user}"; DROP TABLE IF EXISTS orders_stg`,
      );
      await pair.source.query('UPDATE orders SET updated_at = now()');
    },
    sqlstate: '42501',
    says: ['destination warehouse.example.com:5432/analytics', 'permission denied for schema public'],
    next: 'At the destination, run: GRANT USAGE, CREATE ON SCHEMA "public" TO "writer"',
    isOther: true,
  },
  {
    code: 'PRIVILEGE_MISSING',
    title: 'no SELECT on the table',
    provoke: async ({ pair }) => {
      await pair.source.query(`REVOKE SELECT ON orders FROM ${reader(pair)}`);
    },
    says: ['role "reader" may not read public.orders', 'source'],
    next: 'GRANT SELECT ON "public"."orders" TO "reader"',
  },
  {
    code: 'ROW_SECURITY',
    title: 'a policy that hides rows',
    provoke: async ({ pair }) => {
      await pair.source.query(
        'ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON orders USING (id < 5)',
      );
    },
    says: ['row-level security would hide rows of public.orders'],
    next: 'ALTER ROLE "reader" BYPASSRLS',
  },
];

export const WITH_SSH: readonly Failure[] = [
  {
    code: 'SSH_FAILED',
    title: 'a bastion that does not listen',
    provoke: ({ pair }) => pair.setEnv({ SOURCE_SSH: 'deploy@localhost:1' }),
    says: ['source', 'deploy@bastion.example.com:22', 'Connection refused'],
    next: 'Check SOURCE_SSH',
  },
];
