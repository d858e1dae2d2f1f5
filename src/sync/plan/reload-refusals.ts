/** Why a table that holds more than the rows of the source is not loaded anew. */
import { IncrepError } from '../../errors.ts';
import type { ReloadHindrance } from '../../reasons.ts';
import { hindranceText } from '../../report/shape-texts.ts';
import { carriedType, type Column } from '../../schema/columns.ts';
import { keepsDeleted } from '../../schema/deleted-rows.ts';
import { tracksVersions } from '../../schema/merged-columns.ts';
import { METADATA_COLUMN_TYPES, ROW_VERSION, SOURCE } from '../../schema/metadata-columns.ts';
import { archiveName, derivedName, printName, type TableName } from '../../schema/names.ts';
import { uniqueIndexOn, type Relation } from '../../schema/relations.ts';
import { copyKey, isAppend, isSameKey, isShared, rowKey } from '../../schema/row-identity.ts';
import { PLAINLY, type StateRecord } from '../../schema/state-record.ts';
import { tableCommand } from '../../shell-word.ts';
import { ident, qualified } from '../../sql/identifiers.ts';
import type { TableFacts } from '../facts/facts.ts';
import { isRenamed, renamedNames, renamedTableNote } from '../facts/renamed-tables.ts';
import { formerColumns } from '../facts/saved-state.ts';
import { lostKeyRefusal, renamedColumnRefusal } from './altered-destination.ts';
import type { PlanRequest } from './plan.ts';
import { renameRefusal, renamesOfKept, withRenames } from './renames-in-place.ts';
import { blockingKeys, reloadHindrance, shapeHindrance } from './reload-guard.ts';

/** The first reason why the plan would lose rows of the destination table. */
export function lossRefusal(
  now: TableFacts,
  source: Relation,
  { isFullRefresh }: Pick<PlanRequest, 'isFullRefresh'>,
): IncrepError | undefined {
  const { destination, saved, settings } = now;
  if (!destination) return undefined;
  const record = saved.kind === 'record' ? saved.record : undefined;
  const hindrance = reloadHindrance(settings);
  return (
    historyRefusal(now, destination, record) ??
    othersRefusal(now) ??
    metadataColumnRefusal(now, destination) ??
    (isFullRefresh ? undefined : renamedColumnRefusal(now, source)) ??
    (hindrance &&
      (identityRefusal(now, record, hindrance) ??
        keyColumnRefusal(now, source, destination) ??
        (shapeHindrance(settings) && shapeRefusal(now, source, hindrance)) ??
        indexRefusal(now))) ??
    renameRefusal(now, source) ??
    returnedColumnRefusal(now, source, destination) ??
    lostKeyRefusal(now, source)
  );
}

/** The destination table is missing, and a table with its columns may hold the rows that the source cannot give again. */
export function renamedRefusal(now: TableFacts): IncrepError | undefined {
  const { destination, renamedTo, destinationName, settings } = now;
  const hindrance = reloadHindrance(settings);
  if (destination || renamedTo.length === 0 || !hindrance) return undefined;
  const load = `load the rows that the source has: "${tableCommand('sync', settings.name, '--full-refresh')}".`;
  const note = renamedTableNote(now).join(' ');
  return new IncrepError('SCHEMA_CHANGE_REFUSED', {
    what: `${printName(destinationName)} at the destination was ${renamedText(now)}, and increp cannot load it again: ${hindranceText(hindrance)}`,
    next: isRenamed(now) ? `${note}\nOr ${load}` : `If it was dropped, ${load}\n${note}`,
  });
}

const renamedText = (now: TableFacts): string =>
  isRenamed(now)
    ? `renamed to ${renamedNames(now)}`
    : `dropped, or renamed to ${renamedNames(now)}, with the same columns`;

const again = ({ destinationName, settings }: TableFacts): string =>
  `To start again, drop ${printName(destinationName)} at the destination, or set another "dest_name" for "${settings.name}".`;

/** A mode that keeps only the latest version of a row would remove all older versions. */
function historyRefusal(
  now: TableFacts,
  destination: Relation,
  record: StateRecord | undefined,
): IncrepError | undefined {
  const { settings } = now;
  if (isAppend(settings)) return undefined;
  const versions = { ...settings, mode: 'incremental-append' };
  const looksLikeHistory =
    rowKey(versions) !== settings.mergeKey &&
    uniqueIndexOn(destination, settings.mergeKey) === undefined &&
    [copyKey(versions), rowKey(versions)].some((key) => uniqueIndexOn(destination, key) !== undefined);
  const isHistory = record ? isAppend(record.writtenAs ?? PLAINLY) : looksLikeHistory;
  if (!isHistory) return undefined;
  return new IncrepError('SCHEMA_CHANGE_REFUSED', {
    what: `${printName(now.destinationName)} keeps every version of a row, and mode "${settings.mode}" would remove all but the latest`,
    next: `Set "mode" of "${settings.name}" back to "incremental-append". ${again(now)}`,
  });
}

