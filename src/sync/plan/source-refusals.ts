/** Reasons at the source, and in the settings about it, that prevent a sync of a table. Pure. */
import { IncrepError, reworded } from '../../errors.ts';
import { utcTime } from '../../format.ts';
import { nearest } from '../../nearest.ts';
import { carriedType, type Column, type NativeCarriers } from '../../schema/columns.ts';
import { keyTypeOf } from '../../schema/keys.ts';
import { misspeltTransforms } from '../../schema/misspelt-transforms.ts';
import { printName, type TableName } from '../../schema/names.ts';
import { tracksVersions } from '../../schema/merged-columns.ts';
import { DELETED_AT, ROW_VERSION } from '../../schema/metadata-columns.ts';
import { patternOf } from '../../schema/patterns.ts';
import { atSource, type Relation } from '../../schema/relations.ts';
import { VIEW_OF_ROWS } from '../../postgres/server-verdicts.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';
import { shellWord } from '../../shell-word.ts';
import { ident, qualified } from '../../sql/identifiers.ts';
import { keysAtSource } from '../facts/keys-at-source.ts';
import { columnNotFound, entryKeys, patternOption } from '../facts/column-not-found.ts';
import type { TableFacts } from '../facts/facts.ts';
import { renamedColumns } from '../facts/source-renames.ts';
import { columnRenamed, fieldsOf } from './column-renamed.ts';
import { lostColumns } from './lost-columns.ts';
import { unmaskedColumns, withNewNames } from './renamed-columns.ts';

export function sourceRefusals(now: TableFacts): IncrepError[] {
  const { source, settings } = now;
  if (settings.conflict !== undefined) return [conflicting(now, settings.conflict)];
  if (source?.kind === 'query') return selectionRefusals(now, source);
  if (!now.sourceSchema.exists) return [schemaNotFound(now)];
  if (!now.sourceSchema.canUse)
    return [missingPrivilege(now, `GRANT USAGE ON SCHEMA ${ident(now.sourceName.schema)}`)];
  if (!source) return [tableNotFound(now)];
  if (source.columns.length === 0) return [withoutColumns(now)];
  return [
    ...(!source.canSelect || (source.unreadableColumns.length > 0 && !isMisnamed(now))
      ? [unreadable(now, source)]
      : []),
    ...(source.filtersRows ? [filtered(now)] : []),
    ...selectionRefusals(now, source),
  ];
}

/**
 * If the selection has a fault, its columns are not known. An expression that names a renamed column is such a fault, and a
 * correction of the expression alone would be refused next.
 */
function selectionRefusals(now: TableFacts, source: Relation): IncrepError[] {
  const { fault } = now.selected;
  if (!fault) {
    const found = unmasked(now, source, ', so its values would be copied as they are');
    return [...(found.length > 0 ? found : misspeltMask(now)), ...columnRefusals(now, source)];
  }
  const renamed = fault.sqlstate === SQLSTATE.undefinedColumn ? unmasked(now, source, '') : [];
  if (renamed.length > 0) return renamed;
  const found = renamedColumns(now, source);
  if (found.some(({ column }) => column === fault.column)) return [columnRenamed(now, found)];
  const lost =
    fault.sqlstate === SQLSTATE.undefinedColumn || fault.code === 'COLUMN_NOT_FOUND'
      ? lostColumns(now, source)
      : [];
  return lost.length > 0 ? lost : [afterLastSync(now, fault)];
}

/** The query had no fault at the last sync, so the server's guess at a misspelt column would name another column. */
function afterLastSync({ saved, settings, queryRenames = [] }: TableFacts, fault: IncrepError): IncrepError {
  const { name, selection } = settings;
  const isOld =
    saved.kind === 'record' && selection.query !== null && saved.record.selection?.query === selection.query;
  if (fault.sqlstate !== SQLSTATE.undefinedColumn || !isOld) return fault;
  const correct = `Correct "query" of "${name}" in tables-config.json`;
  const [first] = queryRenames;
  return reworded(fault, {
    what: fault.message,
    next: first
      ? `The source renamed ${queryRenames.map(({ table, column, now }) => `"${column}" of ${printName(table)} to "${now}"`).join(', ')}. ${correct}: use the new name, with AS "${first.column}" to keep the name at the destination.`
      : `The last sync could read the query, so the source has renamed or dropped a column since. ${correct}.`,
  });
}

