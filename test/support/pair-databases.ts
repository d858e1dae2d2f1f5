/** The two databases of a pair and the roles in them: made, filled and dropped. */
import { randomBytes } from 'node:crypto';
import { Client, escapeIdentifier, escapeLiteral } from 'pg';

/** A login of one database. */
export interface Login {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
}

export type Side = 'source' | 'destination';
export interface SideLogins {
  readonly side: Side;
  readonly serverUrl: string;
  readonly superuser: Login;
  readonly increp: Login;
  /** From the server's URL; the embedded servers have no TLS. */
  readonly sslmode: string;
  readonly encoding: string;
}

export function newSide(
  side: Side,
  serverUrl: string,
  names: { database: string; user: string },
  encoding = 'UTF8',
): SideLogins {
  const url = new URL(serverUrl);
  const server = { host: url.hostname, port: Number(url.port || 5432), database: names.database };
  return {
    side,
    serverUrl,
    superuser: {
      ...server,
      user: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
    },
    increp: { ...server, user: names.user, password: canary() },
    sslmode: url.searchParams.get('sslmode') ?? 'disable',
    encoding,
  };
}

/** A password that looks different wherever something is escaped; its beginning is what a search for it finds. */
const canary = () => `${randomBytes(9).toString('base64url')}:\\ "$x" '#%41é@/?&`;

export async function withAdmin<T>(config: string | Login, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client(typeof config === 'string' ? { connectionString: config } : config);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

const createDatabase = async ({ serverUrl, increp, encoding }: SideLogins, owner: string) =>
  withAdmin(serverUrl, async (admin) => {
    await admin.query(
      `CREATE ROLE ${increp.user} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD ${escapeLiteral(increp.password)}`,
    );
    await admin.query(
      `CREATE DATABASE ${increp.database} ${owner} TEMPLATE template0 ENCODING '${encoding}' LOCALE 'C'`,
    );
  });

/** The reader may connect and read, and nothing else: not even what Postgres grants to everybody. */
export async function createSource(side: SideLogins, schema: string): Promise<void> {
  await createDatabase(side, '');
  await withAdmin(side.superuser, (admin) => prepareSource(admin, side, schema));
}

/** In a database that is as Postgres makes it, or as it was left clean. */
export async function prepareSource(admin: Client, { increp }: SideLogins, schema: string): Promise<void> {
  const [reader, into] = [increp.user, escapeIdentifier(schema)];
  await admin.query(`
    REVOKE ALL ON DATABASE ${increp.database} FROM PUBLIC;
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    GRANT CONNECT ON DATABASE ${increp.database} TO ${reader};
    CREATE SCHEMA IF NOT EXISTS ${into};
    GRANT USAGE ON SCHEMA ${into} TO ${reader};
    ALTER DEFAULT PRIVILEGES IN SCHEMA ${into} GRANT SELECT ON TABLES TO ${reader}`);
}

/** The writer owns its database, so that it may make schemas, and tables in "public" on Postgres 15 and later. */
export const createDestination = (side: SideLogins) => createDatabase(side, `OWNER ${side.increp.user}`);

export const dropSide = ({ serverUrl, increp }: SideLogins) =>
  withAdmin(serverUrl, async (admin) => {
    await admin.query(`DROP DATABASE IF EXISTS ${increp.database} WITH (FORCE)`);
    await admin.query(`DROP ROLE IF EXISTS ${increp.user}`);
  });

export async function runSql(login: Login, sql: string | undefined, schema: string): Promise<void> {
  if (!sql) return;
  await withAdmin(login, async (client) => {
    const into = escapeIdentifier(schema);
    await client.query(`CREATE SCHEMA IF NOT EXISTS ${into}; SET search_path = ${into}`);
    await client.query(sql);
  });
}
