/** What hangs on destination tables. */
import { z } from 'zod';
import { DESCRIBE_DEPENDENTS } from '../sql/dependents.ts';
import type { Database } from './database.ts';

const dependentRow = z.object({
  /** Oid of the table that it hangs on. */
  table: z.string(),
  kind: z.enum(['view', 'materialized view', 'foreign key', 'trigger', 'policy', 'function', 'other']),
  /** As one would type it; a phrase where the kind is "other". */
  name: z.string(),
  /** The other table that it belongs to. */
  of: z.string().nullable(),
  /** Whose rights it takes to move it; null where it takes none. */
  owner: z.string().nullable(),
  isOurs: z.boolean(),
  isOwnerSuper: z.boolean(),
  /** Columns of the table that it uses by itself. */
  columns: z.array(z.string()),
  /** False: it stays with the table that it was made on. */
  canMove: z.boolean(),
});

export type Dependent = Readonly<z.infer<typeof dependentRow>>;

/** By the oid of the table; all tables in one query, which waits for nobody. */
export async function describeDependents(
  destination: Database,
  oids: readonly string[],
): Promise<Map<string, Dependent[]>> {
  if (oids.length === 0) return new Map();
  const { rows } = await destination.withReading((client) => client.query(DESCRIBE_DEPENDENTS, [oids]));
  return Map.groupBy(z.array(dependentRow).parse(rows), ({ table }) => table);
}