/** Without the column that names the pipeline, rows of other pipelines would count as deleted rows. */
function othersRefusal(now: TableFacts): IncrepError | undefined {
  if (!now.hasOthersRows) return undefined;
  return new IncrepError('SCHEMA_CHANGE_REFUSED', {
    what: `${printName(now.destinationName)} holds rows of other pipelines, and increp needs the column "${SOURCE}" to distinguish them`,
    next: `Add "${SOURCE}" to "metadata_columns" of "${now.settings.name}" again. ${again(now)}`,
  });
}

function metadataColumnRefusal({ settings, destinationName }: TableFacts, destination: Relation) {
  const wanted = [...settings.metadataColumns, ...(tracksVersions(settings) ? [ROW_VERSION] : [])];
  const taken = destination.columns.find(
    ({ name, type }) => wanted.some((own) => own === name) && METADATA_COLUMN_TYPES[name] !== type,
  );
  const cause =
    taken?.name === ROW_VERSION ? 'merge and conflict_log' : `"${taken?.name ?? ''}" from "metadata_columns"`;
  return (
    taken &&
    new IncrepError('CONFIG_INVALID', {
      what: `${printName(destinationName)} at the destination has a column "${taken.name}" of type ${taken.type}, and the metadata column needs type ${METADATA_COLUMN_TYPES[taken.name]}`,
      next: `Rename that column, or remove ${cause} of "${settings.name}".`,
    })
  );
}

/** The existing rows were stored under another identity. */
function identityRefusal(
  now: TableFacts,
  record: StateRecord | undefined,
  hindrance: ReloadHindrance,
): IncrepError | undefined {
  const { settings } = now;
  if (!record) return undefined;
  const [what, was, is] = isSameKey(record.mergeKey, settings.mergeKey)
    ? ['replication_key', record.replicationKey, settings.replicationKey]
    : ['unique_cols', record.mergeKey.join(', '), settings.mergeKey.join(', ')];
  const isKept = hindrance.code === 'holds-deleted-rows' && was !== '';
  const isIdentity =
    what === 'unique_cols' ? isKept || isAppend(settings) || isShared(settings) : isAppend(settings);
  if (was === is || !isIdentity) return undefined;
  // A full refresh has left one version of each row.
  if (record.writtenAs?.mode === 'full-refresh' && !isShared(settings)) return undefined;
  if (isKept) return keyRefusal(now, record.mergeKey);
  return new IncrepError('SCHEMA_CHANGE_REFUSED', {
    what: `${what} changed from [${was}] to [${is}], and increp cannot load ${printName(now.destinationName)} again: ${hindranceText(hindrance)}`,
    next: `Set ${what} back to [${was}]. ${again(now)}`,
  });
}

/** A row that is gone from the source can only be told from a changed row by its key. */
function keyRefusal(now: TableFacts, was: readonly string[]): IncrepError {
  const { settings, destinationName, source, destination } = now;
  const { name, mergeKey: is } = settings;
  const has = (relation: Relation | undefined, column: string | undefined) =>
    relation?.columns.some((each) => each.name === column) === true;
  const renamed = is.flatMap((column, place) =>
    was.length === is.length && !has(destination, column) && !has(source, was[place])
      ? [{ from: was[place] ?? '', to: column }]
      : [],
  );
  const isMissing = is.some((column) => !has(destination, column));
  const rename = renamed.map(
    ({ from, to }) =>
      `ALTER TABLE ${qualified(destinationName)} RENAME COLUMN ${ident(from)} TO ${ident(to)}`,
  );
  return new IncrepError('SCHEMA_CHANGE_REFUSED', {
    what: `unique_cols changed from [${was.join(', ')}] to [${is.join(', ')}], and ${printName(destinationName)} keeps rows that the source no longer has under the former key`,
    next: [
      ...(renamed.length > 0
        ? [
            `If the source renamed the column, run at the destination: ${rename.join('; ')}. Then run "${tableCommand('reset', name)}".`,
          ]
        : isMissing
          ? []
          : [
              `If (${is.join(', ')}) is unique in the destination table too, let the next sync find rows by it: "${tableCommand('reset', name)}".`,
            ]),
      `Or set unique_cols back to [${was.join(', ')}].`,
      `Or set the kept rows aside and load a new table. At the destination, run: ${setAside(destinationName)}`,
    ].join(' '),
  });
}

