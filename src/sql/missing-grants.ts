/**
 * $1 the name of a relation, $2 privileges. The relations of that name that the role may not use so. The server names only the
 * relation, without its schema.
 */
export const MISSING_GRANTS = /* sql */ `
  SELECT n.nspname AS schema, current_user AS role,
         array_agg(p.privilege ORDER BY p.place) AS privileges, bool_and(pg_has_role(c.relowner, 'USAGE')) AS "isOwner"
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  CROSS JOIN unnest($2::text[]) WITH ORDINALITY p(privilege, place)
  WHERE c.relname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND NOT has_table_privilege(c.oid, p.privilege)
  GROUP BY n.nspname`;
