/** Why a selection cannot be read: its SQL, its columns or their names. */
import type { TableSettings } from '../../config/settings.ts';
import { IncrepError } from '../../errors.ts';
import { excerptAt } from '../../excerpt.ts';
import type { SelectField, SqlRefusal } from '../../postgres/describe-select.ts';
import { HIDES_ROWS, NAME_INSIDE, VIEW_OF_ROWS } from '../../postgres/server-verdicts.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';
import { isOfNames } from '../../postgres/user-search-path.ts';
import type { Column } from '../../schema/columns.ts';
import { printName } from '../../schema/names.ts';
import type { Relation } from '../../schema/relations.ts';
import { SYSTEM_COLUMNS } from '../../schema/selection.ts';
import type { SqlWithQuotes } from '../../sql/row-source.ts';

export const sameName = (
  { name: table }: Relation,
  { name, columns }: { readonly name: string; readonly columns: readonly string[] },
): IncrepError =>
  new IncrepError('CONFIG_INVALID', {
    what: `the columns ${columns.map((column) => `"${column}"`).join(' and ')} of ${printName(table)} would both be "${name}" at the destination`,
    next: `Correct "rename" of "${table.table}" in tables-config.json, or leave one of the columns out.`,
  });

export const untypedColumn = (
  { name, selection }: Pick<TableSettings, 'name' | 'selection'>,
  column: Column,
): IncrepError =>
  new IncrepError('SQL_INVALID', {
    what: `"${selection.query === null ? `transform.${column.name}` : 'query'}" of "${name}": the column "${column.name}" is of type ${column.type}, which no table can hold`,
    next: 'Cast the expression to a type that a column can have, for example its text: (...)::text.',
  });

/** Columns of a query need names that a table can have. */
export function unfitFields(table: string, fields: readonly SelectField[]): IncrepError | undefined {
  const names = fields.map(({ name }) => name);
  const duplicate = names.find((name, index) => names.indexOf(name) !== index);
  const unnamed = names.findIndex((name) => name === '?column?');
  const taken = names.find((name) => SYSTEM_COLUMNS.includes(name));
  const fault =
    unnamed >= 0
      ? `column ${unnamed + 1} has no name`
      : duplicate !== undefined
        ? `several columns have the name "${duplicate}"`
        : taken === undefined
          ? undefined
          : `"${taken}" is the name of a system column, which no other column can have`;
  return fault === undefined
    ? undefined
    : new IncrepError('SQL_INVALID', {
        what: `"query" of "${table}": ${fault}`,
        next: `Give each column a different name with AS, in "query" of "${table}" in tables-config.json.`,
      });
}

/** Characters of the excerpt, so that it fits on a line of a terminal. */
const SHOWN = 50;

/** `side`: the server that evaluates the SQL. */
export function refusedSql(
  table: string,
  refusal: SqlRefusal,
  { quotes }: SqlWithQuotes,
  side: 'source' | 'destination' = 'source',
): IncrepError {
  const { position, sqlstate, message, hint, routine } = refusal;
  const quote =
    position === undefined ? undefined : quotes.find(({ from, to }) => position >= from && position <= to);
  const [only] = new Set(quotes.map(({ option }) => option));
  const option = quote?.option ?? (quotes.length === 1 ? only : undefined);
  const at = quote && position !== undefined ? unitsIn(quote.text, position - quote.from) : undefined;
  const place = quote && at !== undefined ? `\n${indented(excerptAt(quote.text, at, SHOWN).excerpt)}` : '';
  const hidesRows = routine === HIDES_ROWS;
  const code = hidesRows
    ? 'ROW_SECURITY'
    : sqlstate === SQLSTATE.insufficientPrivilege
      ? 'PRIVILEGE_MISSING'
      : 'SQL_INVALID';
  return new IncrepError(code, {
    what: `${option === undefined ? 'SQL' : `"${option}"`} of "${table}": ${inTermsOfSettings(message)}${place}`,
    next: [
      position === undefined && isOfNames(sqlstate)
        ? NAME_INSIDE
        : hidesRows
          ? `At the ${side}, run as a superuser: ALTER ROLE ... BYPASSRLS, with the name of the role of increp or of the owner of a view. ${VIEW_OF_ROWS}`
          : sqlstate === SQLSTATE.insufficientPrivilege
            ? `At the ${side}, grant the privilege to the role of increp, or change the SQL.`
            : `Correct ${option === undefined ? 'the SQL' : `"${option}"`} of "${table}" in tables-config.json; the ${side} evaluates it.${/^(42883|42704|42P01)$/.test(sqlstate) ? ' Names outside pg_catalog need their schema in front.' : ''}`,
      ...(hint === undefined ? [] : [`The ${side} adds: ${hint}`]),
    ].join(' '),
    sqlstate,
    ...(quote &&
      at !== undefined &&
      sqlstate === SQLSTATE.undefinedColumn && { column: columnAt(quote.text.slice(at)) }),
  });
}

const NAME = String.raw`"(?:[^"]|"")+"|[\p{L}_][\p{L}\p{N}_$]*`;
const COLUMN = new RegExp(String.raw`^(?:(?:${NAME})\s*\.\s*)*(${NAME})`, 'u');

/** The name of the column at the start of the text, without its table. */
function columnAt(text: string): string | undefined {
  const name = COLUMN.exec(text)?.[1];
  return name?.startsWith('"') === true ? name.slice(1, -1).replaceAll('""', '"') : name?.toLowerCase();
}

/** increp describes an expression in the condition of a join. The user wrote it as a transform. */
const inTermsOfSettings = (message: string): string => message.replace('JOIN conditions', 'transform');

const indented = (text: string): string => text.replaceAll(/^/gm, '    ');

/** The server counts characters, and JavaScript counts UTF-16 code units. */
const unitsIn = (text: string, characters: number): number =>
  Array.from(text).slice(0, characters).join('').length;
