/** Every wait and time limit of increp, in seconds. The program uses `DEFAULT_TIMING`; tests use shorter times. */

/** A random wait that doubles with each attempt, as `backoffSeconds` computes it. */
export interface Backoff {
  /** The longest wait after the first attempt. */
  readonly base: number;
  /** The longest wait of all. */
  readonly max: number;
}

export interface Timing {
  /** Time for a new connection, from the first packet to the end of the login. */
  readonly connectTimeout: number;
  /** Time for a password command to print the password. */
  readonly passwordCommand: number;
  /** Tunnels of ssh. */
  readonly tunnel: {
    /** Time for the login at a bastion, after the connection. A hardware key may wait for a touch. */
    readonly login: number;
    /** Before a tunnel that was lost, or could not be opened, is opened again. */
    readonly retryDelay: Backoff;
    /** For all attempts to open a tunnel that was lost. */
    readonly reopen: number;
    /** ssh asks a silent bastion this often whether it is still there. After three questions, the tunnel is lost. */
    readonly keepAlive: number;
  };
  /** Time for a connection to close before its socket is destroyed. */
  readonly closeTimeout: number;
  /**
   * `lock_timeout` of every statement: how long it waits for a table lock. Other sessions queue behind it meanwhile.
   */
  readonly lockTimeout: number;
  /** The same for the message that asks many tables for changes. */
  readonly sweepLock: number;
  /** The service counts the rows that wait for a sync. */
  readonly waitingCount: {
    /** For one table. */
    readonly one: number;
    /** For all tables of a look that are found together. The others are not counted. */
    readonly all: number;
  };
  /** Time for a server to answer a question about a silent session. */
  readonly stallProbeTimeout: number;
  /** How long a commit may wait for a synchronous standby, even if the time limit of the run is over. */
  readonly standbyGrace: number;
  /** Between two checks whether a commit waits for a standby. */
  readonly standbyPoll: number;
  /** How long a run that must stop waits for the reply to a COMMIT, because without it the result is unknown. */
  readonly commitGrace: number;
  /** Between two attempts at a table, after an error that may be temporary. */
  readonly retryDelay: Backoff;
  /** How long a run waits for open transactions at the source, unless --wait-transactions sets it. */
  readonly transactionWait: number;
  /** Between two checks of the open transactions: the first pause and the longest. */
  readonly transactionPoll: Backoff;
  /** How often increp polls the table lock of another run. */
  readonly tableLockPoll: number;
  /** The session of a killed run holds its lock until the server notices. increp always waits this long for it. */
  readonly tableLockGrace: number;
  /** How long a retry waits for a lock that its own first attempt may still hold. */
  readonly ownLockWait: number;
  /**
   * How long a load waits for a chunk that the session of a killed run is still committing. On a dead network, the
   * server notices only by TCP keepalives (sql/session.ts).
   */
  readonly chunkLockGrace: number;
  /** Older facts about a table are read again before its sync. */
  readonly factsMaxAge: number;
  /**
   * Exclusive locks. Readers queue behind a session that waits for an exclusive lock. If such a reader holds a lock
   * that increp waits for, this is a deadlock, and the server cancels one of the two after a second (deadlock_timeout). So
   * increp takes all locks within less than that time, or releases them.
   */
  readonly exclusiveLock: {
    /** For one lock. */
    readonly one: number;
    /** For all of them together. */
    readonly all: number;
    /** Between two attempts. */
    readonly retryDelay: Backoff;
    /** For all attempts. */
    readonly total: number;
  };
  /**
   * How long CREATE INDEX CONCURRENTLY waits for each transaction that began before it. No other session waits meanwhile,
   * so this may be long.
   */
  readonly indexWait: number;
  /** Before a copied object that the destination refused for its rows is tried again. */
  readonly refusedObjectPause: number;
  /** Several destinations that share one read of the source. */
  readonly fanOut: {
    /** How long the first destination at a table waits for the others. Without the wait, the table is read twice. */
    readonly readerWait: number;
    /** The same at the first table. Before it, a run has only connected and read catalogs. */
    readonly firstReaderWait: number;
    /** A destination that takes no rows for this long reads alone. A checkpoint can block writes for seconds. */
    readonly stalled: number;
  };
  /** Time for the statement by which `plan` and `check` count the rows that a load would remove. */
  readonly planCountTimeout: number;
  /** How long `status` waits for the source. */
  readonly statusSourceTimeout: number;
  /** How long messages about the run may still take after a signal. Supervisors often kill after ten seconds. */
  readonly shutdown: number;
  /** A webhook or a healthcheck. */
  readonly delivery: {
    /** One attempt, from the connection to the end of the answer's body. */
    readonly attempt: number;
    /** Between two attempts. */
    readonly retryDelay: Backoff;
    /** The longest Retry-After that increp respects. */
    readonly retryAfter: number;
    /** All attempts and the waits between them, for a webhook. */
    readonly webhookTotal: number;
    /** The same for the healthcheck at the end of a run. */
    readonly healthcheckTotal: number;
    /** The same for the healthcheck at the start of a run. */
    readonly healthcheckStart: number;
  };
  /** How often the history of a run is written. A failure is written at once. */
  readonly historyInterval: number;
  /** `serve` and `work`. */
  readonly serve: {
    /** Between two questions of an idle worker for work. */
    readonly claimPoll: number;
    /** Between two questions which schedules are due. */
    readonly schedulePoll: number;
    /** Between two looks for new pipelines, and for changed files. */
    readonly configPoll: number;
    /** Without a sign of life for this long, a worker has lost its job, and another one gets it. At least 10. */
    readonly heartbeat: number;
    /** Between two signs of life. */
    readonly beat: number;
    /** Between two searches for jobs of lost workers. A whole number. */
    readonly monitor: number;
    /** How long a run waits for a worker if there are workers, but none can serve its pipeline. */
    readonly unservedRun: number;
    /** How long the directories of a `serve` without a sign of life stay pipelines, while another `serve` runs. */
    readonly directoryGrace: number;
    /** Between two looks of a stream of the API for changes. */
    readonly streamPoll: number;
    /** How long a worker that must stop lets its syncs finish, unless --drain sets it. */
    readonly drain: number;
    /** The server ends a session of the control database that waits for its program inside a transaction. */
    readonly idleTransaction: number;
    /** One statement in the control database, at the server. */
    readonly statement: number;
    /** The same, with the network. */
    readonly query: number;
    /** How long a screen, or a read of the API, waits for the control database. */
    readonly screen: number;
    /** The same for /readyz. */
    readonly probe: number;
    /** Between two attempts to start the worker process of `serve` again. */
    readonly respawn: Backoff;
  };
  /** How long pg_dump and pg_restore may take to stop before they are killed. */
  readonly childKillDelay: number;
}

