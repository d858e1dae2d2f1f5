/** The locks of a table with thousands of partitions, compared with the lock table of its server. */
import { formatCount } from '../format.ts';

export interface LockNeeds {
  /** The table and its partitions. */
  readonly tables: number;
  readonly indexes: number;
  /** max_locks_per_transaction. */
  readonly perTransaction: number;
  /** max_connections + max_prepared_transactions. */
  readonly transactions: number;
}

/**
 * Whether a transaction that reads the table needs more locks than the lock table is sized for. A server may find spare memory for
 * some more: with default settings, PostgreSQL 15 grants about 12,000 instead of 6,400.
 */
export const fillsLockTable = ({ tables, indexes, perTransaction, transactions }: LockNeeds): boolean =>
  tables + indexes > perTransaction * transactions;

/** Other sessions need locks, too. */
const SHARE = 0.9;

/** The max_locks_per_transaction with which the table can be read. */
const settingFor = ({ tables, indexes, transactions }: LockNeeds): number =>
  Math.ceil((tables + indexes) / (SHARE * transactions));

/** A clause without a subject, about the table. */
export const lockNeedsText = ({ tables, indexes, perTransaction, transactions }: LockNeeds): string =>
  `has ${formatCount(tables - 1)} partitions with ${formatCount(indexes)} indexes, and a query locks all of them: ${formatCount(tables + indexes)} locks. The lock table of the source is sized for ${formatCount(perTransaction * transactions)}`;

export const lockNeedsAdvice = (needs: LockNeeds): string =>
  `At the source, run: ALTER SYSTEM SET max_locks_per_transaction = ${settingFor(needs)}. Then restart that server. Or use fewer partitions.`;
