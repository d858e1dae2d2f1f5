/** Tables whose rows an extension keeps elsewhere. The catalogs exist only where the extension is installed. */

/** For the relation `c` of DESCRIBE_RELATIONS. Without privileges, the catalog is not read. */
const hasCatalog = (schema: string, table: string): string => /* sql */ `EXISTS (
           SELECT FROM pg_class x JOIN pg_namespace y ON y.oid = x.relnamespace
           WHERE y.nspname = '${schema}' AND x.relname = '${table}'
             AND has_schema_privilege(y.oid, 'USAGE') AND has_table_privilege(x.oid, 'SELECT'))`;

/** Which catalogs of extensions the server has. */
export const EXTENSION_CATALOGS = /* sql */ `${hasCatalog('_timescaledb_catalog', 'hypertable')} AS "hasHypertables",
         ${hasCatalog('pg_catalog', 'pg_dist_partition')} AS "hasDistributedTables"`;

/** $1 oids. Those that are hypertables, or chunks of one. */
export const HYPERTABLES = /* sql */ `
  WITH hypertables AS (
    SELECT c.oid FROM _timescaledb_catalog.hypertable h
    JOIN pg_namespace n ON n.nspname = h.schema_name JOIN pg_class c ON c.relname = h.table_name AND c.relnamespace = n.oid)
  SELECT given.oid::text AS oid FROM unnest($1::oid[]) given(oid)
  WHERE given.oid IN (SELECT oid FROM hypertables)
     OR EXISTS (SELECT FROM pg_inherits i JOIN hypertables h ON h.oid = i.inhparent WHERE i.inhrelid = given.oid)`;

/** $1 oids. Those that Citus distributes, and its reference and local tables. */
export const DISTRIBUTED_TABLES = /* sql */ `
  SELECT logicalrelid::oid::text AS oid FROM pg_catalog.pg_dist_partition WHERE logicalrelid::oid = ANY ($1::oid[])`;
