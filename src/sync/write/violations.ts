/** Errors for constraints of the destination table that refuse rows of the source. */
import type pg from 'pg';
import * as z from 'zod';
import { IncrepError, reworded } from '../../errors.ts';
import { printName, type TableName } from '../../schema/names.ts';
import { copyKey, isAppend } from '../../schema/row-identity.ts';
import { tableCommand } from '../../shell-word.ts';
import { deleteRow, FOREIGN_KEY, rowsInTheWay, UNIQUE_INDEX } from '../../sql/constraints.ts';
import { ident, qualified } from '../../sql/identifiers.ts';
import type { Merge } from '../../sql/merge.ts';
import type { CopyFacts } from '../facts/facts.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';

const KINDS = {
  [SQLSTATE.uniqueViolation]: 'unique',
  [SQLSTATE.exclusionViolation]: 'unique',
  [SQLSTATE.foreignKeyViolation]: 'foreign key',
} as const;

export interface Violation {
  readonly kind: 'unique' | 'foreign key';
  readonly sqlstate: string;
  readonly constraint: string;
  /** The table of the constraint. */
  readonly table: TableName;
  readonly message: string;
  readonly detail: string;
  readonly cause: unknown;
}

const serverError = z.object({
  code: z.enum([SQLSTATE.uniqueViolation, SQLSTATE.exclusionViolation, SQLSTATE.foreignKeyViolation]),
  schema: z.string(),
  table: z.string(),
  constraint: z.string(),
  message: z.string(),
  detail: z.string().optional(),
});

/** Undefined for any other error. */
export function violationOf(error: unknown): Violation | undefined {
  const said = error instanceof IncrepError ? error.cause : error;
  const { data } = serverError.safeParse(said);
  if (!data) return undefined;
  const { code, schema, table, constraint, message, detail = '' } = data;
  return {
    kind: KINDS[code],
    sqlstate: code,
    constraint,
    table: { schema, table },
    message,
    detail,
    cause: error,
  };
}

const indexRow = z.object({
  isConstraint: z.boolean(),
  expressions: z.array(z.string()),
  predicate: z.string().nullable(),
  operators: z.array(z.string().nullable()),
  drop: z.string(),
  create: z.array(z.string()),
});
export type UniqueIndex = Readonly<z.infer<typeof indexRow>>;

export const readUniqueIndex = async (
  client: pg.ClientBase,
  { table: { schema, table }, constraint }: Violation,
): Promise<UniqueIndex | undefined> =>
  indexRow.optional().parse((await client.query(UNIQUE_INDEX, [schema, table, constraint])).rows[0]);

const pairRow = z.object({
  comesIn: z.array(z.string().nullable()),
  isThere: z.array(z.string().nullable()),
});
type Pair = Readonly<z.infer<typeof pairRow>>;

interface RowConflict {
  readonly where: 'destination' | 'source';
  readonly pair: Pair;
}

/** Finds two rows that the index does not allow together; undefined if there are none. */
export async function findRowsInTheWay(
  client: pg.ClientBase,
  { destination: table, staging, mergeKey: key }: Merge,
  index: UniqueIndex | undefined,
): Promise<RowConflict | undefined> {
  if (!index || key.length === 0) return undefined;
  const { expressions, predicate } = index;
  const operators = index.operators.flatMap((operator) => operator ?? []);
  if (operators.length < expressions.length) return undefined;
  await client.query('SAVEPOINT increp_look');
  try {
    for (const where of ['destination', 'source'] as const) {
      const statement = rowsInTheWay({ table, staging, key, expressions, operators, predicate }, where);
      const pair = pairRow.optional().parse((await client.query(statement)).rows[0]);
      if (pair) return { where, pair };
    }
  } catch {
    // The index may use columns that only the destination has. Then the message of the server must suffice.
    await client.query('ROLLBACK TO SAVEPOINT increp_look');
  }
  return undefined;
}

export function uniqueRefusal(
  facts: CopyFacts,
  violation: Violation,
  found: RowConflict | undefined,
  index: UniqueIndex | undefined,
): IncrepError {
  const { destinationName: table, settings } = facts;
  const key = copyKey(settings).filter((name) => !name.startsWith('_source'));
  const rowWords = (values: Pair['comesIn']) =>
    `(${key.join(', ')}) = (${values.map((value) => value ?? 'NULL').join(', ')})`;
  const noun = index?.isConstraint === false ? 'unique index' : 'constraint';
  const meeting =
    found === undefined
      ? ''
      : found.where === 'source'
        ? `; at the source both the row ${rowWords(found.pair.comesIn)} and the row ${rowWords(found.pair.isThere)} have that value`
        : `; the row ${rowWords(found.pair.comesIn)} of the source conflicts with the row ${rowWords(found.pair.isThere)} of the destination`;
  return new IncrepError('CONSTRAINT_VIOLATED', {
    what: `${noun} ${ident(violation.constraint)} of ${printName(table)} at the destination refuses a row: ${violation.detail || violation.message}${meeting}`,
    next: uniqueAdvice(facts, found, index, key),
    sqlstate: violation.sqlstate,
    cause: violation.cause,
  });
}

