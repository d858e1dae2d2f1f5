/** The publications of the destination: those that name a table, and those that include every table. */

/**
 * $1 schema. Publications that include every new table of the schema. Publications of schemas exist since version 15.
 */
export const publicationsOfAll = (version: number): string => /* sql */ `
  SELECT p.pubname AS name FROM pg_publication p WHERE p.puballtables${
    version < 150000
      ? ' AND $1::name IS NOT NULL'
      : /* sql */ ` UNION SELECT p.pubname FROM pg_publication p JOIN pg_publication_namespace s ON s.pnpubid = p.oid
    JOIN pg_namespace n ON n.oid = s.pnnspid WHERE n.nspname = $1::name`
  } ORDER BY name`;

/** The publications of a relation, of any kind. */
export const publicationsOf = (oid: string): string => /* sql */ `
  SELECT p.* FROM pg_publication p
  WHERE EXISTS (SELECT FROM pg_get_publication_tables(p.pubname::text) t WHERE t.relid = ${oid})`;

/**
 * $1 oids of tables. Those in which the server refuses UPDATE or DELETE, because they are published without a replica
 * identity.
 */
export const WITHOUT_IDENTITY = /* sql */ `
  SELECT c.oid::text AS oid, min(p.pubname) AS publication FROM pg_class c
  CROSS JOIN LATERAL (${publicationsOf('c.oid')}) p
  WHERE c.oid = ANY ($1::oid[]) AND (p.pubupdate OR p.pubdelete) AND c.relreplident <> 'f'
    AND (c.relreplident = 'n' OR NOT EXISTS (
      SELECT FROM pg_index i WHERE i.indrelid = c.oid
        AND CASE c.relreplident WHEN 'd' THEN i.indisprimary ELSE i.indisreplident END))
  GROUP BY c.oid`;
