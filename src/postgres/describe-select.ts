/** Asks the server for the columns of a SELECT. No rows are read. */
import pg from 'pg';
import * as z from 'zod';
import { columnSchema, type Column } from '../schema/columns.ts';
import { DESCRIBE_COLUMNS } from '../sql/catalog.ts';

/** A type as the protocol names it. A domain appears as its base type. */
export interface ProtocolType {
  /** oid */
  readonly type: number;
  readonly modifier: number;
}

export interface SelectField extends ProtocolType {
  readonly name: string;
}

/** Why the server cannot evaluate the statement. */
export interface SqlRefusal {
  readonly sqlstate: string;
  readonly message: string;
  readonly hint: string | undefined;
  /** The function of the server that raised the error. */
  readonly routine?: string | undefined;
  /** In characters, from 1. */
  readonly position: number | undefined;
}

interface ExtendedQuery extends pg.QueryConfig {
  readonly queryMode: 'extended';
}

/**
 * Uses the extended protocol, which accepts exactly one statement. @throws the error of pg if the statement is not
 * its cause
 */
export async function describeSelect(
  client: pg.ClientBase,
  text: string,
): Promise<readonly SelectField[] | SqlRefusal> {
  const query: ExtendedQuery = { text, queryMode: 'extended' };
  try {
    const { fields } = await client.query(query);
    return fields.map(({ name, dataTypeID, dataTypeModifier }) => ({
      name,
      type: dataTypeID,
      modifier: dataTypeModifier,
    }));
  } catch (error) {
    const refusal = refusalIn(error);
    if (!refusal) throw error;
    return refusal;
  }
}

/**
 * Classes of SQLSTATE: features, cardinality, values, a read-only transaction, names and syntax, limits of
 * statements, errors of functions.
 */
const OF_STATEMENT = /^(0A|21|22|25006|2F|38|39|3F|42|54|P0)/;

function refusalIn(error: unknown): SqlRefusal | undefined {
  if (!(error instanceof pg.DatabaseError) || error.code === undefined || !OF_STATEMENT.test(error.code))
    return undefined;
  const { code, message, hint, position, routine } = error;
  return {
    sqlstate: code,
    message,
    hint,
    routine,
    position: position === undefined ? undefined : Number(position),
  };
}

const changingFunction = z.object({ name: z.string(), isVolatile: z.boolean() });
export type ChangingFunction = Readonly<z.infer<typeof changingFunction>>;

const describedRow = z.object({
  columns: z.array(columnSchema),
  withoutType: z.array(z.number()),
  functions: z.array(changingFunction),
});

interface DescribedFields {
  readonly columns: readonly Column[];
  /** Positions, from 1, of columns whose type no table can have: `record`, `void`. */
  readonly withoutType: readonly number[];
  readonly functions: readonly ChangingFunction[];
}

/**
 * The types of these columns from the catalog, and the functions that may return another result for the same values.
 */
export async function describeFields(
  client: pg.ClientBase,
  fields: readonly SelectField[],
  functions: readonly string[],
): Promise<DescribedFields> {
  const { rows } = await client.query(DESCRIBE_COLUMNS, [
    fields.map(({ name }) => name),
    fields.map(({ type }) => type),
    fields.map(({ modifier }) => modifier),
    functions,
  ]);
  return describedRow.parse(rows[0]);
}
