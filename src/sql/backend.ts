/** A session of ours, looked at or ended over another connection of the same role, which needs no privilege. */

/** After BEGIN, because between us and the server a pooler may choose another backend for each transaction. */
export const BACKEND_PID = /* sql */ `SELECT pg_backend_pid() AS pid`;

const columns = `coalesce(wait_event_type = 'Client', false) AS "waitsForClient", state_change::text AS "changedAt"`;

/** $1 pid, $2 application name. A backend that waits for its client has nothing to do. */
export const LOOK_AT_BACKEND = /* sql */ `
  SELECT ${columns} FROM pg_stat_activity WHERE pid = $1 AND application_name = $2`;

/** $1 application name, of a session whose pid only its program knows. */
export const LOOK_AT_PROGRAM = /* sql */ `
  SELECT ${columns} FROM pg_stat_activity WHERE application_name = $1`;

/** $1 pid, $2 application name: the pid may be another session's by now. */
export const END_BACKEND = /* sql */ `
  SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND application_name = $2`;
