/** Fetches what only `check` wants to know. Writes nothing anywhere. */
import type pg from 'pg';
import { z } from 'zod';
import type { IncrepError } from '../../errors.ts';
import type { Database } from '../../postgres/database.ts';
import type { KeyType } from '../../schema/keys.ts';
import { inspectKeys, LONG_TRANSACTIONS, WRITABLE_TABLES } from '../../sql/inspect.ts';
import type { Work } from '../work.ts';
import { writeRefusal } from '../writable-destination.ts';
import type { Facts, TableFacts } from '../facts.ts';
import { ordinaryRequest, type Plan } from '../plan.ts';
import { planWithTools } from '../plan-with-tools.ts';

export interface Inspection {
  readonly facts: Facts;
  readonly plans: ReadonlyMap<TableFacts, Plan>;
  readonly keys: ReadonlyMap<TableFacts, KeyInspection>;
  /** Why nothing can be written at the destination. */
  readonly writeRefusal: IncrepError | undefined;
  /** Source tables that our role could write. */
  readonly writable: readonly string[];
  readonly longTransactions: readonly { readonly who: string; readonly seconds: number }[];
  /** Destination clock minus source clock, in seconds. */
  readonly clockSkewSeconds: number;
  readonly isEncrypted: { readonly source: boolean; readonly destination: boolean };
}

const keyRow = z.object({
  nullKeys: z.number(),
  futureKeys: z.number(),
  /** A sequence behind an integer key that hands out numbers in advance. */
  cachedSequence: z.string().nullable(),
});
export type KeyInspection = Readonly<z.infer<typeof keyRow>>;

/** Rows are counted up to here: enough to say "many". */
export const MANY = 1000;

export async function inspect(work: Work, facts: Facts): Promise<Inspection> {
  const plans = new Map<TableFacts, Plan>();
  for (const table of facts.tables) plans.set(table, await planWithTools(work, table, ordinaryRequest()));
  const readable = [...plans].flatMap(([table, plan]) =>
    'keyType' in plan ? [{ table, keyType: plan.keyType }] : [],
  );
  const [source, destination] = [await clockOf(work.source), await clockOf(work.destination)];
  return {
    facts,
    plans,
    keys: new Map(await inspectEach(work.source, readable)),
    writeRefusal: writeRefusal(work, facts.servers),
    writable: await writableTables(work.source, facts),
    longTransactions: await longTransactions(work.source),
    clockSkewSeconds: (destination.at - source.at) / 1000 - (destination.askedAt - source.askedAt) / 1000,
    isEncrypted: { source: source.isEncrypted, destination: destination.isEncrypted },
  };
}

async function inspectEach(
  source: Database,
  tables: readonly { table: TableFacts; keyType: KeyType }[],
): Promise<[TableFacts, KeyInspection][]> {
  const { timeZone } = await source.identity();
  return source.withReading(async (client) => {
    const found: [TableFacts, KeyInspection][] = [];
    for (const { table, keyType } of tables) {
      const { rows } = await client.query(
        inspectKeys(table.sourceName, table.settings.replicationKey, keyType, timeZone, MANY),
      );
      found.push([table, keyRow.parse(rows[0])]);
    }
    return found;
  });
}

async function clockOf(database: Database): Promise<{ at: number; askedAt: number; isEncrypted: boolean }> {
  return database.withReading(async (client) => {
    const askedAt = Date.now();
    const { rows } = await client.query(
      `SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS at,
              coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS "isEncrypted"`,
    );
    return { askedAt, ...z.object({ at: z.number(), isEncrypted: z.boolean() }).parse(rows[0]) };
  });
}

const names = z.array(z.object({ name: z.string() }));

async function writableTables(source: Database, { tables }: Facts): Promise<string[]> {
  const oids = tables.flatMap((table) => (table.source ? [table.source.oid] : []));
  return source.withReading(async (client: pg.ClientBase) =>
    names.parse((await client.query(WRITABLE_TABLES, [oids])).rows).map(({ name }) => name),
  );
}

async function longTransactions(source: Database): Promise<{ who: string; seconds: number }[]> {
  return source.withReading(async (client) =>
    z
      .array(z.object({ who: z.string(), seconds: z.number() }))
      .parse((await client.query(LONG_TRANSACTIONS)).rows),
  );
}
