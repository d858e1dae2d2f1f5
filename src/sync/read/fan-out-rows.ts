/** A table's rows on their way to several destinations at once: COPY, or pg_dump, is run once for all of them. */
import type { Readable } from 'node:stream';
import { broadcast, type Patience } from '../../postgres/broadcast.ts';
import { copyToAll, type RowsSent } from '../../postgres/copy-pipe.ts';
import { IncrepError } from '../../errors.ts';
import type { Statement } from '../../sql/search-path.ts';
import type { CopyFacts } from '../facts/facts.ts';
import type { IncrementalPlan, LoadPlan } from '../plan/plan.ts';
import type { Sent, SharedSnapshot } from '../fan-out/shared-snapshot.ts';
import { withTableDump } from './table-dump.ts';
import type { RunContext } from '../context/run-context.ts';

const patienceOf = ({ settings, timing, destination }: RunContext): Patience => {
  const seconds = Math.min(timing.fanOut.stalled, settings.stallTimeoutSeconds);
  return { seconds, tooSlow: () => tooSlow(seconds, destination.endpoint.side) };
};

const tooSlow = (seconds: number, side: string): IncrepError =>
  new IncrepError('CONNECTION_LOST', {
    what: `${side}: it took no rows for ${seconds} s, and the other destinations were not to wait for it`,
    next: 'It reads the table for itself. If that happens often, look at what holds up that server.',
  });

/** Each in its own name, because each is told by itself. */
const nameOf = ({ settings }: RunContext): string => settings.destinationName ?? '';

export async function receiveCopy(
  context: RunContext,
  shared: SharedSnapshot,
  statement: Statement,
): Promise<{ data: Readable; sent: RowsSent }> {
  const send: Sent<RowsSent> = (client, receivers) =>
    copyToAll(
      { client, endpoint: context.source.endpoint, copyOut: statement },
      receivers,
      patienceOf(context),
    );
  const { data, told } = await shared.receive(nameOf(context), JSON.stringify(statement), send);
  return { data, sent: told };
}

interface Dump {
  readonly data: Readable;
  /** In the order of the rows' fields. */
  readonly columns: readonly string[];
  /** Whether all has come: pg_dump may fail when its rows look complete. */
  readonly verdict: Promise<void>;
}

export async function receiveDump(
  reading: {
    readonly context: RunContext;
    readonly facts: CopyFacts;
    readonly plan: IncrementalPlan | LoadPlan;
  },
  shared: SharedSnapshot,
): Promise<Dump> {
  const { context } = reading;
  const send: Sent<Omit<Dump, 'data'>> = (client, receivers) => {
    const columns = Promise.withResolvers<readonly string[]>();
    const dump = async () => {
      await withTableDump({ ...reading, source: client }, (block, { moved }) => {
        let bytes = 0;
        columns.resolve(block.columns);
        return broadcast(block.rows, receivers, {
          ...patienceOf(context),
          onBytes: (count) => moved((bytes += count)),
        });
      });
    };
    const verdict = dump();
    verdict.catch(columns.reject);
    return { told: columns.promise.then((named) => ({ columns: named, verdict })), sending: verdict };
  };
  const { data, told } = await shared.receive(nameOf(context), 'pg_dump', send);
  return { data, ...told };
}