function uniqueAdvice(
  { settings, destinationName: table }: CopyFacts,
  found: RowConflict | undefined,
  index: UniqueIndex | undefined,
  key: readonly string[],
): string {
  const drop = index ? `Run at the destination: ${index.drop}` : 'Drop the constraint at the destination.';
  if (isAppend(settings))
    return `The table keeps every version of a row, so two versions may have the same value. ${drop}`;
  if (found?.where === 'source')
    return `The source does not keep these values unique, so the destination cannot do so either. ${drop}`;
  if (found === undefined)
    return `Nothing was changed. Compare the rows that have this value on both sides. If the source does not keep the value unique, drop the constraint. ${drop}`;
  if (settings.deletes === 'soft')
    return `Rows that are marked as deleted keep their values. Replace the constraint with a unique index that has WHERE "_deleted_at" IS NULL. ${drop}`;
  if (settings.deletes === 'keep')
    return `If that row is gone from the source, it is kept ("deletes": "keep") with its value. Replace the constraint with an index that is not unique, or delete the row at the destination: ${deleteRow(table, key, found.pair.isThere)}. ${drop}`;
  const isKept = settings.deletes === 'ignore' ? ' With "deletes": "hard", each sync removes such rows.' : '';
  return [
    `If the source has both rows, it does not keep the value unique: drop the constraint. ${drop}`,
    `If that row is gone or changed at the source, delete it at the destination: ${deleteRow(table, key, found.pair.isThere)}.${isKept} Or run "${tableCommand('verify', settings.name, '--repair')}".`,
  ].join('\n');
}

const keyRow = z.object({
  schema: z.string(),
  table: z.string(),
  parentSchema: z.string(),
  parentTable: z.string(),
  isSelf: z.boolean(),
  definition: z.string(),
});

export interface ForeignKey {
  readonly child: TableName;
  readonly parent: TableName;
  readonly isSelf: boolean;
  readonly definition: string;
}

export async function readForeignKey(
  client: pg.ClientBase,
  { table: { schema, table }, constraint }: Violation,
): Promise<ForeignKey | undefined> {
  const row = keyRow.optional().parse((await client.query(FOREIGN_KEY, [schema, table, constraint])).rows[0]);
  return (
    row && {
      child: { schema: row.schema, table: row.table },
      parent: { schema: row.parentSchema, table: row.parentTable },
      isSelf: row.isSelf,
      definition: row.definition,
    }
  );
}

/** A row refers to a row that is missing, or other rows still refer to a row that must be removed or changed. */
export function foreignKeyRefusal(
  { destinationName, settings }: CopyFacts,
  violation: Violation,
  key: ForeignKey | undefined,
): IncrepError {
  const isChild = isSameTable(violation.table, destinationName);
  const other = isChild ? 'another table' : printName(destinationName);
  const [child, parent] = [printName(violation.table), key ? printName(key.parent) : other];
  const drop = `ALTER TABLE ${qualified(violation.table)} DROP CONSTRAINT ${ident(violation.constraint)}`;
  const next = isChild
    ? `Sync ${parent} in the same run as "${settings.name}", so that increp syncs the referenced rows first. To see which rows ${parent} lacks, run "increp verify". If the source does not have them, drop the foreign key at the destination: ${drop}`
    : `Rows of ${child} still refer to the row. Sync ${child} in the same run. If it keeps rows that are gone from the source, set "deletes": "hard" for it. Or drop the foreign key at the destination: ${drop}`;
  return new IncrepError('CONSTRAINT_VIOLATED', {
    what: `foreign key ${ident(violation.constraint)} of ${child} on ${parent} at the destination refuses ${isChild ? 'a row' : `a change of ${printName(destinationName)}`}: ${violation.detail || violation.message}`,
    next,
    sqlstate: violation.sqlstate,
    cause: violation.cause,
  });
}

/** For a row that is gone from the source. Other rows still refer to it, and another row has its unique value at the source. */
export const takenOver = ({ settings: { name } }: CopyFacts, refusal: IncrepError): IncrepError =>
  reworded(refusal, {
    what: refusal.message,
    next: `Another row of "${name}" takes over a unique value of that row, so that row must be removed first. ${refusal.next}`,
    cause: refusal,
  });

export const isSameTable = (one: TableName, other: TableName): boolean =>
  one.schema === other.schema && one.table === other.table;
