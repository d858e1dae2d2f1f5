/** What must be right before a table is touched: pure. The first thing that is not is the answer. */
import { IncrepError } from '../errors.ts';
import { nearest } from '../nearest.ts';
import type { SchemaAccess } from '../postgres/catalog.ts';
import { carriedType, type NativeCarriers } from '../schema/columns.ts';
import { keyTypeOf } from '../schema/keys.ts';
import { MAX_NAME_BYTES, printName } from '../schema/names.ts';
import { isReadableTable, type Relation } from '../schema/relations.ts';
import { DELETED_AT } from '../schema/own-columns.ts';
import { stagingMark } from '../sql/destination.ts';
import { ident, qualified } from '../sql/identifiers.ts';
import { OWN_TABLES, stateTable } from '../sql/state.ts';
import { columnNotFound } from './column-not-found.ts';
import type { TableFacts } from './facts.ts';
import { typeRefusal } from './type-refusals.ts';

export function refusalOf(now: TableFacts): IncrepError | undefined {
  return sourceRefusal(now) ?? destinationRefusal(now);
}

function sourceRefusal(now: TableFacts): IncrepError | undefined {
  const { source, settings } = now;
  if (settings.conflict !== undefined) return conflicting(now, settings.conflict);
  if (source?.kind === 'query') return now.selected.fault ?? columnRefusal(now, source);
  if (!now.sourceSchema.exists) return schemaNotFound(now);
  if (!now.sourceSchema.canUse)
    return missingPrivilege(now, `GRANT USAGE ON SCHEMA ${ident(now.sourceName.schema)}`);
  if (!source) return tableNotFound(now);
  if (source.columns.length === 0) return withoutColumns(now);
  if (!source.canSelect || (source.unreadableColumns.length > 0 && !isMisnamed(now)))
    return unreadable(now, source);
  if (source.filtersRows) return filtered(now);
  if (now.selected.fault) return now.selected.fault;
  return columnRefusal(now, source);
}

/** Then nobody knows what was to be read. */
const isMisnamed = ({ selected }: TableFacts): boolean => selected.fault?.code === 'COLUMN_NOT_FOUND';

/** Two tables that a pattern has found, or one and a table with an entry of its own. */
const conflicting = ({ sourceName, settings }: TableFacts, why: string): IncrepError =>
  new IncrepError('CONFIG_INVALID', {
    what: `${printName(sourceName)} comes from the pattern "${settings.pattern}" and has no place of its own: ${why}`,
    next: `Give it an entry of its own in tables-config.json, with "dest_name" or with "enabled": false.`,
  });

/** A label that is the bare name of the table is one of SOURCE_SCHEMA. */
const isOfPipelinesSchema = ({ settings: { name }, sourceName }: TableFacts): boolean =>
  name === sourceName.table;

const schemaNotFound = (now: TableFacts): IncrepError =>
  new IncrepError('TABLE_NOT_FOUND', {
    what: `the source has no schema "${now.sourceName.schema}" (${isOfPipelinesSchema(now) ? 'SOURCE_SCHEMA' : '"schema" of the table'})`,
    next: isOfPipelinesSchema(now)
      ? 'Set SOURCE_SCHEMA to the schema that holds the tables, spelled as Postgres stores it.'
      : 'Correct "schema" in tables-config.json: it is written as Postgres stores it, capitals included.',
  });

function tableNotFound({ sourceName, otherSourceNames }: TableFacts): IncrepError {
  const near = nearest(sourceName.table, otherSourceNames);
  return new IncrepError('TABLE_NOT_FOUND', {
    what: `the source has no table ${printName(sourceName)}${near === undefined ? '' : `; did you mean "${near}"?`}`,
    next: 'Correct "name" in tables-config.json: it is written as Postgres stores it, capitals included.',
  });
}

const withoutColumns = ({ sourceName, settings }: TableFacts): IncrepError =>
  new IncrepError('CONFIG_INVALID', {
    what: `${printName(sourceName)} has no columns, so there is nothing to copy`,
    next: `Set "enabled": false for "${settings.name}" in tables-config.json, or remove it there.`,
  });

const missingPrivilege = ({ sourceSchema }: TableFacts, grant: string): IncrepError =>
  new IncrepError('PRIVILEGE_MISSING', {
    what: `role "${sourceSchema.role}" lacks a privilege at the source`,
    next: `At the source, run: ${grant} TO ${ident(sourceSchema.role)}`,
  });

