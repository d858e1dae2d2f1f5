/** Statements that alter a destination table, and that move its dependent objects to another table. */
import { carriedType, type Column, type NativeCarriers } from '../schema/columns.ts';
import { derivedName, type TableName } from '../schema/names.ts';
import type { BuiltRelation } from './dependent-object-definitions.ts';
import { ident, identList, qualified } from './identifiers.ts';
import { nullSafeMatch } from './null-safe-match.ts';
import { asUsual, DIFFERS, onTables, usually, type Statement } from './search-path.ts';

/** Changes nothing, and waits for readers. LOCK TABLE on a view would also lock all its tables. */
export const lockView = ({ name, owner }: BuiltRelation): string =>
  asUsual(/* sql */ `ALTER TABLE ${qualified(name)} OWNER TO ${ident(owner)}`);

export const lockWholly = (table: TableName): string =>
  /* sql */ `LOCK TABLE ${qualified(table)} IN ACCESS EXCLUSIVE MODE`;

export const lockAgainstWrites = (table: TableName): string =>
  /* sql */ `LOCK TABLE ${qualified(table)} IN SHARE ROW EXCLUSIVE MODE`;

export const lockTimeout = (seconds: number): string =>
  /* sql */ `SET LOCAL lock_timeout = '${Math.round(seconds * 1000)}ms'`;

const NOUNS = { table: 'TABLE', view: 'VIEW', 'materialized view': 'MATERIALIZED VIEW' } as const;

export const renameBuilt = ({ name, kind }: BuiltRelation, to: string): Statement =>
  onTables(/* sql */ `ALTER ${NOUNS[kind]} ${qualified(name)} RENAME TO ${ident(to)}`);

export const dropBuilt = (name: TableName, kind: BuiltRelation['kind']): Statement =>
  onTables(/* sql */ `DROP ${NOUNS[kind]} ${qualified(name)}`);

export const giveTo = ({ name, kind, owner }: BuiltRelation): Statement =>
  onTables(/* sql */ `ALTER ${NOUNS[kind]} ${qualified(name)} OWNER TO ${ident(owner)}`);

const queryOf = ({ definition }: BuiltRelation): string => (definition ?? '').replace(/;\s*$/, '');

const optionsOf = ({ options }: BuiltRelation): string =>
  options.length === 0 ? '' : ` WITH (${options.join(', ')})`;

/** Keeps its name, owner, grants and dependent objects. Fails if its columns would have other types. */
export const replaceView = (view: BuiltRelation): string =>
  /* sql */ `CREATE OR REPLACE VIEW ${qualified(view.name)}${optionsOf(view)} AS ${queryOf(view)}`;

/** A materialized view is created without data. REFRESH computes the data with the rights of its owner. */
export const createBuilt = (view: BuiltRelation): string =>
  view.kind === 'view'
    ? /* sql */ `CREATE VIEW ${qualified(view.name)}${optionsOf(view)} AS ${queryOf(view)}`
    : /* sql */ `CREATE MATERIALIZED VIEW ${qualified(view.name)}${
        view.tablespace === null ? '' : ` TABLESPACE ${ident(view.tablespace)}`
      } AS ${queryOf(view)} WITH NO DATA`;

export const refresh = (view: BuiltRelation): Statement =>
  onTables(/* sql */ `REFRESH MATERIALIZED VIEW ${qualified(view.name)}`);

/** $1 schema, $2 name. Grants from default privileges on a new relation, which the old one may not have had. */
export const GRANTED_BY_DEFAULT = /* sql */ `
  SELECT DISTINCT CASE WHEN x.grantee <> 0 THEN pg_get_userbyid(x.grantee) END AS grantee
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL aclexplode(c.relacl) x
  WHERE n.nspname = $1 AND c.relname = $2 AND x.grantee <> c.relowner`;

export const revokeAll = (table: TableName, grantee: string | null): string =>
  asUsual(/* sql */ `REVOKE ALL ON ${qualified(table)} FROM ${grantee === null ? 'PUBLIC' : ident(grantee)}`);

export interface ColumnRename {
  readonly from: string;
  readonly to: string;
}

export interface Alteration {
  /** Columns that get another name first. All other names are the new ones. */
  readonly renamed?: readonly ColumnRename[];
  readonly added: readonly Column[];
  /** Names of columns that no longer exist at the source. */
  readonly dropped: readonly string[];
  /** Columns whose values the server converts, with the type at the destination. */
  readonly retyped?: readonly {
    readonly name: string;
    readonly to: string;
    /** Whether the type needs an explicit cast. */
    readonly isCast?: boolean;
  }[];
  /** Names of columns that may be NULL from now on. */
  readonly loosened: readonly string[];
  /** Names of columns that become NOT NULL. */
  readonly tightened: readonly string[];
}

