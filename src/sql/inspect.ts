/** Queries of `check`. */
import type { TableName } from '../schema/names.ts';
import type { Relation } from '../schema/relations.ts';
import { IS_ROW_TRIGGER, TREE } from './catalog.ts';
import { latestPlausible, type MarkedRows } from './fence.ts';
import { ident, identList, literal, qualified } from './identifiers.ts';
import { bareItem, onRows } from './row-source.ts';
import { GREATER, type Statement } from './search-path.ts';

/** Counts keys that are NULL or ahead of the server clock, each up to `limit`. */
export function inspectKeys(
  { rows, replicationKey, keyType }: MarkedRows,
  { timeZone, limit }: { readonly timeZone: string; readonly limit: number },
): Statement {
  const key = ident(replicationKey);
  const latest = latestPlausible(keyType, timeZone);
  const count = (predicate: string) =>
    `(SELECT pg_catalog.count(*)::int FROM (SELECT FROM ${bareItem(rows)} WHERE ${predicate} LIMIT ${limit + 1}) rows)`;
  return onRows(
    rows,
    /* sql */ `SELECT ${count(`${key} IS NULL`)} AS "nullKeys",
    ${latest === null ? '0' : count(`${key} ${GREATER} ${latest}`)} AS "futureKeys"`,
  );
}

/** Neither a partitioned table nor a hypertable supports CONCURRENTLY. */
const concurrently = ({ kind, keptBy }: Relation): string =>
  kind === 'partitioned table' || keptBy === 'TimescaleDB' ? '' : 'CONCURRENTLY ';

/** A statement for users. It does not block writers, if Postgres supports that. */
export const createIndexOn = (table: Relation, column: string): string =>
  /* sql */ `CREATE INDEX ${concurrently(table)}ON ${qualified(table.name)} (${ident(column)})`;

/** A statement for users. NOT NULL must be set separately. */
export const createUniqueIndexOn = (table: Relation, columns: readonly string[]): string =>
  /* sql */ `CREATE UNIQUE INDEX ${concurrently(table)}ON ${qualified(table.name)} (${identList(columns)})`;

/** A statement for users: the keys that several rows have. */
export const duplicatesIn = (table: Relation, columns: readonly string[]): string =>
  /* sql */ `SELECT ${identList(columns)}, count(*) FROM ${qualified(table.name)} GROUP BY ${identList(columns)} HAVING count(*) > 1`;

const WRITES = `('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')`;

/**
 * The items of an ACL that apply to the role: granted to it, to a role that it is a member of, or to PUBLIC (null).
 */
const reaching = (acl: string, privileges: string) => /* sql */ `
  SELECT CASE WHEN e.grantee <> 0 THEN pg_get_userbyid(e.grantee)::text END AS grantee, e.privilege_type::text AS privilege
  FROM aclexplode(${acl}) e
  WHERE e.privilege_type IN ${privileges} AND (e.grantee = 0 OR pg_has_role(e.grantee, 'USAGE'))`;

/** $1 schemas. The privileges of the role at the source other than reading. */
export const SOURCE_ROLE = /* sql */ `
  SELECT current_user::text AS role, u.rolsuper AS "isSuper", u.rolreplication AS "canReplicate",
         ARRAY(SELECT rolname::text FROM pg_roles WHERE pg_has_role(oid, 'USAGE') AND rolname IN
           ('pg_write_all_data', 'pg_write_server_files', 'pg_execute_server_program') ORDER BY 1) AS "powerfulRoles",
         (SELECT coalesce(json_agg(json_build_object('schema', n.nspname, 'isOwned', pg_has_role(n.nspowner, 'USAGE'),
            'createGrantees', ARRAY(SELECT DISTINCT coalesce(grantee, '')
              FROM (${reaching('n.nspacl', `('CREATE')`)}) g ORDER BY 1)) ORDER BY n.nspname), '[]')
          FROM pg_namespace n WHERE n.nspname = ANY ($1::text[])) AS schemas
  FROM pg_roles u WHERE u.rolname = current_user`;