/** If the selection names an unknown column, the columns to read are not known, so privileges on them say nothing. */
const isMisnamed = ({ selected }: TableFacts): boolean => selected.fault?.code === 'COLUMN_NOT_FOUND';

/** A table that a pattern found has the same destination table as another entry or another found table. */
const conflicting = ({ sourceName, settings }: TableFacts, why: string): IncrepError =>
  new IncrepError('CONFIG_INVALID', {
    what: `${printName(sourceName)} comes from the pattern "${settings.pattern}" and has no destination table of its own: ${why}`,
    next: `Add an entry for the table to tables-config.json, with "dest_name" or with "enabled": false.`,
  });

/** A table of SOURCE_SCHEMA has its name without a schema as its label. */
const isOfPipelinesSchema = ({ settings: { name }, sourceName }: TableFacts): boolean =>
  name === sourceName.table;

function schemaNotFound(now: TableFacts): IncrepError {
  const { schema } = now.sourceName;
  const moved = now.sourceChanges?.movedTo;
  if (moved) return tableMoved(now, moved);
  if (now.saved.kind === 'record')
    return wrongDatabase(
      `the source database "${now.servers.source.database}" no longer has schema "${schema}"`,
    );
  return new IncrepError('TABLE_NOT_FOUND', {
    what: `the source has no schema "${schema}" (${isOfPipelinesSchema(now) ? 'SOURCE_SCHEMA' : '"schema" of the table'})`,
    next: isOfPipelinesSchema(now)
      ? 'Set SOURCE_SCHEMA to the schema that holds the tables, spelled as Postgres stores it.'
      : 'Correct "schema" in tables-config.json: use the name as Postgres stores it, including capital letters.',
  });
}

/** During a restore, tables are missing for a while. A change of the configuration would be wrong. */
export const CHECK_DATABASE =
  'Check that the SOURCE settings name the right database and schema. If a restore is running there, wait for its end. Then run increp again.';

const wrongDatabase = (what: string, otherwise = ''): IncrepError =>
  new IncrepError('TABLE_NOT_FOUND', {
    what,
    next: `${CHECK_DATABASE}${otherwise}`,
  });

function tableNotFound(now: TableFacts): IncrepError {
  const { sourceName, otherSourceNames, saved, destination } = now;
  const { database } = now.servers.source;
  const moved = now.sourceChanges?.movedTo;
  if (moved) return tableMoved(now, moved);
  if (otherSourceNames.length === 0)
    return wrongDatabase(`schema "${sourceName.schema}" of the source database "${database}" has no tables`);
  const wasReset = saved.kind === 'none' && saved.isNamed === true && saved.why.code === 'was-reset';
  if (now.lacksAllTables && (saved.kind === 'record' || wasReset))
    return wrongDatabase(
      `the source database "${database}" no longer has ${printName(sourceName)} or any other table of this pipeline`,
      ' For tables that were dropped or renamed, see "increp help schema-changes".',
    );
  if (saved.kind === 'record')
    return tableGone(now, `whose last changes increp copied at ${utcTime(saved.record.syncedAt)}`);
  if (wasReset) return tableGone(now, `which increp synced before the reset of ${utcTime(saved.why.at)}`);
  const near = nearest(sourceName.table, otherSourceNames);
  if (destination)
    return new IncrepError('TABLE_NOT_FOUND', {
      what: `the source has no table ${printName(sourceName)}, but the destination has ${printName(destination.name)}`,
      next: `Check that source and destination are not swapped. If they are right, correct "name" in tables-config.json${near === undefined ? '' : `; did you mean "${near}"?`}`,
    });
  const corrected = withoutSchema(now);
  if (corrected)
    return new IncrepError('TABLE_NOT_FOUND', {
      what: `schema "${sourceName.schema}" of the source has no table "${sourceName.table}"; "name" is the name without the schema`,
      next: `In tables-config.json, replace "name": ${JSON.stringify(patternOf(sourceName.table))} by ${fieldsOf(corrected)}.`,
    });
  return new IncrepError('TABLE_NOT_FOUND', {
    what: `the source has no table ${printName(sourceName)}${near === undefined ? '' : `; did you mean "${near}"?`}`,
    next: `Correct "name" in tables-config.json: use the name as Postgres stores it, including capital letters.${/[?[\]{}%]/.test(sourceName.table) ? ' Only * is a wildcard.' : ''}`,
  });
}

