/** Refuses servers that speak the protocol of PostgreSQL and are not PostgreSQL, before anything is written. */
import pg from 'pg';
import * as z from 'zod';
import { IncrepError } from '../errors.ts';
import { ESSENTIALS, otherServer, type Essential, type ServerSigns } from '../schema/server-product.ts';
import { SERVER_SIGNS, VERSION_TEXT } from '../sql/session.ts';
import type { Endpoint } from './endpoint.ts';
import { SQLSTATE } from './sqlstate.ts';

type Place = Pick<Endpoint, 'side' | 'address'>;

/** What a sync would do on such a server. */
const LOSSES = {
  source:
    'increp finds late commits by pg_locks and changed rows by xmin. Without them, rows would be missing at the destination without an error.',
  destination:
    'increp loads a table in one transaction that also creates and locks it. Another server may keep a part of a failed run.',
  'control database':
    'The queue depends on locks of rows and on partial indexes. Another server may give a table to two workers.',
} as const satisfies Record<Endpoint['side'], string>;

/** @throws IncrepError NOT_POSTGRES */
export function ensurePostgres({ side, address }: Place, signs: ServerSigns): void {
  const other = otherServer(signs);
  if (!other) return;
  const product = other.product ?? 'another product';
  const lacks = other.lacks.map((essential) => ESSENTIALS[essential]);
  const clues = [
    ...(signs.versionText === undefined ? [] : [`version() is "${signs.versionText}"`]),
    ...(lacks.length === 0 ? [] : [`it lacks ${new Intl.ListFormat('en').format(lacks)}`]),
  ];
  const clue = clues.length === 0 ? '' : `: ${clues.join(', and ')}`;
  throw new IncrepError('NOT_POSTGRES', {
    what: `the ${side} ${address} is ${product}, not PostgreSQL${clue}`,
    next: `Nothing was written. ${LOSSES[side]} Set ${side === 'source' ? 'SOURCE' : 'DEST'}_HOST or ${side === 'source' ? 'SOURCE' : 'DEST'}_URL to a PostgreSQL server. Or copy with a tool of ${other.product ?? 'that product'}.`,
  });
}

/** SQLSTATEs that say nothing about what the server is. Poolers and overloaded servers use them. */
const OF_ANY_SERVER = /^(08|25P|28|3D|40|53|55|57|58)/;

const isRefusal = (error: unknown): boolean =>
  error instanceof z.ZodError || (error instanceof pg.DatabaseError && !OF_ANY_SERVER.test(error.code ?? ''));

/**
 * The result of the first queries on a connection. If the server refuses one of them or gives an answer of another form,
 * it is asked what it is.
 * @throws IncrepError NOT_POSTGRES, or the original error
 */
export async function recognised<T>(client: pg.Client, place: Place, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isRefusal(error)) ensurePostgres(place, await readSigns(client, place));
    throw error;
  }
}

const versionRow = z.object({ version: z.string() });
const foundRow = z.object({ found: z.boolean() });

async function readSigns(client: pg.Client, { side }: Place): Promise<ServerSigns> {
  await client.query('ROLLBACK').catch(() => undefined);
  const { version: versionText } =
    versionRow.safeParse((await client.query(VERSION_TEXT).catch(() => undefined))?.rows[0]).data ?? {};
  const wanted: readonly Essential[] =
    side === 'source'
      ? ['transactionsInLocks', 'rowTransactionIds', 'snapshots']
      : ['rowTransactionIds', 'snapshots'];
  const lacks: Essential[] = [];
  for (const essential of wanted)
    if ((await finds(client, SERVER_SIGNS[essential])) === false) lacks.push(essential);
  return { versionText, lacks, hasDsqlCatalog: (await finds(client, SERVER_SIGNS.dsqlCatalog)) === true };
}

/** Undefined if the answer says nothing about the server. */
async function finds(client: pg.Client, statements: string): Promise<boolean | undefined> {
  try {
    const results = [(await client.query(statements)) as unknown].flat() as pg.QueryResult[];
    const row = foundRow.safeParse(results.flatMap(({ rows }) => rows as unknown[])[0]);
    return row.success && row.data.found;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    const isDenied = error instanceof pg.DatabaseError && error.code === SQLSTATE.insufficientPrivilege;
    return isRefusal(error) && !isDenied ? false : undefined;
  }
}
