/** Schemas beside the one of the pair. */
import { escapeIdentifier } from 'pg';
import type { Pair } from './pair.ts';

/** Makes a schema at the source that increp may read, with `sql` in it. */
export async function addSourceSchema(pair: Pair, schema: string, sql = ''): Promise<void> {
  const name = escapeIdentifier(schema);
  const reader = escapeIdentifier(pair.login('source', 'increp').user);
  await pair.source.query(`
    CREATE SCHEMA ${name}; GRANT USAGE ON SCHEMA ${name} TO ${reader};
    ALTER DEFAULT PRIVILEGES IN SCHEMA ${name} GRANT SELECT ON TABLES TO ${reader};
    SET search_path = ${name}; ${sql}; RESET search_path`);
}

/** For `expectSameRows`: the tables of one schema, and their copies in another. */
export const inSchema = (pair: Pair, schema: string): Pair => ({ ...pair, schema });
