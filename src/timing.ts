/** Every wait that increp may do, in one place. The program uses `DEFAULT_TIMING`; tests use milliseconds. */

/** A random wait that doubles with each attempt, as `backoffSeconds` draws it. */
export interface Backoff {
  /** Seconds: the longest wait after the first attempt. */
  readonly base: number;
  /** Seconds: the longest wait of all. */
  readonly max: number;
}

/** All values are seconds. */
export interface Timing {
  /** How long a new connection may take, from the first packet to the end of the login. */
  readonly connectTimeout: number;
  /** How long a connection may take to say goodbye before its socket is closed. */
  readonly closeTimeout: number;
  /** `lock_timeout` of every statement: how long it queues for a table lock, and so holds up the sessions behind it. */
  readonly lockTimeout: number;
  /** How long a server may take to answer the question what a silent session does. */
  readonly stallProbeTimeout: number;
  /** Between two attempts at a table, after an error that may be gone the next time. */
  readonly retryDelay: Backoff;
  /** How long a run waits for open transactions at the source, unless --wait-transactions says otherwise. */
  readonly transactionWait: number;
  /** Between two looks at the open transactions: the first pause and the longest. */
  readonly transactionPoll: Backoff;
  /** How long one wait for another run's lock on a table lasts before it asks again. */
  readonly tableLockPoll: number;
  /** The session of a killed run holds its lock until the server notices: this long it is always waited for. */
  readonly tableLockGrace: number;
  /** How long a retry waits for the lock that its own first attempt may still hold. */
  readonly ownLockWait: number;
  /**
   * How long a load waits for a chunk that the session of a killed run is still committing: on a dead network the server
   * notices only by its TCP keepalives (sql/session.ts).
   */
  readonly chunkLockGrace: number;
  /** Facts about a table that are older are read again before its sync. */
  readonly factsMaxAge: number;
  /**
   * Exclusive locks. Readers queue behind a session that waits for one, and a reader that waits for us while we wait for
   * it is a deadlock, for which the server ends one of both after a second (deadlock_timeout). So all locks are taken
   * within less than that, or given back.
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
  /** Several destinations that read one source together. */
  readonly fanOut: {
    /** How long the first destination at a table waits for the others: to read the table twice is the price of not waiting. */
    readonly patience: number;
    /** The same at the first table: before it, a run has only connected and read catalogs. */
    readonly startPatience: number;
    /** A destination that takes no rows for so long reads alone. A checkpoint may keep a server from writing for seconds. */
    readonly stalled: number;
  };
  /** How long a statement may take by which `plan` and `check` count the rows that a load would remove. */
  readonly planComparison: number;
  /** How long `status` waits for the source. */
  readonly statusSourceTimeout: number;
  /** After a signal, how long messages about the run may still take: a supervisor kills after ten. */
  readonly shutdown: number;
  /** A webhook or a healthcheck. */
  readonly delivery: {
    /** One attempt, from the connection to the end of the answer's body. */
    readonly attempt: number;
    /** Between two attempts. */
    readonly retryDelay: Backoff;
    /** The longest Retry-After that is honoured. */
    readonly retryAfter: number;
    /** All attempts and the waits between them, for a webhook. */
    readonly webhookTotal: number;
    /** The same for the healthcheck at the end of a run. */
    readonly healthcheckTotal: number;
    /** The same for the healthcheck at the start of a run. */
    readonly healthcheckStart: number;
  };
  /** How often the history of a run is written; a failure is written at once. */
  readonly historyInterval: number;
  /** How long pg_dump and pg_restore may take to stop before they are killed. */
  readonly childKillDelay: number;
}

const RETRY_DELAY: Backoff = { base: 0.5, max: 8 };

export const DEFAULT_TIMING: Timing = {
  connectTimeout: 10,
  closeTimeout: 1,
  lockTimeout: 5,
  stallProbeTimeout: 10,
  retryDelay: RETRY_DELAY,
  transactionWait: 5,
  transactionPoll: { base: 0.01, max: 0.25 },
  tableLockPoll: 0.5,
  tableLockGrace: 2,
  ownLockWait: 10,
  chunkLockGrace: 75,
  factsMaxAge: 30,
  exclusiveLock: { one: 0.2, all: 0.6, retryDelay: { base: 0.2, max: 4 }, total: 60 },
  fanOut: { patience: 10, startPatience: 3, stalled: 30 },
  planComparison: 10,
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
  childKillDelay: 2,
};
