/** What people have put on a destination table, read before the table is exchanged for a new one. */
import type { TableName } from '../schema/names.ts';
import { ident, literal, qualified } from './identifiers.ts';

/** What is carried over to the new table. */
export interface Belongings {
  readonly owner: string;
  readonly isOwnedByUs: boolean;
  readonly grants: readonly Grant[];
  readonly columnComments: readonly { readonly column: string; readonly comment: string }[];
  readonly indexes: readonly ExtraIndex[];
  /** What cannot be carried over, each in words. */
  readonly obstacles: readonly string[];
}

interface Grant {
  /** Null for the table itself. */
  readonly column: string | null;
  readonly privilege: string;
  /** Null for PUBLIC. */
  readonly grantee: string | null;
  readonly isGrantable: boolean;
}

interface ExtraIndex {
  readonly name: string;
  /** pg_get_indexdef() up to and including USING, as we can rebuild it, and what follows. */
  readonly head: string;
  readonly definition: string;
  readonly columns: readonly string[];
  readonly comment: string | null;
}

/** $1 oid of the table, $2 name of the index that we made for the merge key. */
export const DESCRIBE_BELONGINGS = /* sql */ `
  SELECT pg_get_userbyid(c.relowner) AS owner, pg_has_role(c.relowner, 'USAGE') AND c.relowner = current_user::regrole AS "isOwnedByUs",
    (SELECT coalesce(json_agg(json_build_object('column', g.name, 'privilege', x.privilege_type,
              'grantee', CASE WHEN x.grantee <> 0 THEN pg_get_userbyid(x.grantee) END, 'isGrantable', x.is_grantable)), '[]')
     FROM (SELECT NULL::name AS name, c.relacl AS acl WHERE c.relacl IS NOT NULL
           UNION ALL SELECT a.attname, a.attacl FROM pg_attribute a
           WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped) g
     CROSS JOIN LATERAL aclexplode(g.acl) x WHERE x.grantee <> c.relowner) AS grants,
    (SELECT coalesce(json_agg(json_build_object('column', a.attname, 'comment', d.description)), '[]')
     FROM pg_description d JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid
     WHERE d.classoid = 'pg_class'::regclass AND d.objoid = c.oid AND d.objsubid > 0) AS "columnComments",
    (SELECT coalesce(json_agg(json_build_object('name', ic.relname,
              'head', format('CREATE %sINDEX %I ON %I.%I USING ', CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END,
                             ic.relname, n.nspname, c.relname),
              'definition', pg_get_indexdef(ic.oid),
              'columns', (SELECT coalesce(json_agg(a.attname), '[]') FROM pg_depend d
                          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
                          WHERE d.classid = 'pg_class'::regclass AND d.objid = ic.oid AND d.refobjid = c.oid
                            AND d.refobjsubid > 0),
              'comment', obj_description(ic.oid, 'pg_class'))), '[]')
     FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid
     WHERE i.indrelid = c.oid AND ic.relname <> $2
       AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = ic.oid AND k.conrelid = c.oid)) AS indexes,
    (SELECT coalesce(json_agg(what), '[]') FROM (
       SELECT DISTINCT format('%s %s', CASE v.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END, v.oid::regclass) AS what
       FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class v ON v.oid = r.ev_class
       WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
         AND v.oid <> c.oid
       UNION ALL SELECT format('rule %I', rulename) FROM pg_rewrite WHERE ev_class = c.oid
       UNION ALL SELECT format('trigger %I', tgname) FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal
       UNION ALL SELECT format('policy %I', polname) FROM pg_policy WHERE polrelid = c.oid
       UNION ALL SELECT 'row-level security' WHERE c.relrowsecurity OR c.relforcerowsecurity
       UNION ALL SELECT format('constraint %I of %s', conname, conrelid::regclass) FROM pg_constraint
         WHERE (conrelid = c.oid OR confrelid = c.oid) AND conname <> $2 AND contype <> 'n'
       UNION ALL SELECT format('default of column %I', a.attname) FROM pg_attrdef f
         JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum WHERE f.adrelid = c.oid
       UNION ALL SELECT format('statistics %I', stxname) FROM pg_statistic_ext WHERE stxrelid = c.oid
       UNION ALL SELECT format('publication %I', p.pubname) FROM pg_publication_rel pr
         JOIN pg_publication p ON p.oid = pr.prpubid WHERE pr.prrelid = c.oid
       UNION ALL SELECT format('inheritance with %s', CASE WHEN inhrelid = c.oid THEN inhparent ELSE inhrelid END::regclass)
         FROM pg_inherits WHERE c.oid IN (inhrelid, inhparent)) o) AS obstacles
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1::oid`;

/** The index definition with another name on another table; undefined when it is not of the form we know. */
export function indexOn(index: ExtraIndex, table: TableName, name: string): string | undefined {
  if (!index.definition.startsWith(index.head)) return undefined;
  const unique = index.head.startsWith('CREATE UNIQUE') ? 'UNIQUE ' : '';
  return /* sql */ `CREATE ${unique}INDEX ${ident(name)} ON ${qualified(table)} USING ${index.definition.slice(index.head.length)}`;
}

/** What makes the new table look like the old one, once it has its name. `columns` are those it has. */
export function restoreBelongings(
  table: TableName,
  belongings: Belongings,
  columns: readonly string[],
): string[] {
  const isThere = (column: string | null) => column === null || columns.includes(column);
  return [
    ...belongings.columnComments
      .filter(({ column }) => isThere(column))
      .map(
        ({ column, comment }) =>
          /* sql */ `COMMENT ON COLUMN ${qualified(table)}.${ident(column)} IS ${literal(comment)}`,
      ),
    ...belongings.indexes
      .filter(({ comment }) => comment !== null)
      .map(
        ({ name, comment }) =>
          /* sql */ `COMMENT ON INDEX ${qualified({ schema: table.schema, table: name })} IS ${literal(comment)}`,
      ),
    ...belongings.grants.filter(({ column }) => isThere(column)).map((grant) => grantStatement(table, grant)),
    ...(belongings.isOwnedByUs
      ? []
      : [/* sql */ `ALTER TABLE ${qualified(table)} OWNER TO ${ident(belongings.owner)}`]),
  ];
}

function grantStatement(table: TableName, { column, privilege, grantee, isGrantable }: Grant): string {
  const what = column === null ? privilege : `${privilege} (${ident(column)})`;
  const option = isGrantable ? ' WITH GRANT OPTION' : '';
  return /* sql */ `GRANT ${what} ON ${qualified(table)} TO ${grantee === null ? 'PUBLIC' : ident(grantee)}${option}`;
}
