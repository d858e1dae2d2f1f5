/** `--jobs`: several tables of a run are synced at the same time, each over a pair of connections of its own. */
import type { DatabaseSide } from '../../errors.ts';
import type { TableOutcome } from '../../events.ts';
import { ConnectionPairs } from '../context/connection-pairs.ts';
import type { ConnectionPair } from '../context/run-context.ts';
import type { TableFailure } from '../facts/facts.ts';
import type { Workers } from '../load/chunks/workers.ts';
import { parentsIn } from './foreign-keys.ts';
import { isOutline, syncNext, type RunPass } from './run-pass.ts';
import type { TableOutline } from './table-outline.ts';
import { TableQueue } from './table-queue.ts';
import { formatCounted } from '../../format.ts';

/** Takes the result of a table. Returns false if the run must start no other table. */
type Settle<Table> = (table: Table, outcome: TableOutcome) => Promise<boolean>;

/**
 * `workers`: for all jobs but one. Returns false if the run ended before all tables. The tables that are being synced then
 * finish first.
 * @throws the first error that is not the error of a table, such as a signal, after the other jobs have ended
 */
export async function syncSeveral<Table extends TableOutline | TableFailure>(
  pass: RunPass,
  tables: readonly Table[],
  settle: Settle<Table>,
  workers: Pick<Workers, 'contexts'>,
): Promise<boolean> {
  const { context, request } = pass;
  const jobs = Math.max(1, Math.min(request.jobs, tables.length));
  const parentsOf = parentsIn(pass.tables, ['source', 'destination']);
  const queue = new TableQueue<TableOutline | TableFailure>(tables, (table) =>
    isOutline(table) ? parentsOf(table) : [],
  );
  const pairs = new ConnectionPairs<ConnectionPair>(
    // The connections of the run are open already, so they are used first.
    [...workers.contexts.slice(0, jobs - 1), context].map(({ source, destination }) => ({
      source,
      destination,
    })),
  );
  let hasEnded = false;
  let active = jobs;
  let busy = 0;
  /** The sides that refused a connection. pg_dump may be refused by the source, which increp does not see. */
  const full = new Set<DatabaseSide>();
  let change = Promise.withResolvers<void>();
  const tellOthers = () => {
    change.resolve();
    change = Promise.withResolvers<void>();
  };
  const work = async (): Promise<void> => {
    for (;;) {
      hasEnded ||= request.mayGoOn?.() === false;
      if (hasEnded) return;
      const table = queue.take() as Table | undefined;
      if (table === undefined) {
        if (busy === 0 && !queue.isEmpty) throw new Error('tables wait for each other');
        if (busy === 0) return;
        // A table of another job may let others begin, or come back.
        await change.promise;
        continue;
      }
      busy += 1;
      try {
        let isOneTooMany = false;
        const outcome = await pairs.forTable(async (pair) => {
          const result = await syncNext(pass, table, { ...context, ...pair, pairs });
          // A table must not fail only because several tables are synced at the same time.
          isOneTooMany = result.error?.code === 'TOO_MANY_CONNECTIONS' && active > 1;
          if (isOneTooMany) {
            active -= 1;
            pairs.retire(pair);
            for (const { isFull, endpoint } of [pair.source, pair.destination])
              if (isFull) full.add(endpoint.side);
            [pair.source, pair.destination].forEach((database) => database.discard());
          }
          return result;
        });
        if (isOneTooMany) {
          queue.putBack(table);
          await context.emit({ type: 'table-held', table: outcome.name });
          return;
        }
        if (!(await settle(table, outcome))) hasEnded = true;
        queue.done(table);
      } catch (error) {
        hasEnded = true;
        throw error;
      } finally {
        busy -= 1;
        tellOthers();
      }
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: jobs }, work));
  if (active < jobs)
    pass.warn(
      `${full.size === 0 ? 'a server' : `the ${[...full].join(' and the ')}`} had no free connections for ${jobs} jobs, so ${formatCounted(active, 'job')} synced the rest of the tables; for the limits, run "increp check"`,
    );
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  return !hasEnded;
}
