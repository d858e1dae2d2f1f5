/**
 * A read-only session of increp marks itself for the fences of other runs. The mark is a shared advisory lock, which
 * blocks nobody and ends with its transaction. A name would prove nothing, because writers of another pipeline may
 * use the same name.
 */
import { literal } from './identifiers.ts';
import type { Statement } from './search-path.ts';

/** "incr" in ASCII: the first half of the key of the lock. */
const MARK = 0x69_6e_63_72;

/**
 * Never waits. If another session holds the lock exclusively, the mark is missing, and other runs wait a little for
 * this session.
 */
export const MARK_READER = /* sql */ `SELECT pg_try_advisory_xact_lock_shared(${MARK}, 0)`;

/** For a program that reads in its own session (pg_dump). The session that exports the snapshot holds the mark. */
export const markProgram = (applicationName: string): string =>
  /* sql */ `SELECT pg_try_advisory_xact_lock_shared(${MARK}, hashtext(${literal(applicationName)}))`;

/** Whether a row of pg_locks is the mark of that session: its own, or the mark that is held for a program. */
export const isReaderMark = (
  lock: string,
  pid: string,
  applicationName: string,
): string => /* sql */ `${lock}.locktype = 'advisory' AND ${lock}.classid = ${MARK} AND ${lock}.objsubid = 2
    AND ${lock}.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (${lock}.objid = 0 AND ${lock}.pid = ${pid}
         OR ${lock}.objid::bigint = (hashtext(${applicationName})::bigint & 4294967295) AND ${lock}.pid <> ${pid})`;

export const MAY_MARK = /* sql */ `has_function_privilege('pg_catalog.pg_try_advisory_xact_lock_shared(integer,integer)', 'EXECUTE')`;

/** Statements that must run before the snapshot is taken. */
export const isBeforeSnapshot = (statement: Statement): statement is string =>
  typeof statement === 'string' && /^(LOCK TABLE|SET TRANSACTION SNAPSHOT) /.test(statement);