function unreadable(now: TableFacts, { unreadableColumns, columns }: Relation): IncrepError {
  const isWhole = unreadableColumns.length === columns.length;
  const columnList = unreadableColumns.map((name) => `"${name}"`).join(', ');
  return new IncrepError('PRIVILEGE_MISSING', {
    what: isWhole
      ? `role "${now.sourceSchema.role}" may not read ${printName(now.sourceName)} at the source`
      : `role "${now.sourceSchema.role}" may not read ${columnList} of ${printName(now.sourceName)} at the source`,
    next: `${isWhole ? '' : `If the copy can do without, leave ${unreadableColumns.length === 1 ? 'it' : 'them'} out with "exclude_columns". `}At the source, run: GRANT SELECT ON ${qualified(now.sourceName)} TO ${ident(now.sourceSchema.role)}`,
  });
}

const filtered = ({ sourceName, sourceSchema }: TableFacts): IncrepError =>
  new IncrepError('ROW_SECURITY', {
    what: `row-level security would hide rows of ${printName(sourceName)} from role "${sourceSchema.role}"`,
    next: `A copy without those rows would look complete. At the source: ALTER ROLE ${ident(sourceSchema.role)} BYPASSRLS, or disable row security for the table.`,
  });

/** Of a table of Postgres. */
const MAX_COLUMNS = 1600;

const tooManyColumns = ({ name, columns }: Relation, own: number): IncrepError =>
  new IncrepError('NOT_SUPPORTED', {
    what: `${printName(name)} has ${columns.length} columns, and "deletes": "soft" or "metadata_columns" ${own === 1 ? 'adds one' : `add ${own}`}: a table can have ${MAX_COLUMNS}`,
    next: 'Leave columns out with "exclude_columns", or set neither option for this table.',
  });

function columnRefusal({ settings, natives }: TableFacts, source: Relation): IncrepError | undefined {
  const names = source.columns.map(({ name }) => name);
  for (const [key, wanted] of [
    ...(settings.replicationKey === undefined ? [] : [['replication_key', settings.replicationKey] as const]),
    ...settings.mergeKey.map((name) => ['unique_cols', name] as const),
  ] as const) {
    if (!names.includes(wanted)) return columnNotFound(source, key, wanted, names);
  }
  if (settings.deletes === 'soft' && names.includes(DELETED_AT)) return takenMark(source);
  const own = (settings.deletes === 'soft' ? 1 : 0) + settings.metadataColumns.length;
  if (own > 0 && names.length + own > MAX_COLUMNS) return tooManyColumns(source, own);
  const taken = settings.metadataColumns.find((name) => names.includes(name));
  if (taken !== undefined) return takenColumn(source, taken);
  const replicationKey = source.columns.find(({ name }) => name === settings.replicationKey);
  if (replicationKey && !keyTypeOf(replicationKey)) {
    return new IncrepError('KEY_TYPE_UNSUPPORTED', {
      what: `the replication key "${replicationKey.name}" of ${printName(source.name)} is ${replicationKey.type}, which cannot order changes`,
      next: 'Choose a column of type timestamp, timestamptz or date, or an integer that only grows.',
    });
  }
  return unorderedMergeKey(source, settings.mergeKey, natives);
}

/** Types without a b-tree order: no index can keep them unique, so they cannot identify a row. */
const UNORDERED = /^(json|xml|point|line|lseg|box|path|polygon|circle|txid_snapshot|pg_snapshot)(\[\])?$/;

function unorderedMergeKey(
  source: Relation,
  mergeKey: readonly string[],
  natives: NativeCarriers,
): IncrepError | undefined {
  const column = source.columns.find(
    (candidate) => mergeKey.includes(candidate.name) && UNORDERED.test(carriedType(candidate, natives)),
  );
  return (
    column &&
    new IncrepError('KEY_TYPE_UNSUPPORTED', {
      what: `"${column.name}" of ${printName(source.name)} is ${column.type}, which cannot identify a row`,
      next: 'Choose columns of a type that Postgres can keep unique in "unique_cols".',
    })
  );
}

const takenMark = ({ name }: Relation): IncrepError =>
  new IncrepError('CONFIG_INVALID', {
    what: `${printName(name)} has a column "${DELETED_AT}" of its own, where "deletes": "soft" marks rows`,
    next: `Set "deletes" of "${name.table}" to "hard" or "ignore".`,
  });

const takenColumn = ({ name }: Relation, column: string): IncrepError =>
  new IncrepError('CONFIG_INVALID', {
    what: `${printName(name)} has a column "${column}" of its own, which increp would fill at the destination`,
    next: `Remove "${column}" from "metadata_columns" of "${name.table}", or rename the column at the source.`,
  });

