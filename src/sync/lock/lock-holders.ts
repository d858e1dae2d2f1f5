/** "Someone holds the table" is no help; who it is, and since when, is. */
import type pg from 'pg';
import { z } from 'zod';
import { reworded, type IncrepError } from '../../errors.ts';
import type { Database } from '../../postgres/database.ts';
import type { Endpoint } from '../../postgres/endpoint.ts';
import { LOCK_HOLDERS } from '../../sql/sessions.ts';
import { stateTable } from '../../sql/state.ts';
import type { TableFacts } from '../facts/facts.ts';
import type { RunContext } from '../context/run-context.ts';
import { enterPhase } from '../context/phases.ts';
import type { Phase } from '../../events.ts';

/** How many are named. */
const NAMED = 3;

const holderRow = z.object({
  pid: z.number().nullable(),
  application: z.string().nullable(),
  user: z.string().nullable(),
  since: z.date().nullable(),
  locks: z.string(),
});
type Holder = Readonly<z.infer<typeof holderRow> & Pick<Endpoint, 'side'>>;

/** What we do at the source is stopped by one mode only, so the others are not worth naming. */
const HARMLESS_AT_SOURCE = [
  'AccessShareLock',
  'RowShareLock',
  'RowExclusiveLock',
  'ShareUpdateExclusiveLock',
  'ShareLock',
  'ShareRowExclusiveLock',
  'ExclusiveLock',
];

/** A LOCK_TIMEOUT that names those who hold the table now; any other error as it is. */
export async function withHolders(
  context: RunContext,
  facts: TableFacts,
  error: IncrepError,
): Promise<IncrepError> {
  if (error.code !== 'LOCK_TIMEOUT') return error;
  const { sourceName, destinationName, stagingName } = facts;
  const ours = [destinationName.table, stagingName.table, stateTable(destinationName.schema).table];
  try {
    const found = [
      ...(facts.source?.kind === 'query'
        ? []
        : await holdersAt(context.source, sourceName.schema, [sourceName.table], HARMLESS_AT_SOURCE)),
      ...(await holdersAt(context.destination, destinationName.schema, ours, [])),
    ];
    return found.length === 0 ? error : named(error, found);
  } catch {
    // Nobody is helped by hearing that the culprits could not be looked up.
    return error;
  }
}

async function holdersAt(
  database: Database,
  schema: string,
  tables: readonly string[],
  harmless: readonly string[],
): Promise<Holder[]> {
  const { side } = database.endpoint;
  return database.withReading(async (client) => holdersOf(client, side, [schema, tables, harmless]));
}

async function holdersOf(
  client: pg.ClientBase,
  side: Holder['side'],
  parameters: readonly unknown[],
): Promise<Holder[]> {
  const { rows } = await client.query(LOCK_HOLDERS, [...parameters]);
  return z
    .array(holderRow)
    .parse(rows)
    .map((holder) => ({ ...holder, side }));
}

/** For a wait for a lock on a destination table: reports the sessions that use it. `client` is the session that waits. */
export const waitingForUsers =
  (
    context: Pick<RunContext, 'emit'>,
    facts: Pick<TableFacts, 'settings' | 'destinationName'>,
    client: pg.ClientBase,
    phase: Phase,
  ) =>
  async (): Promise<void> =>
    enterPhase(context, facts, phase, { waitsFor: await usersOf(client, facts) });

/** Asked by the session that waits, so that it does not name itself. */
async function usersOf(
  client: pg.ClientBase,
  { destinationName: { schema, table } }: Pick<TableFacts, 'destinationName'>,
): Promise<string> {
  const [first, ...others] = await holdersOf(client, 'destination', [schema, [table], []]);
  // Someone on a view of it, for one.
  if (!first) return 'those who use the table';
  return `${describe(first)}${others.length > 0 ? ` and ${others.length} more` : ''}`;
}

const describe = ({ pid, application, user, since, locks, side }: Holder): string =>
  [
    pid === null ? 'a prepared transaction' : `pid ${pid}`,
    ...(application === null || application === '' ? [] : [`(${application})`]),
    ...(user === null ? [] : [`of ${user}`]),
    ...(since === null ? [] : [`since ${since.toISOString()}`]),
    `with ${locks}`,
    `at the ${side}`,
  ].join(' ');

const named = (error: IncrepError, holders: readonly Holder[]): IncrepError =>
  reworded(error, {
    what: `${error.message}; held by ${holders.slice(0, NAMED).map(describe).join('; ')}${holders.length > NAMED ? ` and ${holders.length - NAMED} more` : ''}`,
    next: `Nothing was changed. Wait for it${wayToEnd(holders)}, then run increp again.`,
  });

function wayToEnd(holders: readonly Holder[]): string {
  const [first] = holders.filter(({ pid }) => pid !== null);
  return first ? ` or end it (at the ${first.side}: SELECT pg_terminate_backend(${first.pid}))` : '';
}