const RETRY_DELAY: Backoff = { base: 0.5, max: 8 };

export const DEFAULT_TIMING: Timing = {
  connectTimeout: 10,
  passwordCommand: 30,
  tunnel: { login: 60, retryDelay: RETRY_DELAY, reopen: 60, keepAlive: 10 },
  closeTimeout: 1,
  lockTimeout: 5,
  sweepLock: 0.1,
  waitingCount: { one: 0.5, all: 2 },
  stallProbeTimeout: 10,
  standbyGrace: 5,
  standbyPoll: 0.5,
  commitGrace: 2,
  retryDelay: RETRY_DELAY,
  transactionWait: 5,
  transactionPoll: { base: 0.01, max: 0.25 },
  tableLockPoll: 0.5,
  tableLockGrace: 2,
  ownLockWait: 10,
  chunkLockGrace: 75,
  factsMaxAge: 30,
  exclusiveLock: { one: 0.2, all: 0.6, retryDelay: { base: 0.2, max: 4 }, total: 60 },
  indexWait: 600,
  refusedObjectPause: 3600,
  fanOut: { readerWait: 10, firstReaderWait: 3, stalled: 30 },
  planCountTimeout: 10,
  statusSourceTimeout: 5,
  shutdown: 3,
  delivery: {
    attempt: 10,
    retryDelay: RETRY_DELAY,
    retryAfter: 10,
    webhookTotal: 30,
    healthcheckTotal: 20,
    healthcheckStart: 5,
  },
  historyInterval: 2,
  serve: {
    claimPoll: 1,
    schedulePoll: 1,
    configPoll: 5,
    heartbeat: 30,
    beat: 10,
    monitor: 10,
    unservedRun: 600,
    directoryGrace: 600,
    streamPoll: 2,
    drain: 30,
    idleTransaction: 5,
    statement: 15,
    query: 30,
    screen: 10,
    probe: 2,
    respawn: { base: 1, max: 30 },
  },
  childKillDelay: 2,
};
