/** Questions that only `check` asks. */
import type { KeyType } from '../schema/keys.ts';
import type { TableName } from '../schema/names.ts';
import type { Relation } from '../schema/relations.ts';
import { latestPlausible } from './fence.ts';
import { ident, literal, qualified } from './identifiers.ts';

/** How many keys are NULL or ahead of the server's clock, each counted up to `limit`. */
export function inspectKeys(
  table: TableName,
  replicationKey: string,
  type: KeyType,
  timeZone: string,
  limit: number,
): string {
  const key = ident(replicationKey);
  const latest = latestPlausible(type, timeZone);
  const count = (predicate: string) =>
    `(SELECT count(*)::int FROM (SELECT FROM ${qualified(table)} WHERE ${predicate} LIMIT ${limit + 1}) rows)`;
  return /* sql */ `SELECT ${count(`${key} IS NULL`)} AS "nullKeys",
    ${latest === null ? '0' : count(`${key} > ${latest}`)} AS "futureKeys",
    ${type === 'integer' ? cachedSequence(table, replicationKey) : 'NULL'} AS "cachedSequence"`;
}

/** A sequence behind the column, by ownership or by its default, that hands out numbers to sessions in advance. */
const cachedSequence = (table: TableName, column: string): string => /* sql */ `(
  SELECT min(s.seqrelid::regclass::text) FROM pg_sequence s WHERE s.seqcache > 1 AND s.seqrelid IN (
    SELECT d.objid FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
      AND d.refobjid = ${literal(qualified(table))}::regclass AND a.attname = ${literal(column)}
    UNION SELECT d.refobjid FROM pg_attrdef f
      JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
      JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass
    WHERE f.adrelid = ${literal(qualified(table))}::regclass AND a.attname = ${literal(column)}))`;

/** For a person to run: without stopping writers, where Postgres can do that. */
export const createIndexOn = ({ name, kind }: Relation, column: string): string =>
  /* sql */ `CREATE INDEX ${kind === 'partitioned table' ? '' : 'CONCURRENTLY '}ON ${qualified(name)} (${ident(column)})`;

/** $1 oids. Tables that our role could write to: it needs to read only. */
export const WRITABLE_TABLES = /* sql */ `
  SELECT c.relname AS name FROM unnest($1::oid[]) o(oid) JOIN pg_class c ON c.oid = o.oid
  WHERE has_table_privilege(c.oid, 'INSERT') OR has_table_privilege(c.oid, 'UPDATE')
     OR has_table_privilege(c.oid, 'DELETE') OR has_table_privilege(c.oid, 'TRUNCATE') ORDER BY 1`;

/** Transactions older than a minute, where we may see their age (pg_read_all_stats). */
export const LONG_TRANSACTIONS = /* sql */ `
  SELECT format('pid %s of %s', pid, usename) AS who, extract(epoch FROM now() - xact_start)::float8 AS seconds
  FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
    AND xact_start < now() - interval '1 minute' ORDER BY xact_start LIMIT 5`;
