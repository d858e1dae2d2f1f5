/** One fresh database on each of two servers and a pipeline directory between them, in or out of a test runner. */
import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Pool, type Client } from 'pg';
import { rememberSecrets } from './canaries.ts';
import { dropSide, runSql } from './pair-databases.ts';
import type { Login, Side, SideLogins } from './pair-databases.ts';
import { createSide, type SidePool } from './recycled-sides.ts';

/** A table as tables-config.json has it. */
export interface TableConfig {
  readonly name: string;
  readonly replication_key?: string;
  readonly unique_cols?: readonly string[];
  readonly [key: string]: unknown;
}

export interface PairOptions {
  /** Written to tables-config.json. */
  readonly tables?: readonly TableConfig[];
  /** Run on the source as the superuser, with the schema as search path. */
  readonly sourceSql?: string;
  /** The same on the destination, as the owner of its database. */
  readonly destinationSql?: string;
  /** The schema on both sides; "public" unless told. */
  readonly schema?: string;
  /** Of the two databases; UTF8 unless told. */
  readonly encodings?: Readonly<Partial<Record<Side, string>>>;
  /** The test changes its databases or roles themselves: they are made for it, and no other test gets them. */
  readonly isOwn?: boolean;
}

export type Role = 'superuser' | 'increp';

export interface Pair extends AsyncDisposable {
  /** The pipeline directory: .env, tables-config.json, sync-state. */
  readonly directory: string;
  readonly schema: string;
  /** Superuser connections. Take a client with `connect()` where a session matters. */
  readonly source: Pool;
  readonly destination: Pool;
  /** Logins of the two sides: as the superuser, or as the role that increp uses. */
  login(side: Side, role?: Role): Login;
  sourceUrl(role?: Role): string;
  destinationUrl(role?: Role): string;
  /** Replaces tables-config.json. */
  writeTables(tables: readonly TableConfig[] | Readonly<Record<string, unknown>>): Promise<void>;
  /** Changes single lines of .env; undefined removes one. */
  setEnv(changes: Readonly<Record<string, string | undefined>>): Promise<void>;
}

/** Where pairs are made. */
export interface PairPlace {
  /** Superuser URLs. */
  readonly sourceServerUrl: string;
  readonly destinationServerUrl: string;
  /** Gets the pipeline directories. */
  readonly workspace: string;
  /** Where databases come from and go to; otherwise they are made and dropped. */
  readonly sides?: SidePool;
}

export interface OpenPair {
  readonly pair: Omit<Pair, typeof Symbol.asyncDispose>;
  /** Ends the connections and leaves everything to be looked at. */
  readonly close: () => Promise<void>;
  /** Ends the connections and removes everything. */
  readonly cleanUp: () => Promise<void>;
}

const UNSHARED: SidePool = {
  take: (request) => createSide(request, randomBytes(4).toString('hex')),
  giveBack: (_, side) => dropSide(side),
};

export async function openPair(given: PairOptions, place: PairPlace): Promise<OpenPair> {
  const { schema = 'public', encodings = {}, isOwn = false } = given;
  const { sides = UNSHARED } = place;
  const urls = { source: place.sourceServerUrl, destination: place.destinationServerUrl };
  const request = (side: Side) => {
    const encoding = encodings[side] ?? 'UTF8';
    return { side, serverUrl: urls[side], schema, encoding, isOwn };
  };
  const [source, destination] = await Promise.all([
    sides.take(request('source')),
    sides.take(request('destination')),
  ]);
  const directory = join(place.workspace, randomBytes(4).toString('hex'));
  const [sourcePool, destinationPool] = [openPool(source.superuser), openPool(destination.superuser)];
  const pools = { source: sourcePool.pool, destination: destinationPool.pool };
  const close = onceOnly(async () => {
    await Promise.all([sourcePool.close(), destinationPool.close()]);
  });
  const cleanUp = onceOnly(async () => {
    await close();
    await Promise.all([
      sides.giveBack(request('source'), source),
      sides.giveBack(request('destination'), destination),
      rm(directory, { recursive: true, force: true }),
    ]);
  });
  const pair = describePair({ source, destination, directory, schema, pools });
  try {
    await mkdir(directory);
    await pair.setEnv({});
    await pair.writeTables(given.tables ?? []);
    await runSql(source.superuser, given.sourceSql, schema);
    await runSql(destination.increp, given.destinationSql, schema);
  } catch (error) {
    await cleanUp();
    throw error;
  }
  return { pair, close, cleanUp };
}

interface PairParts {
  readonly source: SideLogins;
  readonly destination: SideLogins;
  readonly directory: string;
  readonly schema: string;
  readonly pools: { readonly source: Pool; readonly destination: Pool };
}

function describePair(parts: PairParts): Omit<Pair, typeof Symbol.asyncDispose> {
  const { directory, schema, pools } = parts;
  const login = (side: Side, role: Role = 'superuser') => parts[side][role];
  let env: Record<string, string | undefined> = {
    PIPELINE_NAME: `pipeline_${parts.source.superuser.database}`,
    ...envOf('SOURCE', parts.source, schema),
    ...envOf('DEST', parts.destination, schema),
  };
  return {
    directory,
    schema,
    ...pools,
    login,
    sourceUrl: (role) => urlOf(login('source', role)),
    destinationUrl: (role) => urlOf(login('destination', role)),
    writeTables: (tables) =>
      writeFile(join(directory, 'tables-config.json'), `${JSON.stringify(tables, null, 2)}\n`),
    setEnv: (changes) => {
      env = { ...env, ...changes };
      rememberSecrets(directory, env);
      return writeFile(join(directory, '.env'), envText(env), { mode: 0o600 });
    },
  };
}

const envOf = (prefix: string, { increp, sslmode }: SideLogins, schema: string) => ({
  [`${prefix}_HOST`]: increp.host,
  [`${prefix}_PORT`]: String(increp.port),
  [`${prefix}_USERNAME`]: increp.user,
  [`${prefix}_PASSWORD`]: increp.password,
  [`${prefix}_DB`]: increp.database,
  [`${prefix}_SCHEMA`]: schema,
  [`${prefix}_SSLMODE`]: sslmode,
});

function envText(env: Readonly<Record<string, string | undefined>>): string {
  const lines = Object.entries(env).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${quoteEnv(value)}`],
  );
  return `${lines.join('\n')}\n`;
}

const quoteEnv = (value: string) =>
  /^[\w.:/@%+=,-]*$/.test(value) ? value : value.includes("'") ? `\`${value}\`` : `'${value}'`;

const urlOf = ({ host, port, database, user, password }: Login) =>
  `postgres://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${host}:${port}/${encodeURIComponent(database)}`;

export interface ClosablePool {
  readonly pool: Pool;
  /** Ends clients that are in use too: a failed test releases none, and pool.end() would wait for them. */
  close(): Promise<void>;
}

export function openPool(login: Login): ClosablePool {
  const pool = new Pool({ ...login, max: 10, idleTimeoutMillis: 0, allowExitOnIdle: true });
  const clients = new Set<Client>();
  // Tests end backends on purpose; one that goes is no error of the test, which hears of it from its query.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => {
    client.on('error', () => undefined);
    clients.add(client);
  });
  const close = async () => {
    // Idle clients do not keep Node alive, which would end before they have.
    const alive = setInterval(() => undefined, 1000);
    pool.end().catch(() => undefined);
    await Promise.all([...clients].map((client) => client.end()));
    clearInterval(alive);
  };
  return { pool, close };
}

function onceOnly(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= work());
}
