/**
 * $1 schema, $2 names of relations, $3 modes that are in nobody's way: sessions that hold a lock on one of them, the
 * oldest transaction first. Of other roles' sessions Postgres shows the pid and the program to everybody.
 */
export const LOCK_HOLDERS = /* sql */ `
  SELECT l.pid, min(a.application_name) AS application, min(a.usename) AS "user", min(a.xact_start) AS since,
         string_agg(DISTINCT format('%s on %s', l.mode, c.relname), ', ') AS locks
  FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_stat_activity a ON a.pid = l.pid
  WHERE l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND n.nspname = $1 AND c.relname = ANY ($2::text[]) AND l.mode <> ALL ($3::text[])
  GROUP BY l.pid ORDER BY since NULLS LAST, l.pid`;