/** $1 oids. Tables that the role could write to, with the grants. */
export const WRITABLE_TABLES = /* sql */ `
  SELECT n.nspname AS schema, c.relname AS table, pg_has_role(c.relowner, 'USAGE') AS "isOwned",
         coalesce((SELECT json_agg(json_build_object('grantee', grantee, 'privileges', privileges) ORDER BY grantee)
           FROM (SELECT grantee, json_agg(DISTINCT privilege) AS privileges FROM (
             ${reaching('c.relacl', WRITES)}
             UNION ${reaching(
               `(SELECT array_agg(item) FROM pg_attribute a, unnest(a.attacl) item WHERE a.attrelid = c.oid AND NOT a.attisdropped)`,
               WRITES,
             )}) all_grants GROUP BY grantee) by_grantee), '[]') AS grants
  FROM unnest($1::oid[]) o(oid) JOIN pg_class c ON c.oid = o.oid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE has_any_column_privilege(c.oid, 'INSERT') OR has_any_column_privilege(c.oid, 'UPDATE')
     OR has_table_privilege(c.oid, 'DELETE') OR has_table_privilege(c.oid, 'TRUNCATE') ORDER BY 1, 2`;

/** Transactions older than a minute, if the role may see their age (pg_read_all_stats). On a standby, none can write. */
export const LONG_TRANSACTIONS = /* sql */ `
  SELECT pid, usename::text AS "user", extract(epoch FROM now() - xact_start)::float8 AS seconds
  FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
    AND NOT pg_is_in_recovery() AND xact_start < now() - interval '1 minute' ORDER BY xact_start LIMIT 5`;

/**
 * $1 seconds. Transactions that were prepared at least that long ago. The role that prepared one must end it by its
 * name.
 */
export const PREPARED_TRANSACTIONS = /* sql */ `
  SELECT gid, owner::text AS owner, extract(epoch FROM now() - prepared)::float8 AS seconds
  FROM pg_prepared_xacts WHERE database = current_database() AND prepared <= now() - make_interval(secs => $1)
  ORDER BY prepared LIMIT 5`;

/** $1 oids of destination tables. Their owners, and whether the role may write to them. */
export const DESTINATION_TABLE_OWNERS = /* sql */ `
  SELECT c.oid::text AS oid, pg_get_userbyid(c.relowner)::text AS owner, pg_has_role(c.relowner, 'USAGE') AS "isOurs",
         coalesce(has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE')
           AND has_table_privilege(c.oid, 'DELETE'), false) AS "canWrite"
  FROM unnest($1::oid[]) o(oid) JOIN pg_class c ON c.oid = o.oid`;

/** The grantee of a statement: a role, or PUBLIC for null. */
const grantee = (role: string | null): string => (role === null || role === '' ? 'PUBLIC' : ident(role));

/** A statement for users. */
export const revokeWrites = (
  tables: readonly TableName[],
  privileges: readonly string[],
  from: string | null,
): string =>
  /* sql */ `REVOKE ${privileges.join(', ')} ON ${tables.map(qualified).join(', ')} FROM ${grantee(from)}`;

export const revokeCreate = (schema: string, from: string): string =>
  /* sql */ `REVOKE CREATE ON SCHEMA ${ident(schema)} FROM ${grantee(from)}`;

/** A statement for users: it creates a role that can only read. */
export const createReader = (schemas: readonly string[]): string =>
  /* sql */ `CREATE ROLE increp_reader LOGIN PASSWORD '...'; GRANT USAGE ON SCHEMA ${identList(schemas)} TO increp_reader; GRANT SELECT ON ALL TABLES IN SCHEMA ${identList(schemas)} TO increp_reader`;

export const grantCreate = (schema: string, role: string): string =>
  /* sql */ `GRANT USAGE, CREATE ON SCHEMA ${ident(schema)} TO ${ident(role)}`;

/** The owner may not run it, unless the owner is a member of the role. */
export const giveTableTo = (table: TableName, role: string): string =>
  /* sql */ `ALTER TABLE ${qualified(table)} OWNER TO ${ident(role)}`;

