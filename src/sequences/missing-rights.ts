/** Names the GRANT that the role of increp needs at the destination, because the server names only the object that it refused. */
import * as z from 'zod';
import { reworded, type IncrepError } from '../errors.ts';
import type { Database } from '../postgres/database.ts';
import { printName, tableKey, type TableName } from '../schema/names.ts';
import { ident, qualified } from '../sql/identifiers.ts';
import { giveTableTo } from '../sql/inspect.ts';
import { RIGHTS_ON } from '../sql/sequences.ts';

const rightsRow = z
  .object({
    schema: z.string(),
    relation: z.string(),
    isSequence: z.boolean(),
    canUseSchema: z.boolean(),
    canCreate: z.boolean(),
    canSelect: z.boolean(),
    canUpdate: z.boolean(),
    isOwner: z.boolean(),
    role: z.string(),
  })
  .transform(({ schema, relation, ...rest }) => ({ ...rest, name: { schema, table: relation } }));

export type Rights = Readonly<z.infer<typeof rightsRow>>;

/** What `increp sequences` uses at the destination for one column. */
export interface UsedRelations {
  /** Tables whose columns draw from the sequence. */
  readonly columns: readonly { readonly table: TableName; readonly column: string }[];
  readonly sequence: TableName;
  /** The table that gets the sequence. Undefined if the sequence exists. */
  readonly createdFor: TableName | undefined;
}

/** Adds the statements to a PRIVILEGE_MISSING. Returns any other error unchanged. */
export async function withMissingRights(
  destination: Database,
  used: UsedRelations,
  error: IncrepError,
): Promise<IncrepError> {
  if (error.code !== 'PRIVILEGE_MISSING') return error;
  try {
    const { columns, sequence, createdFor } = used;
    const relations = [
      ...columns.map(({ table, column }) => ({ ...table, column })),
      { ...sequence, column: null },
    ];
    const { rows } = await destination.withReading((client) =>
      client.query(RIGHTS_ON, [
        relations.map(({ schema }) => schema),
        relations.map(({ table }) => table),
        relations.map(({ column }) => column),
      ]),
    );
    const rights = z.array(rightsRow).parse(rows);
    const statements = neededStatements(rights, createdFor);
    const [first] = rights;
    return first === undefined || statements.length === 0
      ? error
      : reworded(error, {
          what: `role "${first.role}" may not set the sequence ${printName(sequence)}: ${error.message}`,
          next: `As ${rights.some((each) => mustBeGiven(each, createdFor)) ? 'a superuser' : 'the owner'}, run at the destination: ${statements.join('; ')}`,
          cause: error,
        });
  } catch {
    // The original error matters more than a failed search for the statement.
    return error;
  }
}

/** The statements that give the role what it lacks. Only an owner can give a column a sequence. */
export function neededStatements(
  rights: readonly Rights[],
  createdFor: TableName | undefined,
): readonly string[] {
  const isCreatedFor = (each: Rights) => isTable(each, createdFor);
  return [
    ...new Set(
      rights.flatMap((each) => [
        ...schemaStatements(each, isCreatedFor(each)),
        ...(each.isSequence ? sequenceStatements(each) : tableStatements(each, createdFor)),
      ]),
    ),
  ];
}

function schemaStatements(
  { name, canUseSchema, canCreate, role }: Rights,
  isCreating: boolean,
): readonly string[] {
  const lacks = [...(canUseSchema ? [] : ['USAGE']), ...(isCreating && !canCreate ? ['CREATE'] : [])];
  return lacks.length === 0
    ? []
    : [`GRANT ${lacks.join(', ')} ON SCHEMA ${ident(name.schema)} TO ${ident(role)}`];
}

const sequenceStatements = ({ name, canSelect, canUpdate, role }: Rights): readonly string[] =>
  canSelect && canUpdate ? [] : [`GRANT SELECT, UPDATE ON SEQUENCE ${qualified(name)} TO ${ident(role)}`];

const isTable = ({ name }: Rights, table: TableName | undefined): boolean =>
  table !== undefined && tableKey(name) === tableKey(table);

const mustBeGiven = (each: Rights, createdFor: TableName | undefined): boolean =>
  !each.isSequence && !each.isOwner && isTable(each, createdFor);

function tableStatements(each: Rights, createdFor: TableName | undefined): readonly string[] {
  const { name, canSelect, role } = each;
  if (mustBeGiven(each, createdFor)) return [giveTableTo(name, role)];
  return canSelect ? [] : [`GRANT SELECT ON ${qualified(name)} TO ${ident(role)}`];
}
