/** Describes the rows to read: the whole table, or the selection of its entry as the server describes it. */
import type pg from 'pg';
import type { TableSettings } from '../../config/settings.ts';
import { done, failedWith, type Attempted, type IncrepError } from '../../errors.ts';
import {
  describeFields,
  describeSelect,
  type ChangingFunction,
  type ProtocolType,
  type SelectField,
  type SqlRefusal,
} from '../../postgres/describe-select.ts';
import { isOfNames, meansTheSame } from '../../postgres/user-search-path.ts';
import { printsByPath } from '../../schema/columns.ts';
import { isRowVersion } from '../../schema/metadata-columns.ts';
import type { TableName } from '../../schema/names.ts';
import {
  hasSystemColumns,
  locksOfGroup,
  queryRelation,
  selectFrom,
  type Relation,
} from '../../schema/relations.ts';
import {
  destinationColumn,
  hasSql,
  optionsOf,
  sameNameOf,
  selectColumns,
  unknownColumnOf,
  type Selection,
} from '../../schema/selection.ts';
import {
  describeQuery,
  describeTable,
  queriedRows,
  selectedRows,
  type RowSource,
  type SelectedRows,
  type TableSelection,
} from '../../sql/row-source.ts';
import { PINNED_PATH, TO_USUAL_PATH } from '../../sql/search-path.ts';
import { calledIn, hasChangingWord } from '../../sql/user-sql.ts';
import { columnNotFound, patternOption } from './column-not-found.ts';
import { refusedSql, sameName, unfitFields, untypedColumn } from './selection-refusals.ts';

/** The server's description of a selection. */
export interface Selected {
  /** Why the selection is invalid. */
  readonly fault: IncrepError | undefined;
  /** Functions in the SQL of the settings that may give another result for the same row. */
  readonly changing: readonly ChangingFunction[];
  /** Whether the selection and its transforms give the same result until the row is written. */
  readonly isSteady: boolean;
  /** Types of the columns that are in no catalog. */
  readonly types: readonly ProtocolType[];
}

export interface SelectedSource extends Selected {
  /** Undefined if the table does not exist. */
  readonly relation: Relation | undefined;
  readonly rows: RowSource;
}

/** A table that may have a selection. */
export interface Selectable {
  readonly settings: Pick<TableSettings, 'name' | 'selection' | 'pattern' | 'destinationTable'>;
  readonly name: TableName;
  readonly table: Relation | undefined;
}

/** The source can be the destination of another pipeline, whose records have no meaning elsewhere. */
const withoutRowVersion = (table: Relation): Relation =>
  table.columns.some(isRowVersion)
    ? { ...table, columns: table.columns.filter((column) => !isRowVersion(column)) }
    : table;

const wholeTable = ({ settings: { selection }, name, table }: Selectable): SelectedSource => ({
  relation: table,
  rows: {
    ...name,
    ...(table?.columns.some(printsByPath) === true && { isPinned: true }),
    ...(table && inGroups(table, selection, !table.columns.some(printsByPath))),
  },
  fault: undefined,
  changing: [],
  isSteady: true,
  types: [],
});

function inGroups(table: Relation, selection: Selection, isUsual: boolean): Pick<RowSource, 'inGroups'> {
  const locks = locksOfGroup(table);
  return locks === undefined
    ? {}
    : { inGroups: { oid: table.oid, locks, selection: tableSelection(selection, table), isUsual } };
}