/** The entry of a table whose name contains the schema, as in psql. */
function withoutSchema(now: TableFacts): { readonly schema?: string; readonly name: string } | undefined {
  const { sourceName, otherSourceNames } = now;
  const [, schema, table] = /^([^.]+)\.([^.]+)$/.exec(sourceName.table) ?? [];
  if (schema === undefined || table === undefined) return undefined;
  if (schema !== sourceName.schema) return { schema, name: patternOf(table) };
  const name = patternOf(
    otherSourceNames.includes(table) ? table : (nearest(table, otherSourceNames) ?? table),
  );
  return isOfPipelinesSchema(now) ? { name } : { schema, name };
}

/** The fields of the entry with which the destination table continues under the new name of the source table. */
export const movedEntry = (
  { source, destination }: Readonly<Record<'source' | 'destination', TableName>>,
  moved: TableName,
): string =>
  fieldsOf({
    ...(moved.schema !== source.schema && { schema: moved.schema, dest_schema: destination.schema }),
    name: patternOf(moved.table),
    ...(moved.table !== destination.table && { dest_name: destination.table }),
  });

/** The oid shows that it is the same table. The state of the destination table continues under the new name. */
function tableMoved(now: TableFacts, moved: TableName): IncrepError {
  const { sourceName, destinationName, sourceSchema, settings } = now;
  const entry = movedEntry({ source: sourceName, destination: destinationName }, moved);
  const place =
    settings.pattern === undefined
      ? `change the entry of "${settings.name}" to ${entry}`
      : `add an entry with ${entry}`;
  const schema =
    sourceSchema.exists || moved.table !== sourceName.table || !isOfPipelinesSchema(now)
      ? ''
      : ` If the schema was renamed, set SOURCE_SCHEMA=${shellWord(moved.schema)} and DEST_SCHEMA=${shellWord(destinationName.schema)} instead.`;
  return new IncrepError('TABLE_NOT_FOUND', {
    what: `${printName(sourceName)} is now named ${printName(moved)} at the source (same table)`,
    next: `To continue with it, ${place} in tables-config.json: nothing is loaded again.${schema} To end its syncs, remove the entry; the destination table ${printName(destinationName)} stays.`,
  });
}

/** increp synced the table before, so its name is not a typing error. The state of a view has no files. */
const tableGone = (
  { sourceName, destinationName, destination, saved, settings: { name } }: TableFacts,
  when: string,
): IncrepError =>
  new IncrepError('TABLE_NOT_FOUND', {
    what: `the source no longer has ${printName(sourceName)}, ${when}${destination ? `; its destination table ${printName(destinationName)} is kept` : ''}`,
    next: `If the ${saved.kind === 'record' && saved.record.files?.length === 0 ? 'table or view' : 'table'} was dropped, remove "${name}" from tables-config.json. If it was renamed, write its new name there, with "dest_name": ${JSON.stringify(destinationName.table)} ("increp help schema-changes").`,
  });

const withoutColumns = ({ sourceName, settings }: TableFacts): IncrepError =>
  new IncrepError('CONFIG_INVALID', {
    what: `${printName(sourceName)} has no columns, so there is nothing to copy`,
    next: `Set "enabled": false for "${settings.name}" in tables-config.json, or remove it there.`,
  });

