/** Sends the rows of a table to several destinations at once. COPY or pg_dump runs once for all of them. */
import type { Readable } from 'node:stream';
import { broadcast, type ReceiverLimit } from '../../postgres/broadcast.ts';
import { copyToAll, type RowsSent } from '../../postgres/copy-pipe.ts';
import { IncrepError } from '../../errors.ts';
import type { Statement } from '../../sql/search-path.ts';
import type { CopyFacts } from '../facts/facts.ts';
import type { IncrementalPlan, LoadPlan } from '../plan/plan.ts';
import type { Sent, SharedSnapshot } from '../fan-out/shared-snapshot.ts';
import { withTableDump } from './table-dump.ts';
import type { RunContext } from '../context/run-context.ts';

const receiverLimit = ({ settings, timing, destination }: RunContext): ReceiverLimit => {
  const seconds = Math.min(timing.fanOut.stalled, settings.stallTimeoutSeconds);
  return { seconds, tooSlow: () => tooSlow(seconds, destination.endpoint.side) };
};

const tooSlow = (seconds: number, side: string): IncrepError =>
  new IncrepError('CONNECTION_LOST', {
    what: `${side}: the server accepted no rows for ${seconds} s, so the other destinations continued without it`,
    next: 'This destination reads the table alone. If this happens often, find out what slows down that server.',
  });

/** The name under which a destination receives the rows. */
const nameOf = ({ settings }: RunContext): string => settings.destinationLabel ?? '';

export async function receiveCopy(
  context: RunContext,
  shared: SharedSnapshot,
  statement: Statement,
): Promise<{ data: Readable; sent: RowsSent }> {
  const send: Sent<RowsSent> = (client, receivers) =>
    copyToAll(
      { client, endpoint: context.source.endpoint, copyOut: statement },
      receivers,
      receiverLimit(context),
    );
  const { data, result } = await shared.receive(nameOf(context), JSON.stringify(statement), send);
  return { data, sent: result };
}

interface Dump {
  readonly data: Readable;
  /** The columns, in the order of the fields of each row. */
  readonly columns: readonly string[];
  /** Rejects if pg_dump fails, which may happen after its rows seem complete. */
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
          ...receiverLimit(context),
          onBytes: (count) => moved((bytes += count)),
        });
      });
    };
    const verdict = dump();
    verdict.catch(columns.reject);
    return { result: columns.promise.then((named) => ({ columns: named, verdict })), sending: verdict };
  };
  const { data, result } = await shared.receive(nameOf(context), 'pg_dump', send);
  return { data, ...result };
}