/** $1 oids of tables, $2 a column of each. Row-level BEFORE triggers whose function or argument names the column. */
export const KEY_TRIGGERS = /* sql */ `
  SELECT t.tgrelid::text AS oid, t.tgname AS name
  FROM unnest($1::oid[], $2::text[]) asked(oid, key)
  JOIN pg_trigger t ON t.tgrelid = asked.oid AND ${IS_ROW_TRIGGER}
  JOIN pg_proc p ON p.oid = t.tgfoid
  WHERE (strpos(lower(p.prosrc), lower(asked.key)) > 0 OR strpos(encode(t.tgargs, 'escape'), asked.key) > 0)
  ORDER BY t.tgname`;

/** $1 oids of tables. Row-level BEFORE triggers that fire when increp writes. */
export const ROW_TRIGGERS = /* sql */ `
  SELECT t.tgrelid::text AS oid, t.tgname AS name FROM pg_trigger t
  WHERE t.tgrelid = ANY ($1::oid[]) AND ${IS_ROW_TRIGGER}
  ORDER BY t.tgname`;

/** The triggers of a table, for a person. */
export const listTriggers = (table: TableName): string =>
  /* sql */ `SELECT tgname, tgfoid::regprocedure FROM pg_trigger WHERE tgrelid = ${literal(qualified(table))}::regclass AND NOT tgisinternal`;

/**
 * $1 oids. Tables without a row-level BEFORE UPDATE trigger, on the table or on a partition or child table. The server
 * cannot say which columns a trigger sets, so any such trigger counts. tgtype: 1 row, 2 before, 16 update.
 */
export const WITHOUT_UPDATE_TRIGGER = /* sql */ `
  SELECT c.oid::text AS oid
  FROM unnest($1::oid[]) o(oid) JOIN pg_class c ON c.oid = o.oid
  WHERE c.relkind IN ('r', 'p') AND NOT EXISTS (
    SELECT FROM ${TREE} JOIN pg_trigger t ON t.tgrelid = l.oid
    WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND t.tgtype & 19 = 19)`;

/**
 * What limits the number of sessions, and the sessions of other programs. A walsender has a place of its own; roles without
 * pg_read_all_stats do not see which session is one.
 */
export const CONNECTION_LIMITS = /* sql */ `
  WITH role AS (SELECT * FROM pg_roles WHERE rolname = session_user),
  place AS (SELECT oid, datconnlimit FROM pg_database WHERE datname = current_database()),
  others AS MATERIALIZED (SELECT * FROM pg_stat_activity
    WHERE datid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend'
      AND application_name IS DISTINCT FROM current_setting('application_name'))
  SELECT rolname::text AS role, current_database()::text AS database, rolsuper AS "isSuper",
         current_setting('max_connections')::int AS "maxConnections",
         CASE WHEN rolsuper THEN 0 ELSE current_setting('superuser_reserved_connections')::int END
           + CASE WHEN rolsuper OR EXISTS (SELECT FROM pg_roles r
               WHERE r.rolname = 'pg_use_reserved_connections' AND pg_has_role(session_user, r.oid, 'USAGE')) THEN 0
             ELSE coalesce(current_setting('reserved_connections', true), '0')::int END AS reserved,
         CASE WHEN rolsuper OR rolconnlimit < 0 THEN NULL ELSE rolconnlimit END AS "roleLimit",
         CASE WHEN rolsuper OR datconnlimit < 0 THEN NULL ELSE datconnlimit END AS "databaseLimit",
         (SELECT count(*)::int FROM others) AS "inUse",
         (SELECT count(*)::int FROM others WHERE usesysid = role.oid) AS "ofRole",
         (SELECT count(*)::int FROM others WHERE datid = place.oid) AS "ofDatabase"
  FROM role, place`;

/** Statements for users. */
export const limitRole = (role: string, connections: number): string =>
  /* sql */ `ALTER ROLE ${ident(role)} CONNECTION LIMIT ${connections}`;
export const limitDatabase = (database: string, connections: number): string =>
  /* sql */ `ALTER DATABASE ${ident(database)} CONNECTION LIMIT ${connections}`;

/** Large objects belong to no table. Only the columns that hold their numbers are copied. */
export const HAS_LARGE_OBJECTS = /* sql */ `
  SELECT EXISTS (SELECT FROM pg_largeobject_metadata) AS "hasLargeObjects"`;
