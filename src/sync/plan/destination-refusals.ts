/** Reasons at the destination that prevent a sync of a table. Pure. */
import { IncrepError } from '../../errors.ts';
import { listed, LISTED } from '../../format.ts';
import type { SchemaAccess } from '../../postgres/catalog.ts';
import { MAX_NAME_BYTES, printName } from '../../schema/names.ts';
import { isReadableTable, type Relation } from '../../schema/relations.ts';
import { stagingMark } from '../../sql/destination.ts';
import { ident, qualified } from '../../sql/identifiers.ts';
import { giveTableTo, grantCreate } from '../../sql/inspect.ts';
import { OWN_TABLES, stateTable } from '../../sql/state.ts';
import type { TableFacts } from '../facts/facts.ts';
import { checkDirection, type SwapSign } from '../facts/swap-signs.ts';
import type { DraftPlan } from './plan.ts';
import { typeRefusals } from './type-refusals.ts';

export function destinationRefusals(now: TableFacts): IncrepError[] {
  if (now.saved.kind === 'foreign')
    return [new IncrepError('STATE_MISMATCH', { what: now.saved.what, next: now.saved.next })];
  const found = [schemaRefusal(now), ...relationRefusals(now), longName(now)];
  return [
    ...found.filter((error) => error !== undefined),
    ...typeRefusals(now),
    ...(now.mergeFault ? [now.mergeFault] : []),
  ];
}

/** A name of 63 bytes in LATIN1 can be longer in UTF8, and Postgres would truncate it silently. */
function longName({ source, settings, servers }: TableFacts): IncrepError | undefined {
  const column = source?.columns.find(({ name }) => Buffer.byteLength(name) > MAX_NAME_BYTES);
  if (!source || !column || servers.destination.encoding !== 'UTF8') return undefined;
  return new IncrepError('ENCODING_MISMATCH', {
    what: `the name of column "${column.name}" of ${printName(source.name)} has ${Buffer.byteLength(column.name)} bytes in UTF8, the encoding of the destination, and the limit is ${MAX_NAME_BYTES}`,
    next: `Give the column a shorter name. Or create a view that does, and set "name" of "${settings.name}" to that view.`,
  });
}

const schemaRefusal = ({
  destinationSchema,
  destinationName: { schema },
  destination,
  stateTable: state,
  swapSign,
}: TableFacts): IncrepError | undefined => {
  const fault =
    schemaFault(schema, destinationSchema, destination !== undefined && state !== 'none') ??
    (state === 'unreadable' ? unreadableState(schema, destinationSchema) : undefined);
  return fault && swapSign ? afterDirection(fault, swapSign) : fault;
};

/** The statement comes last, because a statement that comes first is run, and this may be the real source. */
const afterDirection = ({ code, message, next }: IncrepError, sign: SwapSign): IncrepError =>
  new IncrepError(code, {
    what: `source and destination may be swapped, because the source has the state of a pipeline; ${message}`,
    next: `${checkDirection(sign)} If it is right:\n${next.replace(`\n${SWAP_CHECK}`, '')}`,
  });

const unreadableState = (schema: string, { role, database }: SchemaAccess): IncrepError =>
  new IncrepError('PRIVILEGE_MISSING', {
    what: `role "${role}" may not read ${printName(stateTable(schema))} at the destination (database "${database}"), where increp keeps its state`,
    next: `At the destination, run: GRANT SELECT, INSERT, UPDATE, DELETE ON ${qualified(stateTable(schema))} TO ${ident(role)}`,
  });

/** Comes last and on a line of its own, so that the statement above it can be copied. */
export const SWAP_CHECK = 'Also check that source and destination are not swapped.';

/** Why increp cannot use a schema. It needs no right to create tables there if its tables exist already. */
export function schemaFault(
  schema: string,
  access: SchemaAccess,
  areTablesThere: boolean,
  setting = 'DEST_SCHEMA (or "dest_schema")',
): IncrepError | undefined {
  const others =
    access.otherSchemas.length === 0
      ? ''
      : `\nOr set ${setting} to a schema where this role may create tables: ${listed(access.otherSchemas, LISTED)}.`;
  if (!access.exists && !access.canCreateSchema) {
    return new IncrepError('PRIVILEGE_MISSING', {
      what: `the destination (database "${access.database}") has no schema "${schema}", and role "${access.role}" may not create it`,
      next: `At the destination, run: CREATE SCHEMA ${ident(schema)} AUTHORIZATION ${ident(access.role)}${others}`,
    });
  }
  if (access.exists && !(access.canUse && (access.canCreate || areTablesThere))) {
    return new IncrepError('PRIVILEGE_MISSING', {
      what: `role "${access.role}" may not create tables in schema "${schema}" of the destination (database "${access.database}")`,
      next: `At the destination, run: ${grantCreate(schema, access.role)}${areTablesThere ? '' : `${others}\n${SWAP_CHECK}`}`,
    });
  }
  return undefined;
}