const setAside = (table: TableName): string =>
  `ALTER TABLE ${qualified(table)} RENAME TO ${ident(archiveName(table.table))}`;

/** After a reset, the former key is not known any more. */
function keyColumnRefusal(
  { settings, destinationName }: TableFacts,
  source: Relation,
  destination: Relation,
): IncrepError | undefined {
  const missing = settings.mergeKey.find(
    (name) => !destination.columns.some((column) => column.name === name),
  );
  if (missing === undefined || shapeHindrance(settings) !== undefined) return undefined;
  const former = destination.columns.find(
    ({ name }) => !source.columns.some((column) => column.name === name),
  );
  return new IncrepError('SCHEMA_CHANGE_REFUSED', {
    what: `${printName(destinationName)} keeps rows that the source no longer has, and has no column "${missing}" of unique_cols to find its rows by`,
    next: `If the source renamed the column, rename it at the destination too: ALTER TABLE ${qualified(destinationName)} RENAME COLUMN ${former ? ident(former.name) : '...'} TO ${ident(missing)}. Or set the kept rows aside and load a new table. At the destination, run: ${setAside(destinationName)}`,
  });
}

/** A column that the source dropped, and has again with another type. Its former values stay at the destination. */
function returnedColumnRefusal(
  { settings, saved, natives, destinationName }: TableFacts,
  source: Relation,
  destination: Relation,
): IncrepError | undefined {
  const recorded = formerColumns(saved);
  if (settings.droppedColumns === 'drop' || shapeHindrance(settings) || recorded.length === 0)
    return undefined;
  const shape = saved.kind === 'record' ? saved.record.shape.columns : [];
  // Dropped and added again since the last sync. For kept rows, the values are compared instead.
  const isAnother = ({ name, position }: Column) =>
    !keepsDeleted(settings) && shape.some((was) => was.name === name && was.position !== position);
  const returned = source.columns.find((column) => {
    const found = destination.columns.find(({ name }) => name === column.name);
    return (
      found &&
      (!recorded.includes(column.name) || isAnother(column)) &&
      found.type !== carriedType(column, natives)
    );
  });
  if (!returned) return undefined;
  const old = ident(derivedName(returned.name, '_old'));
  return new IncrepError('SCHEMA_CHANGE_REFUSED', {
    what: `column "${returned.name}" was added at the source as ${carriedType(returned, natives)}, and ${printName(destinationName)} has a column of that name with another type and its own values`,
    next: `To keep these values under another name, run at the destination: ALTER TABLE ${qualified(destinationName)} RENAME COLUMN ${ident(returned.name)} TO ${old}. To discard them, drop the column there.`,
  });
}

function shapeRefusal(
  now: TableFacts,
  source: Relation,
  hindrance: ReloadHindrance,
): IncrepError | undefined {
  const { destination, destinationName, natives } = withRenames(now, renamesOfKept(now, source));
  for (const column of source.columns) {
    const current = destination?.columns.find(({ name }) => name === column.name);
    const wanted = carriedType(column, natives);
    if (current && current.type !== wanted)
      return new IncrepError('SCHEMA_CHANGE_REFUSED', {
        what: `column "${column.name}" of ${printName(destinationName)} is ${current.type} and must be ${wanted}, and increp cannot load the table again: ${hindranceText(hindrance)}`,
        next: `If its values allow it, change the column. At the destination, run: ALTER TABLE ${qualified(destinationName)} ALTER COLUMN ${ident(column.name)} TYPE ${wanted} USING ${ident(column.name)}::${wanted}. ${again(now)}`,
      });
  }
  return undefined;
}

function indexRefusal(now: TableFacts): IncrepError | undefined {
  const [index] = blockingKeys(now).otherIndexes;
  if (!index) return undefined;
  const { destinationName, settings } = now;
  const rejected = isAppend(settings)
    ? 'a second version of a row'
    : 'a row of another pipeline with the same value';
  return new IncrepError('DEPENDENT_OBJECTS', {
    what: `the unique index ${index.index} on (${index.columns.join(', ')}) of ${printName(destinationName)} would reject ${rejected}`,
    next: `Drop the index, or replace it by an index that is not unique. At the destination, run: DROP INDEX ${qualified({ ...destinationName, table: index.index })}`,
  });
}