/** The part that needs no query. The server describes the rest. */
function selectSource(selectable: Selectable): SelectedSource {
  const { settings, name, table } = selectable;
  const { selection } = settings;
  const plain = wholeTable(selectable);
  if (selection.query !== null)
    return { ...plain, relation: queryRelation(name, []), rows: queriedRows(selection.query, name.table) };
  if (optionsOf(selection).length === 0 || !table) return plain;
  const unknown = unknownColumnOf(selection, table.columns);
  if (unknown) {
    const option = { key: unknown.option, pattern: patternOption(settings, name) };
    return { ...plain, fault: columnNotFound(table, option, unknown.name) };
  }
  const same = sameNameOf(selection, table.columns);
  if (same) return { ...plain, fault: sameName(table, same) };
  return {
    ...plain,
    relation: selectFrom(table, selection, []),
    rows: { ...selectedRows(tableSelection(selection, table)), ...inGroups(table, selection, false) },
  };
}

const tableSelection = (selection: Selection, table: Relation): TableSelection => ({
  table: table.name,
  columns: selectColumns(selection, table.columns),
  where: selection.where,
  hasSystemColumns: hasSystemColumns(table),
});

/** A savepoint, because a failed statement would abort the transaction. */
const BEFORE = 'increp_describe';

/**
 * One round trip for each table with SQL in its settings, and a few for all of them. With `keepsFaults`, an invalid
 * selection is a fault of its table. @throws IncrepError without `keepsFaults`, for the first invalid selection
 */
export async function describeSources(
  client: pg.ClientBase,
  selectables: readonly Selectable[],
  keepsFaults: boolean,
): Promise<SelectedSource[]> {
  const sources = selectables
    .map((each) => ({ ...each, table: each.table && withoutRowVersion(each.table) }))
    .map((each) => ({ each, source: selectSource(each) }));
  const asked = sources.filter(({ each, source }) => isDescribed(each, source));
  if (asked.length === 0) return sources.map(({ source }) => source);
  await client.query(`SAVEPOINT ${BEFORE}`);
  const described = new Map<Selectable, Attempted<Described>>();
  for (const { each } of asked) {
    const found = await describeSelection(client, each);
    if (found.kind === 'failed' && !keepsFaults) throw found.error;
    if (found.kind === 'failed') await client.query(`ROLLBACK TO SAVEPOINT ${BEFORE}`);
    described.set(each, found);
  }
  // A snapshot cannot be exported inside a savepoint.
  await client.query(`RELEASE SAVEPOINT ${BEFORE}`);
  return withTypes(client, sources, described);
}

/** A missing privilege, and rows that are hidden, are not described here: the refusal in the plan has a better message than the server's. */
const isDescribed = ({ settings: { selection } }: Selectable, { relation, fault }: SelectedSource): boolean =>
  hasSql(selection) &&
  !fault &&
  relation !== undefined &&
  relation.canSelect &&
  !relation.filtersRows &&
  relation.unreadableColumns.length === 0;

/**
 * Describes a statement under the pinned search_path, under which the names in the settings are resolved. To plan the
 * statement, the server may have to inline functions behind an index or a view, and these may need the search_path of
 * the role. Their errors have no position in the statement. In that case the statement is described under the role's
 * path, if every name in it means the same there.
 */
async function describeAsUsual(
  client: pg.ClientBase,
  statement: string,
): Promise<{ readonly found: readonly SelectField[] | SqlRefusal; readonly isUsual: boolean }> {
  const pinned = { found: await describeSelect(client, statement), isUsual: false };
  const { found } = pinned;
  if (!('message' in found) || found.position !== undefined || !isOfNames(found.sqlstate)) return pinned;
  await client.query(`ROLLBACK TO SAVEPOINT ${BEFORE}`);
  if (!(await meansTheSame(client, statement))) return pinned;
  await client.query(TO_USUAL_PATH);
  const again = await describeSelect(client, statement);
  // After an error the transaction is aborted up to the savepoint, and takes no further statement.
  if (!('message' in again)) await client.query(PINNED_PATH);
  return { found: again, isUsual: true };
}

interface Described {
  readonly fields: readonly SelectField[];
  readonly isUsual: boolean;
  /** Whether the SQL means the same for a partition in place of the table. Not if it names a column with its schema. */
  readonly fitsPartitions: boolean;
}

