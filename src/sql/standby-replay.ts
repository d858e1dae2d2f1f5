/** How far a standby has replayed the changes of its primary. These functions exist in recovery only. */

export const REPLAY = /* sql */ `
  SELECT pg_is_wal_replay_paused() AS "isPaused",
         coalesce(pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn(), false) AS "isBehind",
         pg_last_wal_replay_lsn()::text AS replayed, extract(epoch FROM pg_last_xact_replay_timestamp())::float8 AS "lastAt",
         extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8 AS "ageSeconds"`;

export const REPLAYED_AFTER_A_SECOND = /* sql */ `SELECT pg_last_wal_replay_lsn()::text AS replayed FROM pg_sleep(1)`;
