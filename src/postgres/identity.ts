/** The identity of a server, the session settings that follow from it, and the first message of a session. */
import type pg from 'pg';
import * as z from 'zod';
import { IncrepError } from '../errors.ts';
import { serverInstanceSchema, type ServerInstance } from '../schema/state-record.ts';
import { BEGIN_PLAINLY, serverIdentity, serverInstance } from '../sql/session.ts';
import { backendOf } from './driver.ts';
import type { Endpoint } from './endpoint.ts';
import { ensurePostgres, recognised } from './other-server.ts';
import type { ServerClock } from './server-clock.ts';
import { SQLSTATE } from './sqlstate.ts';

export const codeOf = (error: unknown): unknown => (error as { code?: unknown } | undefined)?.code;

const identitySchema = z.object({
  version: z.number(),
  versionText: z.string(),
  showsTransactions: z.boolean(),
  showsWriters: z.boolean(),
  showsSnapshots: z.boolean(),
  hasDsqlCatalog: z.boolean(),
  isLinux: z.boolean(),
  database: z.string(),
  databaseOid: z.string(),
  isStandby: z.boolean(),
  timeZone: z.string(),
  encoding: z.string(),
  /**
   * Where default_transaction_read_only is set (`pg_settings.source`), null if it is off. An administrator sets it, or a
   * hosting provider whose disk is full.
   */
  readOnlyFrom: z.string().nullable(),
  backendPid: z.number(),
  /** Seconds since 1970. */
  clock: z.number(),
  /** Whether a session may mark itself as reading only (sql/reader-mark.ts). */
  canMark: z.boolean(),
  canReadControl: z.boolean(),
});
interface Connected {
  readonly serverClock: ServerClock;
  /** If a pooler or proxy answers, the next transaction may use another session. */
  readonly isPooled: boolean;
  /** Whether the server shows the position of its WAL. */
  readonly showsWal: boolean;
}

/** What is only read to recognise servers that are not PostgreSQL. */
type Sign = 'versionText' | 'showsTransactions' | 'showsWriters' | 'showsSnapshots' | 'hasDsqlCatalog';

export type ServerIdentity = Readonly<
  Omit<z.infer<typeof identitySchema>, 'backendPid' | 'clock' | Sign> &
    z.infer<typeof serverInstanceSchema> &
    Connected
>;

/**
 * Begins and ends a transaction.
 * @throws IncrepError NOT_POSTGRES
 */
export async function readIdentity(
  client: pg.Client,
  endpoint: Pick<Endpoint, 'side' | 'address'>,
): Promise<ServerIdentity> {
  const together = await askInOneMessage(client, endpoint.side);
  const read = async () =>
    identitySchema.parse(lastRow(await queryFirst(client, serverIdentity(endpoint.side)), 0));
  const {
    backendPid,
    versionText,
    showsTransactions,
    showsWriters,
    showsSnapshots,
    hasDsqlCatalog,
    clock,
    ...identity
  } = together ? identitySchema.parse(lastRow(together, 2)) : await recognised(client, endpoint, read);
  const serverClock = { at: clock * 1000, hereAt: Date.now(), receivedAt: performance.now() };
  ensurePostgres(endpoint, {
    versionText,
    hasDsqlCatalog,
    lacks: [
      ...(showsTransactions ? [] : (['transactionsInLocks'] as const)),
      ...(showsWriters ? [] : (['rowTransactionIds'] as const)),
      ...(showsSnapshots ? [] : (['snapshots'] as const)),
    ],
  });
  const isPooled = backendPid !== backendOf(client);
  const instance = together
    ? { ...serverInstanceSchema.parse(lastRow(together, 1)), showsWal: true }
    : await readInstance(client, identity);
  return { ...identity, serverClock, isPooled, ...instance };
}

/** What most servers answer. Undefined if the server refuses a part of it: then the parts are asked one by one. */
async function askInOneMessage(client: pg.Client, side: Endpoint['side']): Promise<unknown> {
  const statements = [
    serverIdentity(side),
    serverInstance({ canReadControl: true, showsWal: true }),
    'COMMIT',
  ];
  try {
    return await queryFirst(client, statements.join('; '));
  } catch (error) {
    // Without a SQLSTATE, the connection is lost.
    if (codeOf(error) === undefined) throw error;
    await client.query('ROLLBACK');
    return undefined;
  }
}

/** Runs inside the transaction, and ends it. */
async function readInstance(
  client: pg.Client,
  { canReadControl }: Pick<ServerIdentity, 'canReadControl'>,
): Promise<ServerInstance & Pick<ServerIdentity, 'showsWal'>> {
  const instanceIn = (ended: unknown) => serverInstanceSchema.parse(lastRow(ended, 1));
  try {
    const ended: unknown = await client.query(
      `${serverInstance({ canReadControl, showsWal: true })}; COMMIT`,
    );
    return { ...instanceIn(ended), showsWal: true };
  } catch (error) {
    // Some hosted servers have these functions but refuse to run them.
    if (codeOf(error) === undefined) throw error;
    await client.query('ROLLBACK');
    const statements = [BEGIN_PLAINLY, serverInstance({ canReadControl, showsWal: false }), 'COMMIT'];
    return { ...instanceIn(await client.query(statements.join('; '))), showsWal: false };
  }
}

/** server_version_num of the oldest supported server. */
const OLDEST = 140000;

/** @throws IncrepError NOT_SUPPORTED */
export function ensureSupported({ version }: Pick<ServerIdentity, 'version'>, side: string): void {
  if (version >= OLDEST) return;
  throw new IncrepError('NOT_SUPPORTED', {
    what: `the ${side} is PostgreSQL ${Math.floor(version / 10_000)}.${version % 10_000}; increp needs ${OLDEST / 10_000} or later`,
    next: 'Upgrade that server. PostgreSQL 13 and older are no longer supported.',
  });
}

/**
 * The message that begins a transaction before anything is read. If the role has a statement_timeout of a
 * millisecond, a busy server can cancel it before the limit is lifted.
 */
export async function queryFirst(client: pg.Client, sql: string): Promise<pg.QueryResult> {
  try {
    return await client.query(sql);
  } catch (error) {
    if (codeOf(error) !== SQLSTATE.queryCanceled) throw error;
    await client.query('ROLLBACK');
    return client.query(sql);
  }
}

/** The result of one of several statements in one message. `after` is the number of statements behind it. */
export const lastRow = (results: unknown, after: number): unknown =>
  (results as pg.QueryResult[]).at(-1 - after)?.rows[0];
