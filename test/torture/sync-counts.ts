/** What came of the runs. */
export interface SyncCounts {
  runs: number;
  completed: number;
  /** Exit 75: the run that was killed before still had a session at the destination. */
  locked: number;
  killed: number;
  terminated: number;
  /** pg_terminate_backend on the source's or the destination's session. */
  disconnected: number;
  /** Ended by a failover of the source. */
  failedOver: number;
  /** Runs in which a table failed that the next one synced: see `failedTables`. */
  failed: number;
  /** Runs that left transactions behind as fences. */
  fenced: number;
  rowsRead: number;
  rowsInserted: number;
  rowsUpdated: number;
  rowsUnchanged: number;
  rowsDeleted: number;
}

export const noSyncs = (): SyncCounts => ({
  runs: 0,
  completed: 0,
  locked: 0,
  killed: 0,
  terminated: 0,
  disconnected: 0,
  failedOver: 0,
  failed: 0,
  fenced: 0,
  rowsRead: 0,
  rowsInserted: 0,
  rowsUpdated: 0,
  rowsUnchanged: 0,
  rowsDeleted: 0,
});
