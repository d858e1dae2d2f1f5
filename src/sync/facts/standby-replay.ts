/** A standby that does not replay the changes of its primary: what increp reads there looks fresh, and is not. */
import * as z from 'zod';
import { asIncrepError } from '../../errors.ts';
import { formatSeconds, utcTime } from '../../format.ts';
import type { Database } from '../../postgres/database.ts';
import { REPLAY, REPLAYED_AFTER_A_SECOND } from '../../sql/standby-replay.ts';

const replayRow = z.object({
  isPaused: z.boolean(),
  /** Whether changes have arrived that are not replayed. */
  isBehind: z.boolean(),
  replayed: z.string().nullable(),
  /** The commit time of the last replayed transaction, in seconds since 1970. Null if none was replayed since the start of the server. */
  lastAt: z.number().nullable(),
  ageSeconds: z.number().nullable(),
});

export interface StalledReplay {
  readonly what: string;
  readonly next: string;
}

/** With an idle primary, the last transaction is old although the standby replays each change at once. */
const OLD_SECONDS = 60;

/** Undefined if the source is no standby, replays its changes, or does not say. */
export async function stalledReplay(source: Database): Promise<StalledReplay | undefined> {
  if (!(await source.identity()).isStandby) return undefined;
  try {
    return await source.withReading(async (client) => {
      const row = replayRow.parse((await client.query(REPLAY)).rows[0]);
      if (row.isPaused) return paused(row);
      if (!row.isBehind || row.ageSeconds === null || row.ageSeconds < OLD_SECONDS) return undefined;
      const later = z.object({ replayed: z.string().nullable() });
      const { replayed } = later.parse((await client.query(REPLAYED_AFTER_A_SECOND)).rows[0]);
      return replayed === row.replayed ? stuck(row) : undefined;
    });
  } catch (error) {
    // Some hosted servers refuse these functions.
    if (asIncrepError(error).sqlstate === undefined) throw error;
    return undefined;
  }
}

type LastReplayed = Pick<z.infer<typeof replayRow>, 'lastAt' | 'ageSeconds'>;

const lastReplayed = ({ lastAt, ageSeconds }: LastReplayed): string =>
  lastAt === null || ageSeconds === null
    ? ''
    : `; the last transaction that it replayed was committed at ${utcTime(lastAt * 1000)}, ${formatSeconds(ageSeconds)} ago`;

const paused = (times: LastReplayed): StalledReplay => ({
  what: `the source is a standby whose replay is paused, so increp finds no new changes${lastReplayed(times)}`,
  next: 'To resume it, run at the source as a superuser: SELECT pg_wal_replay_resume()',
});

const stuck = (times: LastReplayed): StalledReplay => ({
  what: `the source is a standby that has received changes and does not replay them, so increp does not find these changes${lastReplayed(times)}`,
  next: 'Check the log of the source. A long query there prevents the replay if max_standby_streaming_delay allows it.',
});