function destinationRefusal(now: TableFacts): IncrepError | undefined {
  if (now.saved.kind === 'foreign')
    return new IncrepError('STATE_FOREIGN', { what: now.saved.what, next: now.saved.next });
  return schemaRefusal(now) ?? relationRefusal(now) ?? longName(now) ?? typeRefusal(now);
}

/** A name of 63 bytes in LATIN1 is longer in UTF8, and Postgres would cut it without a word. */
function longName({ source, settings, servers }: TableFacts): IncrepError | undefined {
  const column = source?.columns.find(({ name }) => Buffer.byteLength(name) > MAX_NAME_BYTES);
  if (!source || !column || servers.destination.encoding !== 'UTF8') return undefined;
  return new IncrepError('ENCODING_MISMATCH', {
    what: `the column "${column.name}" of ${printName(source.name)} has a name of ${Buffer.byteLength(column.name)} bytes in UTF8, the encoding of the destination, where ${MAX_NAME_BYTES} is the most`,
    next: `Give it a shorter name, or copy a view that does, and set "name" of "${settings.name}" to that view.`,
  });
}

const schemaRefusal = ({
  destinationSchema,
  destinationName: { schema },
  destination,
  stateTable: state,
}: TableFacts): IncrepError | undefined =>
  schemaFault(schema, destinationSchema, destination !== undefined && state !== 'none') ??
  (state === 'unreadable' ? unreadableState(schema, destinationSchema) : undefined);

const unreadableState = (schema: string, { role }: SchemaAccess): IncrepError =>
  new IncrepError('PRIVILEGE_MISSING', {
    what: `role "${role}" may not read ${printName(stateTable(schema))} at the destination, where the state of its copies is kept`,
    next: `At the destination, run: GRANT SELECT, INSERT, UPDATE, DELETE ON ${qualified(stateTable(schema))} TO ${ident(role)}`,
  });

/** Why no table can be made there; a copy that is there already, and its state, need no more than themselves. */
export function schemaFault(
  schema: string,
  access: SchemaAccess,
  areTablesThere: boolean,
): IncrepError | undefined {
  if (!access.exists && !access.canCreateSchema) {
    return new IncrepError('PRIVILEGE_MISSING', {
      what: `the destination has no schema "${schema}", and role "${access.role}" may not create it`,
      next: `At the destination, run: CREATE SCHEMA ${ident(schema)} AUTHORIZATION ${ident(access.role)}`,
    });
  }
  if (access.exists && !(access.canUse && (access.canCreate || areTablesThere))) {
    return new IncrepError('PRIVILEGE_MISSING', {
      what: `role "${access.role}" may not create tables in schema "${schema}" of the destination`,
      next: `At the destination, run: GRANT USAGE, CREATE ON SCHEMA ${ident(schema)} TO ${ident(access.role)}`,
    });
  }
  return undefined;
}

function relationRefusal({
  destination,
  destinationSchema: { role },
  staging,
  settings,
  stagingName,
  window,
}: TableFacts): IncrepError | undefined {
  if (OWN_TABLES.includes(settings.destinationName)) {
    return new IncrepError('CONFIG_INVALID', {
      what: `"${settings.destinationName}" is the name of a table that increp keeps for itself`,
      next: 'Give the table another "dest_name".',
    });
  }
  if (destination && destination.kind !== 'table') {
    return new IncrepError('DEPENDENTS', {
      what: `${printName(destination.name)} at the destination is a ${destination.kind}, not a table that increp can fill`,
      next: 'Rename it, or give this table another "dest_name".',
    });
  }
  if (destination && !isReadableTable(destination)) {
    return new IncrepError('PRIVILEGE_MISSING', {
      what: `role "${role}" may not read all of ${printName(destination.name)} at the destination`,
      next: `Make "${role}" its owner there, or rename it: increp fills the table with that name.`,
    });
  }
  if (staging && staging.comment !== stagingMark(settings.destinationName)) {
    return new IncrepError('STAGING_TAKEN', {
      what: `${printName(stagingName)} exists at the destination and was not made by increp, which needs that name`,
      next: `Rename or drop it, or give "${settings.name}" another "dest_name".`,
    });
  }
  if (window) {
    return new IncrepError('STAGING_TAKEN', {
      what: `${printName(window.name)} exists at the destination and was not made by increp, which needs that name to load "${settings.name}" in chunks`,
      next: 'Rename or drop it, or remove "chunk".',
    });
  }
  return undefined;
}
