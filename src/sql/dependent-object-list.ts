/**
 * The dependent objects of destination tables, from the catalog alone and without a lock. For commands that only
 * report them.
 */
import { publicationsOf } from './publications.ts';

/** Names of the columns of the table `root` that an object uses directly. */
const usedColumns = (catalog: string, oid: string) => /* sql */ `ARRAY(
  SELECT DISTINCT a.attname::text FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
  WHERE d.classid = '${catalog}'::regclass AND d.objid = ${oid} AND d.refclassid = 'pg_class'::regclass AND d.refobjid = root.oid)`;

/** A relation whose owner must permit a change of its object; `x` is its row of pg_class. */
const OWNED = /* sql */ `pg_get_userbyid(x.relowner)::text AS owner, pg_has_role(x.relowner, 'USAGE') AS "isOurs",
  (SELECT rolsuper FROM pg_roles WHERE oid = x.relowner) AS "isOwnerSuper"`;
const OWNERLESS = /* sql */ `NULL, true, false`;

/** The privileges on the schema `n` that a role lacks, as in GRANT. */
const missing = (role: string, privileges: string) => /* sql */ `array_remove(ARRAY[(
  SELECT string_agg(p, ', ') || format(' ON SCHEMA %I', n.nspname) FROM unnest(ARRAY[${privileges}]) p
  WHERE NOT has_schema_privilege(${role}, n.oid, p))], NULL)`;
const TO_CREATE = `'USAGE', 'CREATE'`;

/** The same for the schemas that the definition of an object names. */
const missingInDefinition = (catalog: string, oid: string) => /* sql */ `ARRAY(
  SELECT DISTINCT format('USAGE ON SCHEMA %I', un.nspname) FROM pg_depend u
  LEFT JOIN pg_class uc ON u.refclassid = 'pg_class'::regclass AND uc.oid = u.refobjid
  LEFT JOIN pg_proc up ON u.refclassid = 'pg_proc'::regclass AND up.oid = u.refobjid
  LEFT JOIN pg_type ut ON u.refclassid = 'pg_type'::regclass AND ut.oid = u.refobjid
  JOIN pg_namespace un ON un.oid = COALESCE(uc.relnamespace, up.pronamespace, ut.typnamespace)
  WHERE u.classid = '${catalog}'::regclass AND u.objid = ${oid} AND NOT has_schema_privilege(un.oid, 'USAGE'))`;
const LACKS_NOTHING = `'{}'::text[], '{}'::text[]`;

/** Names of the views on the table `root` that an object reads directly. */
const readViews = (catalog: string, oid: string) => /* sql */ `ARRAY(
  SELECT DISTINCT format('%I.%I', vn.nspname, v.relname) FROM pg_depend d
  JOIN above read ON read.root = root.oid AND read.oid = d.refobjid AND read.oid <> root.oid
  JOIN pg_class v ON v.oid = read.oid JOIN pg_namespace vn ON vn.oid = v.relnamespace
  WHERE d.classid = '${catalog}'::regclass AND d.objid = ${oid} AND d.refclassid = 'pg_class'::regclass)`;
const NO_VIEWS = `'{}'::text[]`;

/** An object that stays with its table. It can be moved neither by a rename nor to a new table. */
const staying = (what: string, from: string, columns = `'{}'::text[]`) => /* sql */ `
  SELECT root.oid::text, 'other', ${what}, NULL, ${OWNERLESS}, ${columns}, ${NO_VIEWS}, false, ${LACKS_NOTHING} FROM root ${from}`;

/**
 * $1 oids of tables. The server can hash a comparison with one column, but compares an OR or IN of two with each row, which took
 * 15 s for 5,000 tables. One row per object: its kind, its name in SQL, its owner if that matters, the columns and views that it
 * uses, whether it can be created on another table, and the privileges that this role and the owner lack to create it.
 */
