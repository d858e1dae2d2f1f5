/** Runs pg_dump for one table, in a snapshot that increp exports. */
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
  /** Must be called with the number of bytes received so far. */
  readonly moved: (bytes: number) => void;
  readonly signal: AbortSignal;
}

interface TableDumpRequest {
  readonly context: RunContext;
  readonly facts: CopyFacts;
  readonly plan: IncrementalPlan | LoadPlan;
  /** The session whose snapshot pg_dump uses. */
  readonly source: pg.ClientBase;
}

export async function withTableDump<T>(
  { context, facts, plan, source }: TableDumpRequest,
  use: (block: CopyBlock, dumping: Dumping) => Promise<T>,
): Promise<T> {
  const silence = new AbortController();
  let bytes = 0;
  let data: Readable | undefined;
  // pg_dump opens its own connection, so increp must watch whether that connection still works. It finds the session by
  // its application name. The name is random, because the process ID and the host name may be the same in two containers.
  const applicationName = programName(context.settings.pipeline, {
    program: `pg_dump ${randomBytes(3).toString('hex')}`,
  });
  const snapshot = await exportSnapshot(source);
  if (facts.servers.source.canMark) await source.query(markProgram(applicationName));
  using _ = context.source.watch.program(applicationName, {
    moved: () => bytes,
    isServersTurn: () => data === undefined || wantsMore(data),
    giveUp: (error) => silence.abort(error),
  });
  const signal = AbortSignal.any([silence.signal, ...(context.signal ? [context.signal] : [])]);
  const request = {
    connection: context.source.connected,
    tunnels: context.source.tunnels,
    connectSeconds: context.timing.connectTimeout,
    table: facts.sourceName,
    snapshot,
    sequences: plan.source.ownedSequences,
    lockTimeoutSeconds: context.timing.lockTimeout,
    searchPath: context.searchPath,
    killDelaySeconds: context.timing.childKillDelay,
    passwordSeconds: context.timing.passwordCommand,
    options: startupOptions(facts.servers.source),
    applicationName,
    signal,
  };
  return await withDump(request, (block) => {
    data = block.rows;
    return use(block, { moved: (count) => (bytes = count), signal });
  });
}
