/** All dependent objects of a table or a view, one statement each: grants, comments, triggers, constraints, ... */

/** A row: relation, stage, place within the stage, what, columns, sql, rehearsal, undo, lock, other schema and table. */
const item = (parts: {
  readonly stage: 'staging' | 'renamed' | 'dropped';
  /** SQL text expression. */
  readonly what: string;
  /** SQL name[] expression. */
  readonly columns?: string;
  /** SQL text expression. */
  readonly sql: string;
  readonly rehearsal?: string;
  readonly undo?: string;
  readonly lock?: string;
  readonly other?: string;
  /** The part after SELECT ...; `r` is the relation. */
  readonly from: string;
}): string => /* sql */ `
  SELECT r.oid::text AS oid, '${parts.stage}' AS stage, ${parts.what} AS what,
    to_json(${parts.columns ?? `'{}'::name[]`}) AS columns, ${parts.sql} AS sql,
    ${parts.rehearsal ?? 'NULL::text'} AS rehearsal, ${parts.undo ?? 'NULL::text'} AS undo,
    ${parts.lock ?? 'NULL::text'} AS lock, ${parts.other ?? 'NULL::json'} AS other
  FROM r ${parts.from}`;

/** COMMENT ON an object of the relation, after the object exists. */
const comment = (noun: string, catalog: string, name: string, join: string, stage: 'renamed' | 'dropped') =>
  item({
    stage,
    what: `format('comment on ${noun.toLowerCase()} %I', ${name})`,
    sql: `format('COMMENT ON ${noun} %I ON %s IS %L', ${name}, r.called, d.description)`,
    from: `${join} JOIN pg_description d ON d.classoid = '${catalog}'::regclass AND d.objoid = x.oid AND d.objsubid = 0`,
  });

const COLUMN_NAMES = (keys: string, relation: string) =>
  `ARRAY(SELECT attname FROM pg_attribute WHERE attrelid = ${relation} AND attnum = ANY (${keys}))`;

const RULES = `JOIN pg_rewrite x ON x.ev_class = r.oid AND x.rulename <> '_RETURN'`;
const TRIGGERS = `JOIN pg_trigger x ON x.tgrelid = r.oid AND NOT x.tgisinternal AND x.tgparentid = 0`;
const POLICIES = `JOIN pg_policy x ON x.polrelid = r.oid`;
/** Excludes the primary key of increp, the NOT NULL constraints of version 18, and constraints of triggers. */
const CONSTRAINTS = `JOIN pg_constraint x ON x.conrelid = r.oid AND x.contype IN ('c', 'u', 'p', 'x', 'f') AND x.conname <> $2`;
const STATISTICS = `JOIN pg_statistic_ext x ON x.stxrelid = r.oid JOIN pg_namespace xn ON xn.oid = x.stxnamespace`;
const COLUMNS = `JOIN pg_attribute x ON x.attrelid = r.oid AND x.attnum > 0 AND NOT x.attisdropped JOIN pg_type t ON t.oid = x.atttypid`;

const MODE = (state: string) =>
  `CASE ${state} WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END`;

const OPTION_LIST = (options: string, prefix = '') =>
  `(SELECT string_agg(format('${prefix}%s=%L', split_part(o, '=', 1), substr(o, strpos(o, '=') + 1)), ', ') FROM unnest(${options}) o)`;

const grants = (stage: 'renamed' | 'dropped', condition: string) =>
  item({
    stage,
    what: `format('grant of %s to %s', g.privilege_type, g.who)`,
    columns: `array_remove(ARRAY[g.attname], NULL)`,
    sql: `format('GRANT %s%s ON %s TO %s%s', g.privilege_type, ' (' || quote_ident(g.attname) || ')', r.called, g.who,
            CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)`,
    from: `CROSS JOIN LATERAL (
        SELECT a.attname, e.privilege_type, e.is_grantable,
          CASE WHEN e.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(e.grantee)) END AS who
        FROM (SELECT NULL::name AS attname, r.relacl AS acl UNION ALL SELECT attname, attacl FROM pg_attribute
              WHERE attrelid = r.oid AND attacl IS NOT NULL AND NOT attisdropped) a
        CROSS JOIN LATERAL aclexplode(a.acl) e WHERE e.grantee <> r.relowner AND ${condition}) g`,
  });