/** Before the rows are merged: changes that make room for them. No row is read, except if a type changes. */
export function alterBefore(
  table: TableName,
  { added, dropped, loosened, retyped = [], renamed = [] }: Alteration,
  natives: NativeCarriers,
): Statement | undefined {
  const changes = [
    ...dropped.map((name) => `DROP COLUMN ${ident(name)}`),
    ...loosened.map((name) => `ALTER COLUMN ${ident(name)} DROP NOT NULL`),
    ...retyped.map(
      ({ name, to, isCast }) =>
        `ALTER COLUMN ${ident(name)} TYPE ${to}${isCast === true ? ` USING ${ident(name)}::${to}` : ''}`,
    ),
    ...added.map((column) => `ADD COLUMN ${ident(column.name)} ${carriedType(column, natives)}`),
  ];
  const steps = [...renamingSteps(renamed), ...(changes.length === 0 ? [] : [changes.join(', ')])];
  return steps.length === 0
    ? undefined
    : onTables(steps.map((step) => /* sql */ `ALTER TABLE ${qualified(table)} ${step}`).join('; '));
}

/** RENAME cannot be combined with other changes. A name that another column still has is taken last. */
function renamingSteps(renamed: readonly ColumnRename[]): string[] {
  const step = (from: string, to: string) => `RENAME COLUMN ${ident(from)} TO ${ident(to)}`;
  const isTaken = ({ to }: ColumnRename) => renamed.some(({ from }) => from === to);
  const aside = ({ from }: ColumnRename) => derivedName(from, '_increp_old');
  return [
    ...renamed.filter(isTaken).map((each) => step(each.from, aside(each))),
    ...renamed.filter((each) => !isTaken(each)).map(({ from, to }) => step(from, to)),
    ...renamed.filter(isTaken).map((each) => step(aside(each), each.to)),
  ];
}

/** After the rows are merged: constraints that they must satisfy. */
export function alterAfter(table: TableName, { tightened }: Alteration): Statement | undefined {
  const changes = tightened.map((name) => `ALTER COLUMN ${ident(name)} SET NOT NULL`);
  return changes.length === 0
    ? undefined
    : onTables(/* sql */ `ALTER TABLE ${qualified(table)} ${changes.join(', ')}`);
}

/** The server does not alter a table with pending deferred checks, so the checks run now. */
export const CHECK_DEFERRED = usually('SET CONSTRAINTS ALL IMMEDIATE', 'SET CONSTRAINTS ALL DEFERRED').join(
  '; ',
);

/** $1 oid of a table. */
export const COLUMN_NAMES = /* sql */ `
  SELECT attname AS name FROM pg_attribute WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped`;

/** $1 oid of a table, $2 names of columns. Views that read one of them directly. */
export const VIEWS_ON_COLUMNS = /* sql */ `
  SELECT DISTINCT r.ev_class::text AS oid FROM pg_attribute a
  JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
    AND d.classid = 'pg_rewrite'::regclass
  JOIN pg_rewrite r ON r.oid = d.objid AND r.ev_class <> a.attrelid
  WHERE a.attrelid = $1::oid AND a.attname = ANY ($2::text[]) AND NOT a.attisdropped`;

/** A column that users added, as it is in the old table. */
export interface ExtraColumn {
  readonly column: Column;
  readonly expression: string | undefined;
}

/** Without NOT NULL, because the values of the old table are copied first. */
export const addExtraColumns = (table: TableName, extras: readonly ExtraColumn[]): string =>
  /* sql */ `ALTER TABLE ${qualified(table)} ${extras
    .map(({ column, expression }) =>
      [
        `ADD COLUMN ${ident(column.name)} ${column.type}`,
        ...(column.collation === null ? [] : [`COLLATE ${column.collation}`]),
        ...(expression === undefined
          ? []
          : [
              column.generated === ''
                ? `DEFAULT ${expression}`
                : `GENERATED ALWAYS AS (${expression}) STORED`,
            ]),
      ].join(' '),
    )
    .join(', ')}`;

export interface KeyPair {
  readonly name: string;
  readonly isNotNull: boolean;
  /** False if the old table has another type in that column. */
  readonly hasSameType: boolean;
}

/** Copies the values of added columns to the rows with the same key. */
export function carryExtraColumns(
  from: TableName,
  to: TableName,
  columns: readonly string[],
  key: readonly KeyPair[],
): Statement {
  const matches = nullSafeMatch(
    key.map(({ name, isNotNull, hasSameType }) => {
      const cast = hasSameType ? '' : '::text';
      return { left: `o.${ident(name)}${cast}`, right: `n.${ident(name)}${cast}`, isNullable: !isNotNull };
    }),
  );
  const image = (side: string) =>
    `(SELECT e FROM (SELECT ${columns.map((name) => `${side}.${ident(name)}`).join(', ')}) e)`;
  return onTables(
    /* sql */ `UPDATE ${qualified(to)} n SET (${identList(columns)}) = ROW(${columns
      .map((name) => `o.${ident(name)}`)
      .join(
        ', ',
      )}) FROM ONLY ${qualified(from)} o WHERE ${matches} AND ${image('n')} ${DIFFERS} ${image('o')}`,
  );
}

export const demandValues = (table: TableName, columns: readonly string[]): Statement =>
  onTables(
    /* sql */ `ALTER TABLE ${qualified(table)} ${columns.map((name) => `ALTER COLUMN ${ident(name)} SET NOT NULL`).join(', ')}`,
  );
