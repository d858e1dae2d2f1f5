/** Reads the role of increp at the source, its rights, and the transactions that are open there. */
import * as z from 'zod';
import type { Database } from '../postgres/database.ts';
import {
  LONG_TRANSACTIONS,
  PREPARED_TRANSACTIONS,
  SOURCE_ROLE,
  WITHOUT_UPDATE_TRIGGER,
  WRITABLE_TABLES,
  HAS_LARGE_OBJECTS,
} from '../sql/inspect.ts';
import type { Facts } from '../sync/facts/facts.ts';
import { queryRows } from './query-rows.ts';

const roleRow = z.object({
  role: z.string(),
  isSuper: z.boolean(),
  canReplicate: z.boolean(),
  powerfulRoles: z.array(z.string()),
  /** The schemas that exist. */
  schemas: z.array(
    z.object({
      schema: z.string(),
      isOwned: z.boolean(),
      /** The roles whose grants allow it to create in the schema. An empty text means PUBLIC. */
      createGrantees: z.array(z.string()),
    }),
  ),
});
export type SourceRole = Readonly<z.infer<typeof roleRow>>;

const writableRow = z.object({
  schema: z.string(),
  table: z.string(),
  isOwned: z.boolean(),
  /** A null grantee means PUBLIC. */
  grants: z.array(z.object({ grantee: z.string().nullable(), privileges: z.array(z.string()) })),
});
export type WritableTable = Readonly<z.infer<typeof writableRow>>;

const longRow = z.object({ pid: z.number(), user: z.string(), seconds: z.number() });
export type LongTransaction = Readonly<z.infer<typeof longRow>>;

const preparedRow = z.object({ gid: z.string(), owner: z.string(), seconds: z.number() });
export type PreparedTransaction = Readonly<z.infer<typeof preparedRow>>;

const oidRow = z.object({ oid: z.string() });

const largeObjectsRow = z.object({ hasLargeObjects: z.boolean() });

/** A prepared transaction normally exists for an instant. */
const FORGOTTEN_SECONDS = 60;

export async function inspectSource(source: Database, { tables }: Facts) {
  const oids = tables.flatMap((table) => (table.source ? [table.source.oid] : []));
  const schemas = [...new Set(tables.map(({ sourceName }) => sourceName.schema))];
  return source.withReading(async (client) => ({
    sourceRole: roleRow.parse((await client.query(SOURCE_ROLE, [schemas])).rows[0]),
    writable: await queryRows(client, writableRow, WRITABLE_TABLES, [oids]),
    longTransactions: await queryRows(client, longRow, LONG_TRANSACTIONS),
    preparedTransactions: await queryRows(client, preparedRow, PREPARED_TRANSACTIONS, [FORGOTTEN_SECONDS]),
    ...largeObjectsRow.parse((await client.query(HAS_LARGE_OBJECTS)).rows[0]),
    withoutUpdateTrigger: new Set(
      (await queryRows(client, oidRow, WITHOUT_UPDATE_TRIGGER, [oids])).map(({ oid }) => oid),
    ),
  }));
}