/** For a table, only the columns of a transform: the catalog describes its own columns better. */
async function describeSelection(
  client: pg.ClientBase,
  { settings, table }: Selectable,
): Promise<Attempted<Described>> {
  const { selection } = settings;
  if (selection.query !== null) {
    const description = describeQuery(selection.query);
    const { found, isUsual } = await describeAsUsual(client, description.sql);
    if ('message' in found) return failedWith(refusedSql(settings.name, found, description));
    const unfit = unfitFields(settings.name, found);
    return unfit ? failedWith(unfit) : done({ fields: found, isUsual, fitsPartitions: false });
  }
  if (!table) throw new Error('cannot describe a table that does not exist');
  const made = selection.transform.map(({ column }) => destinationColumn(selection, column));
  const isMade = ({ name }: SelectField) => made.includes(name);
  if (locksOfGroup(table) !== undefined) {
    const description = describeTable(tableSelection(selection, table), { inGroups: true });
    const { found, isUsual } = await describeAsUsual(client, description.sql);
    if (!('message' in found)) return done({ fields: found.filter(isMade), isUsual, fitsPartitions: true });
    await client.query(`ROLLBACK TO SAVEPOINT ${BEFORE}`);
  }
  const description = describeTable(tableSelection(selection, table));
  const { found, isUsual } = await describeAsUsual(client, description.sql);
  return 'message' in found
    ? failedWith(refusedSql(settings.name, found, description))
    : done({ fields: found.filter(isMade), isUsual, fitsPartitions: false });
}

async function withTypes(
  client: pg.ClientBase,
  sources: readonly { readonly each: Selectable; readonly source: SelectedSource }[],
  described: ReadonlyMap<Selectable, Attempted<Described>>,
): Promise<SelectedSource[]> {
  const fieldsOf = (each: Selectable): readonly SelectField[] => {
    const found = described.get(each);
    return found?.kind === 'done' ? found.value.fields : [];
  };
  const texts = new Map(sources.map(({ each }) => [each, textsOf(each.settings.selection)]));
  const called = new Set([...texts.values()].flat().flatMap(calledIn));
  const { columns, withoutType, functions } = await describeFields(
    client,
    sources.flatMap(({ each }) => fieldsOf(each)),
    [...called],
  );
  let next = 0;
  return sources.map(({ each, source }): SelectedSource => {
    const found = described.get(each);
    if (found === undefined) return source;
    if (found.kind === 'failed') return { ...source, fault: found.error };
    const { fields } = found.value;
    const own = columns.slice(next, next + fields.length);
    const untyped = own.find((_column, index) => withoutType.includes(next + index + 1));
    next += fields.length;
    if (untyped) return { ...source, fault: untypedColumn(each.settings, untyped) };
    const sql = texts.get(each) ?? [];
    const changing = functions.filter(({ name }) => sql.some((text) => calledIn(text).includes(name)));
    const { selection } = each.settings;
    const relation = each.table ? selectFrom(each.table, selection, own) : queryRelation(each.name, own);
    const isUsual = found.value.isUsual && !relation.columns.some(printsByPath);
    return {
      ...source,
      relation,
      changing,
      isSteady: changing.length === 0 && !sql.some(hasChangingWord),
      rows: 'select' in source.rows ? describedRows(source.rows, found.value, isUsual) : source.rows,
      types: fields,
    };
  });
}

const describedRows = (
  { inGroups: groups, ...rows }: SelectedRows,
  { fitsPartitions }: Described,
  isUsual: boolean,
): SelectedRows => ({
  ...rows,
  isUsual,
  ...(groups && fitsPartitions && { inGroups: { ...groups, isUsual } }),
});

const textsOf = ({ where, transform, query }: Selection): string[] => [
  ...(where === null ? [] : [where]),
  ...transform.map(({ expression }) => expression),
  ...(query === null ? [] : [query]),
];
