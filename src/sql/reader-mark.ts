/**
 * How a session of increp that only reads shows that to the fences of other runs: by a shared advisory lock, which keeps
 * nobody waiting and ends with its transaction. A name cannot show it: writers of another pipeline may have the same.
 */
import { literal } from './identifiers.ts';
import type { Statement } from './search-path.ts';

/** "incr" in ASCII: the first half of the key of the lock. */
const MARK = 0x69_6e_63_72;

/** Never waits. Without a lock, which somebody else would have to hold exclusively, others wait for us a little. */
export const MARK_READER = /* sql */ `SELECT pg_try_advisory_xact_lock_shared(${MARK}, 0)`;

/** For a program that reads in a session of its own (pg_dump), held by the session that lends it its snapshot. */
export const markProgram = (applicationName: string): string =>
  /* sql */ `SELECT pg_try_advisory_xact_lock_shared(${MARK}, hashtext(${literal(applicationName)}))`;

/** Whether a row of pg_locks is the mark of that session: its own, or the one that is held for a program. */
export const isReaderMark = (
  lock: string,
  pid: string,
  applicationName: string,
): string => /* sql */ `${lock}.locktype = 'advisory' AND ${lock}.classid = ${MARK} AND ${lock}.objsubid = 2
    AND ${lock}.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (${lock}.objid = 0 AND ${lock}.pid = ${pid}
         OR ${lock}.objid::bigint = (hashtext(${applicationName})::bigint & 4294967295) AND ${lock}.pid <> ${pid})`;

export const MAY_MARK = /* sql */ `has_function_privilege('pg_catalog.pg_try_advisory_xact_lock_shared(integer,integer)', 'EXECUTE')`;

/** Statements that have to come before the first one that takes a snapshot. */
export const isBeforeSnapshot = (statement: Statement): statement is string =>
  typeof statement === 'string' && /^(LOCK TABLE|SET TRANSACTION SNAPSHOT) /.test(statement);
