/** What is read of each source: the table as it is, or what its entry selects of it, as the server describes that. */
import type pg from 'pg';
import type { TableSettings } from '../../config/settings.ts';
import { IncrepError } from '../../errors.ts';
import { excerptAt } from '../../excerpt.ts';
import {
  describeFields,
  describeSelect,
  type ChangingFunction,
  type Field,
  type SqlRefusal,
  type TypeUse,
} from '../../postgres/describe-select.ts';
import { isOfNames, meansTheSame } from '../../postgres/usual-path.ts';
import { NAME_INSIDE } from '../../postgres/server-errors.ts';
import { printsByPath, type Column } from '../../schema/columns.ts';
import type { TableName } from '../../schema/names.ts';
import { hasSystemColumns, queryRelation, selectFrom, type Relation } from '../../schema/relations.ts';
import {
  hasSql,
  optionsOf,
  selectColumns,
  SYSTEM_COLUMNS,
  unknownColumnOf,
  type Selection,
} from '../../schema/selection.ts';
import {
  describeQuery,
  describeTable,
  queriedRows,
  selectedRows,
  type Description,
  type RowSource,
  type TableSelection,
} from '../../sql/row-source.ts';
import { PINNED_PATH, TO_USUAL_PATH } from '../../sql/search-path.ts';
import { calledIn, hasChangingWord } from '../../sql/user-sql.ts';
import { columnNotFound } from './column-not-found.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';

/** What the server says of a selection. */
export interface Selected {
  /** Why the selection means nothing. */
  readonly fault: IncrepError | undefined;
  /** Functions of the operator's SQL that may give something else for the same row. */
  readonly changing: readonly ChangingFunction[];
  /** Whether the same row is selected, and transformed, alike as long as nobody writes it. */
  readonly isSteady: boolean;
  /** Of columns that no catalog knows. */
  readonly types: readonly TypeUse[];
}

export interface SelectedSource extends Selected {
  /** What is copied. Undefined where the table is not there. */
  readonly relation: Relation | undefined;
  readonly rows: RowSource;
}

/** One that may have a selection. */
export interface Selectable {
  readonly settings: Pick<TableSettings, 'name' | 'selection'>;
  readonly name: TableName;
  /** As the catalog describes the table. */
  readonly table: Relation | undefined;
}

const asItIs = ({ name, table }: Selectable): SelectedSource => ({
  relation: table,
  rows: table?.columns.some(printsByPath) === true ? { ...name, isPinned: true } : name,
  fault: undefined,
  changing: [],
  isSteady: true,
  types: [],
});

/** Whatever costs nothing to be known; the server is asked about the rest. */
function selectSource(selectable: Selectable): SelectedSource {
  const { settings, name, table } = selectable;
  const { selection } = settings;
  const plain = asItIs(selectable);
  if (selection.query !== null)
    return { ...plain, relation: queryRelation(name, []), rows: queriedRows(selection.query, name.table) };
  if (optionsOf(selection).length === 0 || !table) return plain;
  const unknown = unknownColumnOf(selection, table.columns);
  if (unknown) {
    const names = table.columns.map((column) => column.name);
    return { ...plain, fault: columnNotFound(table, unknown.option, unknown.name, names) };
  }
  return {
    ...plain,
    relation: selectFrom(table, selection, []),
    rows: selectedRows(tableSelection(selection, table)),
  };
}

const tableSelection = (selection: Selection, table: Relation): TableSelection => ({
  table: table.name,
  columns: selectColumns(selection, table.columns),
  where: selection.where,
  hasSystemColumns: hasSystemColumns(table),
});

/** A savepoint: a failed statement would end the transaction. */
const BEFORE = 'increp_describe';

/**
 * A round trip for each that has SQL of its operator's, and one for all of them. `goesOn`: each that means nothing is a fault of
 * its own. @throws IncrepError otherwise, for the first one
 */