const RENAMED = [
  item({
    stage: 'renamed',
    what: `'storage parameters'`,
    sql: `format('ALTER %s %s SET (%s)', r.noun, r.called, ${OPTION_LIST('r.reloptions')})`,
    from: `WHERE r.reloptions IS NOT NULL AND r.relkind <> 'v'`,
  }),
  item({
    stage: 'renamed',
    what: `'storage parameters'`,
    sql: `format('ALTER %s %s SET (%s)', r.noun, r.called, ${OPTION_LIST('x.reloptions', 'toast.')})`,
    from: `JOIN pg_class x ON x.oid = r.reltoastrelid WHERE x.reloptions IS NOT NULL`,
  }),
  item({
    stage: 'renamed',
    what: `format('settings of column %I', x.attname)`,
    columns: 'ARRAY[x.attname]',
    sql: `format('ALTER %s %s ALTER COLUMN %I SET %s', r.noun, r.called, x.attname, v.setting)`,
    from: `${COLUMNS} CROSS JOIN LATERAL (VALUES
        (CASE WHEN x.attstattarget >= 0 THEN format('STATISTICS %s', x.attstattarget) END),
        (CASE WHEN x.attoptions IS NOT NULL THEN format('(%s)', ${OPTION_LIST('x.attoptions')}) END),
        (CASE WHEN r.relkind <> 'v' AND x.attstorage <> t.typstorage THEN format('STORAGE %s',
          CASE x.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END) END),
        (CASE x.attcompression WHEN 'p' THEN 'COMPRESSION pglz' WHEN 'l' THEN 'COMPRESSION lz4' END)) v(setting)
      WHERE v.setting IS NOT NULL`,
  }),
  item({
    stage: 'renamed',
    what: `format('default of column %I', x.attname)`,
    columns: 'ARRAY[x.attname]',
    sql: `format('ALTER %s %s ALTER COLUMN %I SET DEFAULT %s', r.noun, r.called, x.attname, pg_get_expr(f.adbin, f.adrelid))`,
    from: `${COLUMNS} JOIN pg_attrdef f ON f.adrelid = r.oid AND f.adnum = x.attnum WHERE x.attgenerated = ''`,
  }),
  grants('renamed', 'pg_get_userbyid(e.grantee) <> current_user'),
  item({
    stage: 'renamed',
    what: `'comment'`,
    sql: `format('COMMENT ON %s %s IS %L', r.noun, r.called, d.description)`,
    from: `JOIN pg_description d ON d.classoid = 'pg_class'::regclass AND d.objoid = r.oid AND d.objsubid = 0`,
  }),
  item({
    stage: 'renamed',
    what: `format('comment on column %I', x.attname)`,
    columns: 'ARRAY[x.attname]',
    sql: `format('COMMENT ON COLUMN %s.%I IS %L', r.called, x.attname, d.description)`,
    from: `${COLUMNS} JOIN pg_description d ON d.classoid = 'pg_class'::regclass AND d.objoid = r.oid AND d.objsubid = x.attnum`,
  }),
  item({
    stage: 'renamed',
    what: `format('rule %I', x.rulename)`,
    sql: 'pg_get_ruledef(x.oid)',
    from: RULES,
  }),
  item({
    stage: 'renamed',
    what: `format('rule %I', x.rulename)`,
    sql: `format('ALTER TABLE %s %s RULE %I', r.called, ${MODE('x.ev_enabled')}, x.rulename)`,
    from: `${RULES} WHERE x.ev_enabled <> 'O'`,
  }),
  comment('RULE', 'pg_rewrite', 'x.rulename', RULES, 'renamed'),
  item({
    stage: 'renamed',
    what: `format('trigger %I', x.tgname)`,
    sql: 'pg_get_triggerdef(x.oid)',
    from: TRIGGERS,
  }),
  item({
    stage: 'renamed',
    what: `format('trigger %I', x.tgname)`,
    sql: `format('ALTER TABLE %s %s TRIGGER %I', r.called, ${MODE('x.tgenabled')}, x.tgname)`,
    from: `${TRIGGERS} WHERE x.tgenabled <> 'O'`,
  }),
  comment('TRIGGER', 'pg_trigger', 'x.tgname', TRIGGERS, 'renamed'),
  item({
    stage: 'renamed',
    what: `format('policy %I', x.polname)`,
    sql: `format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s', x.polname, r.called,
      CASE WHEN x.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
      CASE x.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
      (SELECT string_agg(CASE WHEN p = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(p)) END, ', ') FROM unnest(x.polroles) p),
      ' USING (' || pg_get_expr(x.polqual, x.polrelid) || ')',
      ' WITH CHECK (' || pg_get_expr(x.polwithcheck, x.polrelid) || ')')`,
    from: POLICIES,
  }),
  comment('POLICY', 'pg_policy', 'x.polname', POLICIES, 'renamed'),
  item({
    stage: 'renamed',
    what: `'row-level security'`,
    sql: `format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', r.called)`,
    from: 'WHERE r.relrowsecurity',
  }),
  item({
    stage: 'renamed',
    what: `'row-level security'`,
    sql: `format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', r.called)`,
    from: 'WHERE r.relforcerowsecurity',
  }),
];