const missingPrivilege = ({ sourceName, sourceSchema }: TableFacts, grant: string): IncrepError =>
  new IncrepError('PRIVILEGE_MISSING', {
    what: `role "${sourceSchema.role}" may not use schema "${sourceName.schema}" at the source (database "${sourceSchema.database}")`,
    next: `At the source, run: ${grant} TO ${ident(sourceSchema.role)}`,
  });

function unreadable(now: TableFacts, { unreadableColumns, columns }: Relation): IncrepError {
  const isWhole = unreadableColumns.length === columns.length;
  const columnList = unreadableColumns.map((name) => `"${name}"`).join(', ');
  return new IncrepError('PRIVILEGE_MISSING', {
    what: isWhole
      ? `role "${now.sourceSchema.role}" may not read ${printName(now.sourceName)} at the source`
      : `role "${now.sourceSchema.role}" may not read ${columnList} of ${printName(now.sourceName)} at the source`,
    next: `${isWhole ? '' : `If you do not need ${unreadableColumns.length === 1 ? 'the column, add it' : 'these columns, add them'} to "exclude_columns". Or grant the privilege. `}At the source, run: GRANT SELECT ON ${qualified(now.sourceName)} TO ${ident(now.sourceSchema.role)}`,
  });
}

const filtered = ({ sourceName, sourceSchema }: TableFacts): IncrepError =>
  new IncrepError('ROW_SECURITY', {
    what: `row-level security would hide rows of ${printName(sourceName)} from role "${sourceSchema.role}", and the destination table would lack them`,
    next: `At the source, run: ALTER ROLE ${ident(sourceSchema.role)} BYPASSRLS. Or disable row-level security for the table. ${VIEW_OF_ROWS}`,
  });

/** The limit of Postgres for a table. */
const MAX_COLUMNS = 1600;

const tooManyColumns = ({ name, columns }: Relation, own: number): IncrepError =>
  new IncrepError('NOT_SUPPORTED', {
    what: `${printName(name)} has ${columns.length} columns, and "deletes": "soft", "metadata_columns", "merge" or "conflict_log" ${own === 1 ? 'adds one' : `add ${own}`}, but a table can have at most ${MAX_COLUMNS}`,
    next: 'Exclude columns with "exclude_columns", or set none of these options for this table.',
  });

/** The columns of a state have the names of the destination, so a renamed column is not found there. */
const lastSeen = (saved: TableFacts['saved'], column: string): string | undefined =>
  saved.kind === 'record' && saved.record.shape.columns.some(({ name }) => name === column)
    ? utcTime(saved.record.syncedAt)
    : undefined;

function columnRefusals(facts: TableFacts, selected: Relation): IncrepError[] {
  const { settings, sourceName, natives, saved } = facts;
  const names = selected.columns.map(({ name }) => name);
  const source = atSource(selected, settings.selection);
  const isTracked = tracksVersions(settings);
  const own = (settings.deletes === 'soft' ? 1 : 0) + settings.metadataColumns.length + (isTracked ? 1 : 0);
  const keys = keysAtSource(settings);
  const wanted = [
    ...(keys.replicationKey === undefined ? [] : [['replication_key', keys.replicationKey] as const]),
    ...keys.mergeKey.map((name) => ['unique_cols', name] as const),
  ];
  const sourceNames = source.columns.map(({ name }) => name);
  const replicationKey = source.columns.find(({ name }) => name === keys.replicationKey);
  const unordered = unorderedMergeKey(source, keys.mergeKey, natives);
  const missing = wanted.filter(([, name]) => !sourceNames.includes(name));
  const pattern = patternOption(settings, sourceName);
  // One entry of its own corrects all of them.
  const named = pattern ? missing.slice(0, 1) : missing;
  const renamed = renamedColumns(facts, source);
  const isByRename = missing.some(([, name]) => renamed.some(({ column }) => column === name));
  return [
    ...(isByRename ? [columnRenamed(facts, renamed)] : []),
    ...(isByRename ? [] : named).map(([key, name]) =>
      columnNotFound(
        source,
        {
          key,
          isInherited: settings.inheritedKeys.includes(key),
          pattern: pattern && { ...pattern, keys: entryKeys(source, keys) },
        },
        name,
        lastSeen(saved, name),
      ),
    ),
    ...(settings.deletes === 'soft' && names.includes(DELETED_AT) ? [takenMark(source)] : []),
    ...(isTracked && names.includes(ROW_VERSION) ? [takenVersion(source)] : []),
    ...(own > 0 && names.length + own > MAX_COLUMNS ? [tooManyColumns(source, own)] : []),
    ...settings.metadataColumns
      .filter((name) => names.includes(name))
      .map((name) => takenColumn(source, name)),
    ...(replicationKey && !keyTypeOf(replicationKey) ? [unorderedKey(source, replicationKey)] : []),
    ...(unordered ? [unordered] : []),
  ];
}