export const LIST_DEPENDENTS = /* sql */ `
  WITH RECURSIVE root AS (
    SELECT c.oid, c.reltype, t.typarray FROM unnest($1::oid[]) o(oid) JOIN pg_class c ON c.oid = o.oid
    LEFT JOIN pg_type t ON t.oid = c.reltype),
  types AS (SELECT root.oid AS root, type FROM root CROSS JOIN unnest(ARRAY[root.reltype, root.typarray]) type),
  above AS (
    SELECT oid AS root, oid FROM root
    UNION
    SELECT above.root, r.ev_class FROM above
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = above.oid AND d.classid = 'pg_rewrite'::regclass
    JOIN pg_rewrite r ON r.oid = d.objid AND r.ev_class <> above.oid
    JOIN pg_class v ON v.oid = r.ev_class AND v.relkind IN ('v', 'm')),
  functions AS (
    SELECT above.root, d.objid AS oid FROM above
    JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = above.oid
    UNION
    SELECT types.root, d.objid FROM types
    JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_type'::regclass AND d.refobjid = types.type)
  SELECT root.oid::text AS table, 'table' AS kind, format('%I.%I', n.nspname, x.relname) AS name, NULL AS of, ${OWNED},
         '{}'::text[] AS columns, ${NO_VIEWS} AS reads, true AS "canMove",
         '{}'::text[] AS lacks, '{}'::text[] AS "ownerLacks"
    FROM root JOIN pg_class x ON x.oid = root.oid JOIN pg_namespace n ON n.oid = x.relnamespace
    WHERE NOT pg_has_role(x.relowner, 'USAGE')
  UNION ALL
  SELECT root.oid::text AS table, CASE x.relkind WHEN 'v' THEN 'view' ELSE 'materialized view' END AS kind,
         format('%I.%I', n.nspname, x.relname) AS name, NULL AS of, ${OWNED},
         ARRAY(SELECT DISTINCT a.attname::text FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
           JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
           WHERE r.ev_class = x.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid = root.oid) AS columns,
         ARRAY(SELECT DISTINCT name FROM pg_rewrite r, unnest(${readViews('pg_rewrite', 'r.oid')}) name
               WHERE r.ev_class = x.oid AND name <> format('%I.%I', n.nspname, x.relname)) AS reads,
         true AS "canMove", s.lacks || ARRAY(
           SELECT DISTINCT usage FROM pg_rewrite r, unnest(${missingInDefinition('pg_rewrite', 'r.oid')}) usage
           WHERE r.ev_class = x.oid AND usage <> format('USAGE ON SCHEMA %I', n.nspname)), s."ownerLacks"
    FROM root JOIN above ON above.root = root.oid AND above.oid <> root.oid
    JOIN pg_class x ON x.oid = above.oid JOIN pg_namespace n ON n.oid = x.relnamespace
    CROSS JOIN LATERAL (SELECT ${missing('current_user', TO_CREATE)}, ${missing('x.relowner', TO_CREATE)}) s(lacks, "ownerLacks")
  UNION ALL
  SELECT root.oid::text, 'foreign key', quote_ident(k.conname), format('%I.%I', n.nspname, x.relname), ${OWNED},
         ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = root.oid AND attnum = ANY (k.confkey)), ${NO_VIEWS}, true,
         ${missing('current_user', `'USAGE'`)}, '{}'::text[]
    FROM root JOIN pg_constraint k ON k.confrelid = root.oid AND k.conrelid <> root.oid AND k.contype = 'f' AND k.conparentid = 0
    JOIN pg_class x ON x.oid = k.conrelid JOIN pg_namespace n ON n.oid = x.relnamespace
  UNION ALL
  SELECT root.oid::text, 'trigger', quote_ident(t.tgname), NULL, ${OWNERLESS}, ${usedColumns('pg_trigger', 't.oid')}, ${NO_VIEWS}, true,
         ${missingInDefinition('pg_trigger', 't.oid')}, '{}'::text[]
    FROM root JOIN pg_trigger t ON t.tgrelid = root.oid AND NOT t.tgisinternal AND t.tgparentid = 0
  UNION ALL
  SELECT root.oid::text, 'policy', quote_ident(p.polname), CASE WHEN p.polrelid <> root.oid THEN p.polrelid::regclass::text END,
         ${OWNERLESS}, ${usedColumns('pg_policy', 'p.oid')}, ${NO_VIEWS}, p.polrelid = root.oid,
         ${missingInDefinition('pg_policy', 'p.oid')}, '{}'::text[]
    FROM root JOIN pg_policy p ON p.polrelid = root.oid OR EXISTS (
      SELECT FROM pg_depend d WHERE d.classid = 'pg_policy'::regclass AND d.objid = p.oid
        AND d.refclassid = 'pg_class'::regclass AND d.refobjid = root.oid)
  UNION ALL
  SELECT root.oid::text, 'function', f.oid::regprocedure::text, NULL, ${OWNERLESS}, ${usedColumns('pg_proc', 'f.oid')}, ${readViews('pg_proc', 'f.oid')}, false, ${LACKS_NOTHING}
    FROM root JOIN functions ON functions.root = root.oid JOIN pg_proc f ON f.oid = functions.oid
  UNION ALL
  SELECT root.oid::text, 'identity column', quote_ident(a.attname), NULL, ${OWNERLESS}, '{}'::text[], ${NO_VIEWS}, false, ${LACKS_NOTHING}
    FROM root JOIN pg_attribute a ON a.attrelid = root.oid AND a.attidentity <> '' AND NOT a.attisdropped
  UNION ALL ${staying(
    `format('column %I of %s, which has its row type', a.attname, a.attrelid::regclass)`,
    `JOIN types ON types.root = root.oid JOIN pg_attribute a ON a.atttypid = types.type AND a.attnum > 0 AND NOT a.attisdropped
       JOIN pg_class x ON x.oid = a.attrelid AND x.relkind IN ('r', 'p', 'm', 'v', 'c', 'f')`,
  )}
  UNION ALL ${staying(
    `format('publication %I', p.pubname)`,
    `CROSS JOIN LATERAL (${publicationsOf('root.oid')}) p`,
  )}
  UNION ALL ${staying(
    `format('inheritance with %s', CASE WHEN i.inhrelid = root.oid THEN i.inhparent ELSE i.inhrelid END::regclass)`,
    `JOIN pg_inherits i ON root.oid IN (i.inhrelid, i.inhparent)`,
  )}
  UNION ALL ${staying(
    `format('the type %s that it is a table of', c.reloftype::regtype)`,
    `JOIN pg_class c ON c.oid = root.oid AND c.reloftype <> 0`,
  )}
  UNION ALL ${staying(
    `format('the security label of %s', l.provider)`,
    `JOIN pg_seclabel l ON l.classoid = 'pg_class'::regclass AND l.objoid = root.oid`,
  )}
  ORDER BY 1, 2, 3`;
