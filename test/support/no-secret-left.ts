/** What a test's runs have left in files and tables, searched for the secrets of its pair. */
import { escapeIdentifier } from 'pg';
import { expectNoSecret, expectNoSecretInFiles } from './canaries.ts';
import type { Pair } from './open-pair.ts';

type Place = Pick<Pair, 'directory' | 'destination'>;

export async function expectNoSecretLeft(pair: Place): Promise<void> {
  await expectNoSecretInFiles(pair.directory);
  expectNoSecret(pair.directory, { 'the history or the state at the destination': await rowsOf(pair) });
}

/** Empty where there are none: a test may have dropped, renamed, locked or taken away anything. */
async function rowsOf({ destination }: Place): Promise<string> {
  try {
    const { rows: tables } = await destination.query<{ schema: string; name: string }>(
      `SELECT nspname AS schema, relname AS name FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
       WHERE relname IN ('_increp_runs', '_increp_state', '_increp_loads') AND relkind = 'r'`,
    );
    if (tables.length === 0) return '';
    const selects = tables.map(
      ({ schema, name }) => `SELECT t::text FROM ${escapeIdentifier(schema)}.${escapeIdentifier(name)} AS t`,
    );
    const sql = `SET statement_timeout = '3s'; ${selects.join(' UNION ALL ')}; RESET statement_timeout`;
    const results = (await destination.query(sql)) as unknown as { rows: unknown[] }[];
    return results.flatMap(({ rows }) => rows.map((row) => String((row as { t: unknown }).t))).join('\n');
  } catch {
    return '';
  }
}