/** A value that the user hides must not arrive because of a migration. */
function unmasked(now: TableFacts, source: Relation, effect: string): IncrepError[] {
  const found = unmaskedColumns(now, source);
  if (found.length === 0) return [];
  const { name, selection } = now.settings;
  const renamed = found.map((each) => `"${each.column}" is now "${each.now}"`).join(', ');
  const { corrected, rename } = withNewNames(selection, found);
  return [
    new IncrepError('COLUMN_NOT_FOUND', {
      what: `the source renamed a column that "transform" of ${printName(now.sourceName)} replaces: ${renamed}${effect}`,
      next: `In the entry of table "${name}" in tables-config.json, write the new name: ${corrected}. To keep the former name at the destination, set "rename": ${rename}. To copy the values as they are, remove the column from "transform". The next sync loads the table again.`,
    }),
  ];
}

/** The mask of a column was removed, and the name of another one in its place is a typing mistake. */
function misspeltMask({ saved, settings, sourceName, sourceColumns = [] }: TableFacts): IncrepError[] {
  const before = saved.kind === 'record' ? saved.record.selection?.transform : undefined;
  const wasReplaced = (name: string) => before?.some(({ column }) => column === name) === true;
  const found = misspeltTransforms(settings.selection, sourceColumns).find(
    ({ column, meant }) => wasReplaced(meant) && !wasReplaced(column),
  );
  return found === undefined
    ? []
    : [
        new IncrepError('COLUMN_NOT_FOUND', {
          what: `"transform" of ${printName(sourceName)} has "${found.column}" in place of "${found.meant}", so the values of "${found.meant}" would be copied as they are`,
          next: `If "${found.meant}" was meant, correct the name in "transform" of table "${settings.name}" in tables-config.json. If not, run a sync with neither of the two in "transform", and then add "${found.column}".`,
        }),
      ];
}

const unorderedKey = (source: Relation, { name, type }: Column): IncrepError =>
  new IncrepError('KEY_TYPE_UNSUPPORTED', {
    what: `the replication key "${name}" of ${printName(source.name)} is ${type}, which cannot order changes`,
    next: 'Choose a column of type timestamp, timestamptz or date, or an integer that only grows.',
  });

/** Types without a b-tree order. No unique index can hold them, so they cannot identify a row. */
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
      next: 'In "unique_cols", choose columns whose type can have a unique index.',
    })
  );
}

const takenMark = ({ name }: Relation): IncrepError =>
  new IncrepError('CONFIG_INVALID', {
    what: `${printName(name)} has a column "${DELETED_AT}" of its own, and "deletes": "soft" needs that name at the destination`,
    next: `Set "deletes" of "${name.table}" to "hard" or "ignore".`,
  });

const takenVersion = ({ name }: Relation): IncrepError =>
  new IncrepError('CONFIG_INVALID', {
    what: `${printName(name)} has a column "${ROW_VERSION}" of its own, and "merge" and "conflict_log" need that name at the destination`,
    next: `Give the column another name with "rename" of "${name.table}", or exclude it.`,
  });

const takenColumn = ({ name }: Relation, column: string): IncrepError =>
  new IncrepError('CONFIG_INVALID', {
    what: `${printName(name)} has a column "${column}" of its own, and "metadata_columns" needs that name at the destination`,
    next: `Remove "${column}" from "metadata_columns" of "${name.table}", or rename the column at the source.`,
  });