/** If the schema does not exist, increp creates it. */
export const mayStage = ({
  destinationSchema: { exists, canUse, canCreate },
}: Pick<TableFacts, 'destinationSchema'>): boolean => !exists || (canUse && canCreate);

/** A load creates the staging table again. An incremental sync creates it if there is none. */
export function stagingFault(facts: TableFacts, plan: DraftPlan): IncrepError | undefined {
  const {
    staging,
    stagingName,
    destinationSchema: { role, database },
  } = facts;
  const keepsStaging =
    staging !== undefined &&
    (plan.kind === 'incremental' || (plan.kind === 'load' && plan.adoption !== undefined));
  if (plan.kind === 'skip' || plan.kind === 'refuse' || keepsStaging || mayStage(facts)) return undefined;
  return new IncrepError('PRIVILEGE_MISSING', {
    what: `role "${role}" may not create the staging table ${printName(stagingName)} at the destination (database "${database}")`,
    next: `At the destination, run: ${grantCreate(stagingName.schema, role)}`,
  });
}

function relationRefusals(now: TableFacts): IncrepError[] {
  const { destination, staging, settings, stagingName, window } = now;
  if (OWN_TABLES.includes(settings.destinationTable)) return [ownName(now)];
  return [
    ...(destination ? unfit(now, destination) : []),
    ...(staging && staging.comment !== stagingMark(settings.destinationTable)
      ? [
          new IncrepError('STAGING_NAME_CONFLICT', {
            what: `${printName(stagingName)} exists at the destination, and increp did not create it: increp needs that name for its staging table`,
            next: `Rename or drop it, or set another "dest_name" for "${settings.name}".`,
          }),
        ]
      : []),
    ...(window
      ? [
          new IncrepError('STAGING_NAME_CONFLICT', {
            what: `${printName(window.name)} exists at the destination, and increp did not create it: increp needs that name to load "${settings.name}" in chunks`,
            next: 'Rename or drop it, or remove "chunk".',
          }),
        ]
      : []),
  ];
}

const ownName = ({ settings }: TableFacts): IncrepError =>
  new IncrepError('CONFIG_INVALID', {
    what: `the table name "${settings.destinationTable}" is reserved for the state of increp`,
    next: 'Set another "dest_name" for the table.',
  });

const unfit = ({ destinationSchema: { role }, saved }: TableFacts, destination: Relation): IncrepError[] => {
  const refusal = unfitDestination(destination, { role, isOurs: saved.kind === 'record' });
  return refusal ? [refusal] : [];
};

/** A statement here would be pasted, and the next load would replace the table of somebody else. */
export const NOT_OURS =
  'increp has no state of this table, so somebody else probably created it. Set another "dest_name" or "dest_schema". If the table is for increp, its owner must give it to this role.';

/** Why increp cannot write to an existing table or view at the destination. */
export function unfitDestination(
  destination: Relation,
  { role, isOurs }: { readonly role: string; readonly isOurs: boolean },
): IncrepError | undefined {
  if (destination.kind !== 'table')
    return new IncrepError('DEPENDENT_OBJECTS', {
      what: `${printName(destination.name)} at the destination is a ${destination.kind}, and increp writes only to ordinary tables`,
      next: 'Rename it, or set another "dest_name" for this table.',
    });
  if (isReadableTable(destination)) return undefined;
  return new IncrepError('PRIVILEGE_MISSING', {
    what: `role "${role}" may not read ${destination.canSelect ? 'all of ' : ''}${printName(destination.name)} at the destination${destination.owner === role ? '' : `, whose owner is "${destination.owner}"`}`,
    next: isOurs
      ? `At the destination, run as a superuser: ${giveTableTo(destination.name, role)}`
      : NOT_OURS,
  });
}
