/** What a server shows of its sessions. A role may see and end its own sessions without any privilege. */
import { textArray } from './identifiers.ts';

const STRONGEST_FIRST = [
  'AccessExclusiveLock',
  'ExclusiveLock',
  'ShareRowExclusiveLock',
  'ShareLock',
  'ShareUpdateExclusiveLock',
  'RowExclusiveLock',
  'RowShareLock',
  'AccessShareLock',
];

/** A partition, a child table and what a view reads are locked together with the relation. */
const LOCKED_RELATIONS = /* sql */ `
  WITH RECURSIVE locked AS (
    SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname = ANY ($2::text[])
    UNION
    SELECT other.oid FROM locked JOIN (
      SELECT inhparent AS of, inhrelid AS oid FROM pg_inherits
      UNION ALL
      SELECT r.ev_class, d.refobjid FROM pg_rewrite r
      JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
    ) other ON other.of = locked.oid
  )`;

/**
 * $1 schema, $2 names of relations, $3 modes that block nobody. Sessions that hold another lock on one of them, the
 * oldest transaction first, and sessions that wait themselves last. If readers alone are blocked, a session that waits for an exclusive
 * lock counts too, because they queue behind it. Postgres shows the pid and the program of sessions of other roles to every role.
 */
export const LOCK_HOLDERS = /* sql */ `
  ${LOCKED_RELATIONS}
  SELECT l.pid, min(a.application_name) AS application, min(a.usename) AS "user", min(a.xact_start) AS since,
         (array_agg(format('%s on %s', l.mode, c.relname) ORDER BY array_position(${textArray(STRONGEST_FIRST)}, l.mode), c.relname))[1] AS lock,
         NOT bool_or(l.granted) AS waits,
         (SELECT json_build_object('pid', b.pid, 'application', b.application_name, 'user', b.usename)
          FROM pg_stat_activity b WHERE NOT bool_or(l.granted) AND b.pid = ANY (pg_blocking_pids(l.pid)) ORDER BY b.backend_start LIMIT 1) AS blocker
  FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
  LEFT JOIN pg_stat_activity a ON a.pid = l.pid
  WHERE (l.granted OR cardinality($3::text[]) > 0 AND l.mode = 'AccessExclusiveLock') AND l.pid IS DISTINCT FROM pg_backend_pid()
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND l.relation IN (SELECT oid FROM locked) AND l.mode <> ALL ($3::text[])
  GROUP BY l.pid ORDER BY bool_or(EXISTS (SELECT FROM pg_locks w WHERE w.pid = l.pid AND NOT w.granted)), since NULLS LAST, l.pid`;

/**
 * A role sees what its own sessions wait for, and may end them. But a setting of the role can change the current role at
 * login, and these sessions belong to the role of the login.
 */
export const AS_LOGIN_ROLE = /* sql */ `BEGIN; SET LOCAL ROLE NONE`;

/** Asked after BEGIN, because a pooler may use another backend for each transaction. */
export const BACKEND_PID = /* sql */ `SELECT pg_backend_pid() AS pid`;

const columns = `coalesce(wait_event_type = 'Client', false) AS "waitsForClient", state_change::text AS "changedAt"`;

/** $1 pid, $2 application name. A backend that waits for its client has no work. */
export const LOOK_AT_BACKEND = /* sql */ `
  SELECT ${columns} FROM pg_stat_activity WHERE pid = $1 AND application_name = $2`;

/** $1 application name, for a session whose pid only its program knows. */
export const LOOK_AT_PROGRAM = /* sql */ `
  SELECT ${columns} FROM pg_stat_activity WHERE application_name = $1`;

const OWN_STANDBY_WAIT = /* sql */ `
  FROM pg_stat_activity WHERE pid = $1 AND application_name = $2 AND wait_event = 'SyncRep'`;

/** $1 pid, $2 application name. Returns a row if the commit of that backend waits for a synchronous standby. */
export const LOOK_AT_STANDBY_WAIT = /* sql */ `SELECT ${OWN_STANDBY_WAIT}`;

/**
 * The same, and ends the wait. The transaction is already committed on that server: it becomes visible, and the
 * session gets a warning with its reply.
 */
export const END_STANDBY_WAIT = /* sql */ `SELECT pg_cancel_backend(pid) ${OWN_STANDBY_WAIT}`;

/** The setting is visible to every role. */
export const STANDBY_NAMES = /* sql */ `SELECT current_setting('synchronous_standby_names') AS names`;

/** $1 pid, $2 application name, because another session may have the pid by now. */
export const END_BACKEND = /* sql */ `
  SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND application_name = $2`;