export async function describeSources(
  client: pg.ClientBase,
  selectables: readonly Selectable[],
  goesOn: boolean,
): Promise<SelectedSource[]> {
  const sources = selectables.map((each) => ({ each, source: selectSource(each) }));
  const asked = sources.filter(({ each, source }) => isDescribed(each, source));
  if (asked.length === 0) return sources.map(({ source }) => source);
  await client.query(`SAVEPOINT ${BEFORE}`);
  const described = new Map<Selectable, Described | IncrepError>();
  for (const { each } of asked) {
    const found = await describe(client, each);
    if (found instanceof IncrepError && !goesOn) throw found;
    if (found instanceof IncrepError) await client.query(`ROLLBACK TO SAVEPOINT ${BEFORE}`);
    described.set(each, found);
  }
  return withTypes(client, sources, described);
}

/** What may not be read is said in words of ours. */
const isDescribed = ({ settings: { selection } }: Selectable, { relation, fault }: SelectedSource): boolean =>
  hasSql(selection) &&
  !fault &&
  relation !== undefined &&
  relation.canSelect &&
  relation.unreadableColumns.length === 0;

/**
 * Names that the operator wrote mean what they mean under the pinned path. To plan the statement, the server may also have
 * to look into functions of people, behind an index or a view, and these need the path of the role. What it refuses there has
 * no place in the statement. The names keep their meaning where that path has nothing else that is called so.
 */
async function describeAsUsual(
  client: pg.ClientBase,
  statement: string,
): Promise<{ readonly found: readonly Field[] | SqlRefusal; readonly isUsual: boolean }> {
  const pinned = { found: await describeSelect(client, statement), isUsual: false };
  const { found } = pinned;
  if (!('message' in found) || found.position !== undefined || !isOfNames(found.sqlstate)) return pinned;
  await client.query(`ROLLBACK TO SAVEPOINT ${BEFORE}`);
  if (!(await meansTheSame(client, statement))) return pinned;
  await client.query(TO_USUAL_PATH);
  const again = await describeSelect(client, statement);
  // What is refused has ended the transaction, up to the savepoint.
  if (!('message' in again)) await client.query(PINNED_PATH);
  return { found: again, isUsual: true };
}

interface Described {
  readonly fields: readonly Field[];
  readonly isUsual: boolean;
}

/** Of the columns of the table itself the catalog knows more. */
async function describe(
  client: pg.ClientBase,
  { settings, table }: Selectable,
): Promise<Described | IncrepError> {
  const { selection } = settings;
  const description =
    selection.query !== null
      ? describeQuery(selection.query)
      : table && describeTable(tableSelection(selection, table));
  if (!description) throw new Error('a table that is not there was described');
  const { found, isUsual } = await describeAsUsual(client, description.sql);
  if ('message' in found) return refusedSql(settings.name, found, description);
  if (selection.query !== null) return unfitFields(settings.name, found) ?? { fields: found, isUsual };
  const isMade = ({ name }: Field) => selection.transform.some(({ column }) => column === name);
  return { fields: found.filter(isMade), isUsual };
}

async function withTypes(
  client: pg.ClientBase,
  sources: readonly { readonly each: Selectable; readonly source: SelectedSource }[],
  described: ReadonlyMap<Selectable, Described | IncrepError>,
): Promise<SelectedSource[]> {
  const fieldsOf = (each: Selectable): readonly Field[] => {
    const found = described.get(each);
    return found === undefined || found instanceof IncrepError ? [] : found.fields;
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
    if (found instanceof IncrepError) return { ...source, fault: found };
    const { fields } = found;
    const own = columns.slice(next, next + fields.length);
    const untyped = own.find((_column, index) => withoutType.includes(next + index + 1));
    next += fields.length;
    if (untyped) return { ...source, fault: untypedColumn(each.settings, untyped) };
    const sql = texts.get(each) ?? [];
    const changing = functions.filter(({ name }) => sql.some((text) => calledIn(text).includes(name)));
    const { selection } = each.settings;
    const relation = each.table ? selectFrom(each.table, selection, own) : queryRelation(each.name, own);
    const isUsual = found.isUsual && !relation.columns.some(printsByPath);
    return {
      ...source,
      relation,
      changing,
      isSteady: changing.length === 0 && !sql.some(hasChangingWord),
      rows: 'select' in source.rows ? { ...source.rows, isUsual } : source.rows,
      types: fields,
    };
  });
}

