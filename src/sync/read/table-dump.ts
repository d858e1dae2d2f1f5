/** pg_dump of one table, on a snapshot of ours. */
import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import type pg from 'pg';
import { programName } from '../../postgres/connect.ts';
import { wantsMore } from '../../postgres/driver.ts';
import { withDump } from '../../postgres/dump.ts';
import type { CopyBlock } from '../../postgres/dump-reader.ts';
import { markProgram } from '../../sql/reader-mark.ts';
import { startupOptions } from '../../sql/session.ts';
import type { CopyFacts } from '../facts/facts.ts';
import type { LoadPlan, IncrementalPlan } from '../plan/plan.ts';
import { exportSnapshot } from '../fan-out/shared-snapshot.ts';
import type { RunContext } from '../context/run-context.ts';

interface Dumping {
  /** To be told how many bytes have come so far. */
  readonly moved: (bytes: number) => void;
  readonly signal: AbortSignal;
}

interface DumpRequest {
  readonly context: RunContext;
  readonly facts: CopyFacts;
  readonly plan: IncrementalPlan | LoadPlan;
  /** In the snapshot that pg_dump is to see. */
  readonly source: pg.ClientBase;
}

export async function withTableDump<T>(
  { context, facts, plan, source }: DumpRequest,
  use: (block: CopyBlock, dumping: Dumping) => Promise<T>,
): Promise<T> {
  const silence = new AbortController();
  let bytes = 0;
  let data: Readable | undefined;
  // The connection of pg_dump is its own, so nobody else would notice that it has gone dead. It is known by its name, and in two
  // containers process and host may be called alike.
  const applicationName = programName(context.settings.pipeline, {
    program: `pg_dump ${randomBytes(3).toString('hex')}`,
  });
  const snapshot = await exportSnapshot(source);
  if (facts.servers.source.canMark) await source.query(markProgram(applicationName));
  using _ = context.source.watchProgram(applicationName, {
    moved: () => bytes,
    isServersTurn: () => data === undefined || wantsMore(data),
    giveUp: (error) => silence.abort(error),
  });
  const signal = AbortSignal.any([silence.signal, ...(context.signal ? [context.signal] : [])]);
  const request = {
    connection: context.settings.source,
    table: facts.sourceName,
    snapshot,
    sequences: plan.source.ownedSequences,
    lockTimeoutSeconds: context.timing.lockTimeout,
    searchPath: context.searchPath,
    killDelaySeconds: context.timing.childKillDelay,
    options: startupOptions(facts.servers.source),
    applicationName,
    signal,
  };
  return await withDump(request, (block) => {
    data = block.rows;
    return use(block, { moved: (count) => (bytes = count), signal });
  });
}
