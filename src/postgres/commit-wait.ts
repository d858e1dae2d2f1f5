/**
 * The server replies to a COMMIT when its synchronous standby has confirmed it. If that standby is missing, the wait has
 * no limit: neither a time limit of the server nor a closed connection ends it. Only a cancel request does.
 */
import type pg from 'pg';
import { sleep } from '../backoff.ts';
import { formatDuration } from '../duration.ts';
import { IncrepError } from '../errors.ts';
import { END_STANDBY_WAIT, LOOK_AT_STANDBY_WAIT, STANDBY_NAMES } from '../sql/sessions.ts';
import type { Timing } from '../timing.ts';
import { connectionOf } from './driver.ts';
import type { Endpoint } from './endpoint.ts';

export interface CommitWait {
  readonly endpoint: Endpoint;
  /** How long the commit may wait for a standby. */
  readonly seconds: number;
  readonly timing: Pick<Timing, 'standbyPoll' | 'commitGrace'>;
  /** If it aborts, the wait for a standby ends at once. */
  readonly signal: AbortSignal | undefined;
  /** Runs a statement about the backend of the transaction over another connection. */
  readonly askAbout: (statement: string) => Promise<pg.QueryResult>;
  /** Closes the connection. Called if there is no reply for `commitGrace` after the signal. */
  readonly abandon: () => void;
}

/** `commit` ends with COMMIT. @throws IncrepError COMMIT_UNCONFIRMED */
export async function commitWithin(client: pg.Client, commit: string, wait: CommitWait): Promise<void> {
  const startedAt = performance.now();
  using _ = limit(wait);
  if (await isConfirmed(client, commit)) return;
  const seconds = Math.max(1, Math.round((performance.now() - startedAt) / 1000));
  throw unconfirmed(wait.endpoint, seconds, await standbyNames(client));
}

export const isUnconfirmed = (error: unknown): boolean =>
  error instanceof IncrepError && error.code === 'COMMIT_UNCONFIRMED';

/** Until it is disposed of. */
function limit(wait: CommitWait): Disposable {
  const { timing, signal, abandon } = wait;
  const replied = new AbortController();
  let abandoning: NodeJS.Timeout | undefined;
  const onAbort = () => {
    abandoning = setTimeout(abandon, timing.commitGrace * 1000);
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  void endLongWaits(wait, replied.signal).catch(() => undefined);
  return {
    [Symbol.dispose]: () => {
      replied.abort();
      clearTimeout(abandoning);
      signal?.removeEventListener('abort', onAbort);
    },
  };
}

/** @throws when the reply is there */
async function endLongWaits(
  { signal, seconds, timing, askAbout }: CommitWait,
  replied: AbortSignal,
): Promise<void> {
  const hastened = signal ? AbortSignal.any([signal, replied]) : replied;
  await sleep(seconds, hastened).catch(() => undefined);
  for (let wasWaiting = false; ;) {
    replied.throwIfAborted();
    const isWaiting = await waitsForStandby(askAbout);
    replied.throwIfAborted();
    // A healthy standby may be about to confirm, so increp checks twice.
    if (isWaiting && (wasWaiting || signal?.aborted === true))
      await askAbout(END_STANDBY_WAIT).catch(() => undefined);
    wasWaiting = isWaiting;
    await sleep(timing.standbyPoll, replied);
  }
}

/** False if the server does not answer. increp asks again, and the stall detection reports such a server. */
const waitsForStandby = (askAbout: CommitWait['askAbout']): Promise<boolean> =>
  askAbout(LOOK_AT_STANDBY_WAIT).then(
    ({ rows }) => rows.length > 0,
    () => false,
  );

/** The function of the server that waits for standbys. Its messages are translated, but its name is not. */
const STANDBY_WAIT = 'SyncRepWaitForLSN';

/** False if the wait for a standby was ended. The transaction is committed on that server anyway. */
async function isConfirmed(client: pg.Client, commit: string): Promise<boolean> {
  let isEnded = false;
  const onNotice = ({ routine }: { readonly routine?: string }) => {
    isEnded ||= routine === STANDBY_WAIT;
  };
  connectionOf(client).on('notice', onNotice);
  try {
    await client.query(commit);
  } finally {
    connectionOf(client).off('notice', onNotice);
  }
  return !isEnded;
}

async function standbyNames(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ names: string }>(STANDBY_NAMES);
  return rows[0]?.names ?? '';
}

const unconfirmed = ({ side, address }: Endpoint, seconds: number, names: string): IncrepError =>
  new IncrepError('COMMIT_UNCONFIRMED', {
    what: `${side} ${address}: no synchronous standby confirmed the commit within ${formatDuration(seconds)} (synchronous_standby_names = ${names})`,
    next: 'The changes are committed on that server, and the next run continues from them. Start the standby, or remove it from synchronous_standby_names there. Then run there: SELECT pg_reload_conf()',
  });