const textsOf = ({ where, transform, query }: Selection): string[] => [
  ...(where === null ? [] : [where]),
  ...transform.map(({ expression }) => expression),
  ...(query === null ? [] : [query]),
];

const untypedColumn = ({ name, selection }: Selectable['settings'], column: Column): IncrepError =>
  new IncrepError('SQL_INVALID', {
    what: `"${selection.query === null ? `transform.${column.name}` : 'query'}" of "${name}": the column "${column.name}" is of type ${column.type}, which no table can hold`,
    next: 'Let the expression give one value of a type of its own, or its text: (...)::text.',
  });

/** Columns of a query need names that a table can have. */
function unfitFields(table: string, fields: readonly Field[]): IncrepError | undefined {
  const names = fields.map(({ name }) => name);
  const double = names.find((name, index) => names.indexOf(name) !== index);
  const unnamed = names.findIndex((name) => name === '?column?');
  const taken = names.find((name) => SYSTEM_COLUMNS.includes(name));
  const what =
    unnamed >= 0
      ? `its column number ${unnamed + 1} has no name`
      : double !== undefined
        ? `several of its columns are called "${double}"`
        : taken === undefined
          ? undefined
          : `"${taken}" is a name that no table can give to a column`;
  return what === undefined
    ? undefined
    : new IncrepError('SQL_INVALID', {
        what: `"query" of "${table}": ${what}`,
        next: `Give each column a name of its own with AS, in "query" of "${table}" in tables-config.json.`,
      });
}

/** Characters of a line that are shown, so that it fits on the line of a terminal. */
const SHOWN = 50;

function refusedSql(table: string, refusal: SqlRefusal, { quotes }: Description): IncrepError {
  const { position, sqlstate, message, hint } = refusal;
  const quote =
    position === undefined ? undefined : quotes.find(({ from, to }) => position >= from && position <= to);
  const [only] = new Set(quotes.map(({ option }) => option));
  const option = quote?.option ?? (quotes.length === 1 ? only : undefined);
  const place =
    quote && position !== undefined
      ? `\n${indented(excerptAt(quote.text, unitsIn(quote.text, position - quote.from), SHOWN).excerpt)}`
      : '';
  const code = sqlstate === SQLSTATE.insufficientPrivilege ? 'PRIVILEGE_MISSING' : 'SQL_INVALID';
  return new IncrepError(code, {
    what: `${option === undefined ? 'SQL' : `"${option}"`} of "${table}": ${inOurWords(message)}${place}`,
    next: [
      ...(hint === undefined ? [] : [`The server says: ${hint}`]),
      position === undefined && isOfNames(sqlstate)
        ? NAME_INSIDE
        : sqlstate === SQLSTATE.insufficientPrivilege
          ? 'Grant it at the source to the role that increp uses, or do without it.'
          : `Correct it in tables-config.json; it is evaluated by the source.${/^(42883|42704|42P01)$/.test(sqlstate) ? ' Only what is in pg_catalog is found without the name of its schema in front.' : ''}`,
    ].join(' '),
    sqlstate,
  });
}

/** That expressions are looked at in the condition of a join is no concern of whoever wrote them. */
const inOurWords = (message: string): string => message.replace('JOIN conditions', 'transform');

const indented = (text: string): string => text.replaceAll(/^/gm, '    ');

/** The server counts characters, JavaScript their halves. */
const unitsIn = (text: string, characters: number): number =>
  Array.from(text).slice(0, characters).join('').length;
