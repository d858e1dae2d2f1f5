/** "Someone holds the table" is no help; who it is, and since when, is. */
import type pg from 'pg';
import { z } from 'zod';
import { reworded, type IncrepError } from '../errors.ts';
import type { Database } from '../postgres/database.ts';
import { LOCK_HOLDERS } from '../sql/locks.ts';
import { stateTable } from '../sql/state.ts';
import type { TableFacts } from './facts.ts';
import type { Work } from './work.ts';

/** How many are named. */
const NAMED = 3;

const holderRow = z.object({
  pid: z.number().nullable(),
  application: z.string().nullable(),
  user: z.string().nullable(),
  since: z.date().nullable(),
  locks: z.string(),
});
type Holder = Readonly<z.infer<typeof holderRow>>;

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

/** A TABLE_BUSY that names those who hold the table now; any other error as it is. */
export async function withHolders(work: Work, facts: TableFacts, error: IncrepError): Promise<IncrepError> {
  if (error.code !== 'TABLE_BUSY') return error;
  const { sourceName, destinationName, stagingName } = facts;
  const ours = [destinationName.table, stagingName.table, stateTable(destinationName.schema).table];
  try {
    const found = [
      ...(await holdersAt(work.source, sourceName.schema, [sourceName.table], HARMLESS_AT_SOURCE)),
      ...(await holdersAt(work.destination, destinationName.schema, ours, [])),
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
): Promise<string[]> {
  const { side } = database.place;
  return database.withReading(async (client) =>
    (await holdersOf(client, [schema, tables, harmless])).map(
      (holder) => `${describe(holder)} at the ${side}`,
    ),
  );
}

async function holdersOf(client: pg.ClientBase, parameters: readonly unknown[]): Promise<Holder[]> {
  return z.array(holderRow).parse((await client.query(LOCK_HOLDERS, [...parameters])).rows);
}

/** Asked by the very session that waits to put the copy in place, so that it does not name itself. */
export async function usersOfCopy(
  client: pg.ClientBase,
  { destinationName: { schema, table } }: TableFacts,
): Promise<string> {
  const [first, ...others] = await holdersOf(client, [schema, [table], []]);
  // Someone on a view of it, for one.
  if (!first) return 'those who use the table';
  return `${describe(first)}${others.length > 0 ? ` and ${others.length} more` : ''}`;
}

const describe = ({ pid, application, user, since, locks }: Holder): string =>
  [
    pid === null ? 'a prepared transaction' : `pid ${pid}`,
    ...(application === null || application === '' ? [] : [`(${application})`]),
    ...(user === null ? [] : [`of ${user}`]),
    ...(since === null ? [] : [`since ${since.toISOString()}`]),
    `with ${locks}`,
  ].join(' ');

const named = (error: IncrepError, holders: readonly string[]): IncrepError =>
  reworded(error, {
    what: `${error.message}; held by ${holders.slice(0, NAMED).join('; ')}${holders.length > NAMED ? ` and ${holders.length - NAMED} more` : ''}`,
    next: 'Wait for it or end it (pg_terminate_backend), or run again later. Nothing was changed.',
  });