/** The name of a constraint is unique per table, so a check can be created before the names are exchanged. */
const STAGING = [
  item({
    stage: 'staging',
    what: `format('constraint %I', x.conname)`,
    columns: COLUMN_NAMES('x.conkey', 'r.oid'),
    sql: `format('ADD CONSTRAINT %I %s', x.conname, pg_get_constraintdef(x.oid))`,
    from: `${CONSTRAINTS} AND x.contype = 'c'`,
  }),
];

const SEQUENCE = `format('%I.%I', xn.nspname, x.relname)`;

const DEFERRABLE = `CASE WHEN x.condeferrable THEN ' DEFERRABLE' || CASE WHEN x.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END ELSE '' END`;

/** Names of indexes and statistics are unique per schema, so they are free only after the old table is dropped. */
const DROPPED = [
  // This role owns the new relation at first. ALTER OWNER would turn a grant to this role into rights of the next owner.
  grants('dropped', 'pg_get_userbyid(e.grantee) = current_user'),
  item({
    stage: 'dropped',
    what: `format('index %I', ic.relname)`,
    sql: 'pg_get_indexdef(ic.oid)',
    from: `JOIN pg_index i ON i.indrelid = r.oid JOIN pg_class ic ON ic.oid = i.indexrelid WHERE r.relkind = 'm'`,
  }),
  item({
    stage: 'dropped',
    what: `format('constraint %I', x.conname)`,
    columns: COLUMN_NAMES('x.conkey', 'r.oid'),
    sql: `format('ALTER TABLE %s ADD CONSTRAINT %I %s USING INDEX %I%s', r.called, x.conname,
      CASE x.contype WHEN 'p' THEN 'PRIMARY KEY' ELSE 'UNIQUE' END, ic.relname, ${DEFERRABLE})`,
    from: `${CONSTRAINTS} AND x.contype IN ('u', 'p') JOIN pg_class ic ON ic.oid = x.conindid`,
  }),
  item({
    stage: 'dropped',
    what: `format('constraint %I', x.conname)`,
    columns: COLUMN_NAMES('x.conkey', 'r.oid'),
    sql: `format('ALTER TABLE %s ADD CONSTRAINT %I %s', r.called, x.conname, pg_get_constraintdef(x.oid))`,
    from: `${CONSTRAINTS} AND x.contype IN ('x', 'f') AND x.conparentid = 0`,
  }),
  item({
    stage: 'dropped',
    what: `format('constraint %I of %s', x.conname, x.conrelid::regclass)`,
    sql: `format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', fn.nspname, f.relname, x.conname, pg_get_constraintdef(x.oid))`,
    rehearsal: `format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', fn.nspname, f.relname, x.conname,
      regexp_replace(pg_get_constraintdef(x.oid), ' NOT VALID$', '') || ' NOT VALID')`,
    undo: `format('ALTER TABLE %I.%I DROP CONSTRAINT %I', fn.nspname, f.relname, x.conname)`,
    other: `json_build_object('schema', fn.nspname, 'table', f.relname)`,
    from: `JOIN pg_constraint x ON x.confrelid = r.oid AND x.conrelid <> r.oid AND x.contype = 'f' AND x.conparentid = 0
      JOIN pg_class f ON f.oid = x.conrelid JOIN pg_namespace fn ON fn.oid = f.relnamespace`,
  }),
  item({
    stage: 'dropped',
    what: `format('comment on constraint %I', x.conname)`,
    columns: `CASE WHEN x.conrelid = r.oid THEN ${COLUMN_NAMES('x.conkey', 'r.oid')} ELSE '{}' END`,
    sql: `format('COMMENT ON CONSTRAINT %I ON %I.%I IS %L', x.conname, fn.nspname, f.relname, d.description)`,
    from: `JOIN pg_constraint x ON r.oid IN (x.conrelid, x.confrelid) AND x.contype IN ('c', 'u', 'p', 'x', 'f') AND x.conname <> $2
      JOIN pg_class f ON f.oid = x.conrelid JOIN pg_namespace fn ON fn.oid = f.relnamespace
      JOIN pg_description d ON d.classoid = 'pg_constraint'::regclass AND d.objoid = x.oid`,
  }),
  // The old table would take the sequence with it.
  item({
    stage: 'dropped',
    what: `format('sequence %s of column %I', ${SEQUENCE}, a.attname)`,
    columns: 'ARRAY[a.attname]',
    sql: `format('ALTER SEQUENCE %s OWNED BY %s.%I', ${SEQUENCE}, r.called, a.attname)`,
    undo: `format('ALTER SEQUENCE %s OWNED BY NONE', ${SEQUENCE})`,
    lock: `format('ALTER SEQUENCE %s OWNER TO %I', ${SEQUENCE}, pg_get_userbyid(x.relowner))`,
    from: `JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = r.oid
        AND d.deptype = 'a'
      JOIN pg_class x ON x.oid = d.objid AND x.relkind = 'S' JOIN pg_namespace xn ON xn.oid = x.relnamespace
      JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = d.refobjsubid`,
  }),
  item({
    stage: 'dropped',
    what: `format('statistics %I', x.stxname)`,
    columns: COLUMN_NAMES('x.stxkeys', 'r.oid'),
    sql: 'pg_get_statisticsobjdef(x.oid)',
    from: STATISTICS,
  }),
  item({
    stage: 'dropped',
    what: `format('comment on statistics %I', x.stxname)`,
    columns: COLUMN_NAMES('x.stxkeys', 'r.oid'),
    sql: `format('COMMENT ON STATISTICS %I.%I IS %L', xn.nspname, x.stxname, d.description)`,
    from: `${STATISTICS} JOIN pg_description d ON d.classoid = 'pg_statistic_ext'::regclass AND d.objoid = x.oid`,
  }),
  item({
    stage: 'dropped',
    what: `format('comment on index %I', ic.relname)`,
    columns: COLUMN_NAMES('i.indkey', 'r.oid'),
    sql: `format('COMMENT ON INDEX %I.%I IS %L', r.schema, ic.relname, d.description)`,
    from: `JOIN pg_index i ON i.indrelid = r.oid JOIN pg_class ic ON ic.oid = i.indexrelid AND ic.relname <> $2
      JOIN pg_description d ON d.classoid = 'pg_class'::regclass AND d.objoid = ic.oid`,
  }),
  item({
    stage: 'dropped',
    what: `format('clustering on index %I', ic.relname)`,
    columns: COLUMN_NAMES('i.indkey', 'r.oid'),
    sql: `format('ALTER %s %s CLUSTER ON %I', r.noun, r.called, ic.relname)`,
    from: `JOIN pg_index i ON i.indrelid = r.oid AND i.indisclustered JOIN pg_class ic ON ic.oid = i.indexrelid AND ic.relname <> $2`,
  }),
  item({
    stage: 'dropped',
    what: `'replica identity'`,
    sql: `format('ALTER TABLE %s REPLICA IDENTITY %s', r.called, CASE r.relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING'
      ELSE (SELECT format('USING INDEX %I', ic.relname) FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid
            WHERE i.indrelid = r.oid AND i.indisreplident) END)`,
    from: `WHERE r.relkind = 'r' AND r.relreplident IN ('f', 'n', 'i')
      AND NOT EXISTS (SELECT FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid
                      WHERE i.indrelid = r.oid AND i.indisreplident AND ic.relname = $2)`,
  }),
];

/** $1 oids of relations, $2 name of the index of the unique key. In the order in which they are created. */
export const DESCRIBE_ITEMS = /* sql */ `
  WITH r AS (
    SELECT c.*, n.nspname AS schema, format('%I.%I', n.nspname, c.relname) AS called,
           CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END AS noun
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY ($1::oid[]))
  ${[...STAGING, ...RENAMED, ...DROPPED]
    .map((part, place) => /* sql */ `SELECT ${place} AS place, p.* FROM (${part}) p`)
    .join(' UNION ALL ')}
  ORDER BY place, what`;
