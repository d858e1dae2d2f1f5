/** One client of the source: transaction after transaction, with pauses at every step. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import type { Login } from '../support/pair-databases.ts';
import type { PreparedTransactions } from './prepared.ts';
import { isLost } from './lost-connection.ts';
import type { Random } from './random.ts';
import { randomWrite } from './statements.ts';

export interface WriteCounts {
  committed: number;
  rolledBack: number;
  prepared: number;
  /** Deadlocks, lock timeouts, serialization failures, unique violations, lost sessions. */
  failed: number;
  /** Rows inserted, updated or deleted by transactions that were committed or prepared. */
  rows: number;
  /** Transactions that were open for more than 3 s. */
  long: number;
}

export const noWrites = (): WriteCounts => ({
  committed: 0,
  rolledBack: 0,
  prepared: 0,
  failed: 0,
  rows: 0,
  long: 0,
});

export interface WriterRequest {
  readonly number: number;
  readonly login: Login;
  readonly random: Random;
  readonly prepared: PreparedTransactions;
  /** performance.now() at which no transaction begins any more. */
  readonly until: number;
  /** Milliseconds that the longest transactions stay open: over many syncs. */
  readonly longest: number;
}

export async function runWriter(request: WriterRequest): Promise<WriteCounts> {
  const counts = noWrites();
  let client: Client | undefined;
  while (performance.now() < request.until) {
    try {
      client ??= await connect(request.login);
      const isUsable = await runTransaction(client, request, counts);
      if (!isUsable) {
        await client.end();
        client = undefined;
      }
    } catch (error) {
      counts.failed += 1;
      if (isLost(error)) client = undefined;
      else if (!isExpected(error)) throw error;
      await client?.query('ROLLBACK').catch(() => undefined);
    }
    await sleep(request.random.between(0, isHasty(request) ? 30 : 120));
  }
  await client?.end().catch(() => undefined);
  return counts;
}

async function connect(login: Login): Promise<Client> {
  const client = new Client({ ...login, application_name: 'writer' });
  client.on('error', () => undefined);
  await client.connect();
  await client.query(`SET lock_timeout = '300ms'; SET deadlock_timeout = '100ms'`);
  return client;
}

/** Unique, foreign key and serialization failures, deadlocks, lock timeouts, too many prepared transactions. */
const isExpected = (error: unknown): boolean =>
  ['23505', '23503', '40001', '40P01', '55P03', '53200', '55000'].includes(
    String((error as { code?: unknown }).code),
  );

/** One in four: what goes wrong between two messages of a sync shows only where much happens. */
const isHasty = ({ number }: WriterRequest): boolean => number % 4 === 3;

/** Milliseconds between BEGIN and COMMIT. */
function durationOf(request: WriterRequest): number {
  const { random, longest } = request;
  if (isHasty(request)) return random.between(0, 20);
  const lot = random.next();
  if (lot < 0.3) return 0;
  if (lot < 0.95) return random.between(0, 1000);
  if (lot < 0.99) return random.between(1000, Math.min(9000, longest));
  return random.between(longest / 2, longest);
}

/** False when the session has ended with it. */
async function runTransaction(client: Client, request: WriterRequest, counts: WriteCounts): Promise<boolean> {
  const { random } = request;
  const isolation = random.pick(['READ COMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE']);
  const duration = durationOf(request);
  const writes = random.between(1, 5);
  const pause = () => sleep((duration / (writes + 1)) * 2 * random.next());
  if (duration > 3000) counts.long += 1;
  await client.query(`BEGIN ISOLATION LEVEL ${isolation}`);
  let rows = 0;
  for (let write = 0; write < writes; write += 1) {
    await pause();
    rows += await (random.chance(0.25) ? writeInSavepoint(client, request) : writeOnce(client, request));
  }
  await pause();
  return end(client, request, counts, rows);
}

async function writeOnce(client: Client, { random, number }: WriterRequest): Promise<number> {
  const { sql, values } = randomWrite(random, number);
  return (await client.query(sql, [...values])).rowCount ?? 0;
}

/** Half of them keep what they wrote. */
async function writeInSavepoint(client: Client, request: WriterRequest): Promise<number> {
  const isKept = request.random.chance(0.5);
  await client.query('SAVEPOINT part');
  try {
    const rows = await writeOnce(client, request);
    await client.query(isKept ? 'RELEASE SAVEPOINT part' : 'ROLLBACK TO SAVEPOINT part');
    return isKept ? rows : 0;
  } catch (error) {
    if (!isExpected(error)) throw error;
    await client.query('ROLLBACK TO SAVEPOINT part');
    return 0;
  }
}

async function end(
  client: Client,
  { random, prepared }: WriterRequest,
  counts: WriteCounts,
  rows: number,
): Promise<boolean> {
  const lot = random.next();
  if (lot < 0.02) {
    // The session goes in the middle of its transaction.
    counts.rolledBack += 1;
    return false;
  }
  if (lot < 0.12) {
    counts.rolledBack += 1;
    await client.query('ROLLBACK');
  } else if (lot < 0.3 && prepared.hasRoom) {
    await prepared.prepare(client, random);
    counts.prepared += 1;
    counts.rows += rows;
  } else {
    await client.query('COMMIT');
    counts.committed += 1;
    counts.rows += rows;
  }
  return true;
}
