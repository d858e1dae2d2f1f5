/** The dependent objects of destination tables. */
import * as z from 'zod';
import { LIST_DEPENDENTS } from '../sql/dependent-object-list.ts';
import type { Database } from './database.ts';

const dependentRow = z.object({
  /** Oid of the table that it depends on. */
  table: z.string(),
  /** `table`: the table itself, if the role does not own it. */
  kind: z.enum([
    'table',
    'view',
    'materialized view',
    'foreign key',
    'trigger',
    'policy',
    'function',
    'identity column',
    'other',
  ]),
  /** The name in SQL; a phrase if the kind is "other". */
  name: z.string(),
  /** The other table that it belongs to. */
  of: z.string().nullable(),
  /** The owner whose rights a change of the object needs; null if it needs none. */
  owner: z.string().nullable(),
  isOurs: z.boolean(),
  isOwnerSuper: z.boolean(),
  /** The columns of the table that it uses directly. */
  columns: z.array(z.string()),
  /** The names of the views on the table that it reads directly. */
  reads: z.array(z.string()),
  /** False if it cannot be moved to another table. */
  canMove: z.boolean(),
  /** What the role lacks to create it again, as in GRANT: `USAGE, CREATE ON SCHEMA reports`. */
  lacks: z.array(z.string()),
  /** What the owner of a view lacks to create it again. */
  ownerLacks: z.array(z.string()),
});

export type Dependent = Readonly<z.infer<typeof dependentRow>>;

/** By the oid of the table. One query for all tables, without waiting for a lock. */
export async function listDependents(
  destination: Database,
  oids: readonly string[],
): Promise<Map<string, Dependent[]>> {
  if (oids.length === 0) return new Map();
  const { rows } = await destination.withReading((client) => client.query(LIST_DEPENDENTS, [oids]));
  return Map.groupBy(z.array(dependentRow).parse(rows), ({ table }) => table);
}
