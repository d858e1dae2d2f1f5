/** Names the sessions that hold a lock, and since when, so that the user can wait for them or end them. */
import type pg from 'pg';
import * as z from 'zod';
import { reworded, type IncrepError } from '../../errors.ts';
import { utcTime } from '../../format.ts';
import type { Database } from '../../postgres/database.ts';
import { endpointOf, type Endpoint } from '../../postgres/endpoint.ts';
import { LOCK_HOLDERS } from '../../sql/sessions.ts';
import { stateTable } from '../../sql/state.ts';
import type { TableFacts, TableFailure } from '../facts/facts.ts';
import { tableNames, type TableNames } from '../facts/table-names.ts';
import type { RelationKind } from '../../schema/relations.ts';
import type { RunContext } from '../context/run-context.ts';
import { enterPhase } from '../context/phases.ts';
import type { Phase } from '../../events.ts';

const NAMED = 3;

const sessionFields = {
  pid: z.number().nullable(),
  application: z.string().nullable(),
  user: z.string().nullable(),
};
const holderRow = z.object({
  ...sessionFields,
  since: z.date().nullable(),
  /** The strongest one. */
  lock: z.string(),
  /** It does not have the lock yet, and others queue behind it. */
  waits: z.boolean(),
  /** Another session that it waits for. */
  blocker: z.object(sessionFields).nullable(),
});
type Holder = Readonly<z.infer<typeof holderRow> & Pick<Endpoint, 'side'>>;

/** increp takes only ACCESS SHARE at the source, which these modes do not block. */
const HARMLESS_AT_SOURCE = [
  'AccessShareLock',
  'RowShareLock',
  'RowExclusiveLock',
  'ShareUpdateExclusiveLock',
  'ShareLock',
  'ShareRowExclusiveLock',
  'ExclusiveLock',
];

/** The tables that increp locks for a sync. */
interface LockedTables extends Pick<TableNames, 'sourceName' | 'destinationName' | 'stagingName'> {
  /** Undefined if it is not known. */
  readonly source?: { readonly kind: RelationKind } | undefined;
}

/** Adds the sessions that hold the table now to a LOCK_TIMEOUT. Returns any other error unchanged. */
export async function withHolders(
  context: Pick<RunContext, 'source' | 'destination'>,
  tables: LockedTables,
  error: IncrepError,
): Promise<IncrepError> {
  if (error.code !== 'LOCK_TIMEOUT') return error;
  const { sourceName, destinationName, stagingName } = tables;
  const written = [destinationName.table, stagingName.table, stateTable(destinationName.schema).table];
  try {
    // Sessions at the other side are not in the way.
    const side = endpointOf(error.cause)?.side;
    const found = [
      ...(side === 'destination' || tables.source?.kind === 'query'
        ? []
        : await holdersAt(context.source, sourceName.schema, [sourceName.table], HARMLESS_AT_SOURCE)),
      ...(side === 'source' ? [] : await holdersAt(context.destination, destinationName.schema, written, [])),
    ];
    return found.length === 0 ? error : named(error, found.toSorted(othersFirst));
  } catch {
    // The original error matters more than a failed search for the sessions.
    return error;
  }
}

/** Who keeps increp from reading the source table. Undefined if nobody does, or if the source cannot be asked. */
export async function blockerAtSource(
  { source }: Pick<RunContext, 'source'>,
  { schema, table }: TableNames['sourceName'],
): Promise<string | undefined> {
  const holders = await holdersAt(source, schema, [table], HARMLESS_AT_SOURCE).catch(() => []);
  return firstOf(holders.toSorted(othersFirst));
}

type Asked = Pick<RunContext, 'settings' | 'source' | 'destination'>;

/** The same if the lock prevents the reading of the facts about a table. */
export const failureWithHolders = async (
  context: Asked,
  { settings, error }: TableFailure,
): Promise<TableFailure> => ({
  settings,
  error: await withHolders(context, tableNames(context, settings), error),
});

export async function failuresWithHolders(
  context: Asked,
  failures: readonly TableFailure[],
): Promise<TableFailure[]> {
  const explained: TableFailure[] = [];
  for (const failure of failures) explained.push(await failureWithHolders(context, failure));
  return explained;
}

/** A session of increp usually waits for the same one. */
const othersFirst = (a: Holder, b: Holder): number => Number(isOfIncrep(a)) - Number(isOfIncrep(b));

const isOfIncrep = ({ application }: Holder): boolean => application?.startsWith('increp ') === true;

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

/** Reports the sessions that use a destination table while `client` waits for a lock on it. */
export const waitingForUsers =
  (
    context: Pick<RunContext, 'emit'>,
    facts: Pick<TableFacts, 'settings' | 'destinationName'>,
    client: pg.ClientBase,
    phase: Phase,
  ) =>
  async (): Promise<void> =>
    enterPhase(context, facts, phase, { waitsFor: await usersOf(client, facts) });

/** The waiting session asks, so that it does not name itself. */
async function usersOf(
  client: pg.ClientBase,
  { destinationName: { schema, table } }: Pick<TableFacts, 'destinationName'>,
): Promise<string> {
  const holders = await holdersOf(client, 'destination', [schema, [table], []]);
  // For example, the lock may be on a view of the table.
  return firstOf(holders) ?? 'sessions that use the table';
}

const firstOf = ([first, ...others]: readonly Holder[]): string | undefined =>
  first && `${describeHolder(first)}${others.length > 0 ? ` and ${others.length} more` : ''}`;

const describeHolder = ({ since, lock, side, waits, blocker, ...session }: Holder): string =>
  [
    describeSession(session),
    ...(since === null ? [] : [`since ${utcTime(since)}`]),
    `${waits ? 'that waits for' : 'with'} ${lock}`,
    `at the ${side}`,
    ...(blocker === null ? [] : [`behind ${describeSession(blocker)}`]),
  ].join(' ');

const describeSession = ({ pid, application, user }: Pick<Holder, 'pid' | 'application' | 'user'>): string =>
  [
    pid === null ? 'a prepared transaction' : `pid ${pid}`,
    ...(application === null || application === '' ? [] : [`(${application})`]),
    ...(user === null ? [] : [`of ${user}`]),
  ].join(' ');

const named = (error: IncrepError, holders: readonly Holder[]): IncrepError =>
  reworded(error, {
    what: `${error.message}; ${holders.every(({ waits }) => waits) ? 'blocked' : 'held'} by ${holders.slice(0, NAMED).map(describeHolder).join('; ')}${holders.length > NAMED ? ` and ${holders.length - NAMED} more` : ''}`,
    next: holders.every(isOfIncrep)
      ? 'Nothing was changed. Another run of increp works with the table. Wait for it, then run increp again.'
      : `Nothing was changed. Wait for ${holders.length === 1 ? 'that session' : 'these sessions'}${wayToEnd(holders)}, then run increp again.`,
  });

function wayToEnd(holders: readonly Holder[]): string {
  const [first] = holders.filter(({ pid }) => pid !== null);
  const what = holders.length === 1 ? 'it' : 'the first one';
  return first ? ` or end ${what} (at the ${first.side}: SELECT pg_terminate_backend(${first.pid}))` : '';
}
