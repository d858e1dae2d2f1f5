/** Decides whether the state row or the state file of a table counts. Pure. */
import { dirname } from 'node:path';
import type { NoCursor } from '../../reasons.ts';
import type { ServerIdentity } from '../../postgres/identity.ts';
import { isSameTable, printName } from '../../schema/names.ts';
import { SOURCE } from '../../schema/metadata-columns.ts';
import {
  areOtherServers,
  hadRows,
  isAbout,
  isOtherTable,
  resetRecordSchema,
  STATE_FILE_IGNORED,
  stateRecordSchema,
  type ResetRecord,
  type ServerInstance,
  type StateRecord,
  type WrittenTables,
  PLAINLY,
  type WrittenAs,
} from '../../schema/state-record.ts';
import { tableCommand } from '../../shell-word.ts';
import type { StateRows } from './state-rows.ts';
import type { StateFile } from '../../state/state-files.ts';

/** The place of the tables of a pipeline that has written nothing to the configured one. */
export interface Elsewhere {
  readonly kind: 'database' | 'schema';
  readonly name: string;
}

export type SavedState =
  | {
      readonly kind: 'none';
      readonly why: NoCursor;
      readonly warnings: readonly string[];
      /** Whether a state still names the table: it was reset, or it cannot be read. */
      readonly isNamed?: boolean;
      /** The place that has the tables, if the pipeline has written nothing to this one. */
      readonly elsewhere?: Elsewhere | undefined;
      /** The generation of the reset record. */
      readonly generation?: number;
      /** The columns of the source at the last sync before the reset. */
      readonly columns?: readonly string[];
      /** The settings with which that sync wrote the rows. */
      readonly writtenAs?: WrittenAs | null;
    }
  | {
      readonly kind: 'record';
      readonly record: StateRecord;
      readonly warnings: readonly string[];
      /** The destination has no state. */
      readonly isFromFile?: true;
      /** The destination table is not the one of the last sync. */
      readonly isOtherTable?: true;
    }
  | {
      readonly kind: 'legacy';
      readonly cursor: string;
      readonly path: string;
      readonly warnings: readonly string[];
    }
  /** The state belongs to another pipeline, source or version. The user has to decide. */
  | {
      readonly kind: 'foreign';
      readonly what: string;
      readonly next: string;
      /** Source and destination are swapped. No other fault of the table counts then. */
      readonly isSwapped?: true;
    };

export type Swapped = Extract<SavedState, { readonly kind: 'foreign' }>;

export interface ExpectedState {
  /** The name of the table in messages and commands. */
  readonly label: string;
  readonly pipeline: string;
  readonly source: { readonly database: string; readonly schema: string; readonly table: string };
  /** Undefined for a query, and if there is no such table. */
  readonly sourceOid: string | undefined;
  readonly destination: { readonly schema: string; readonly table: string };
  /** The destination table. */
  readonly hasTable: boolean;
  readonly hasRows: boolean;
  /** Undefined if it does not matter. */
  readonly writtenTo?: WrittenTables;
  /** `writerHere`. Undefined if it does not matter. */
  readonly writer?: string;
  /** Whether a worker of the service asks. */
  readonly byService?: boolean;
  /** Whether increp compares the keys of both sides to find rows that are gone from the source. */
  readonly findsDeleted?: boolean;
  readonly systemIdentifier: string | null;
  readonly destinationServer: Pick<ServerIdentity, 'systemIdentifier' | 'database'>;
}

export function reconcile(
  file: StateFile,
  { record: row, rival, isHome }: Pick<StateRows, 'record' | 'rival' | 'isHome'>,
  expected: ExpectedState,
): SavedState {
  const inDestination = row === undefined ? undefined : stateRecordSchema.safeParse(row);
  if (inDestination && !inDestination.success) {
    const reset = resetRecordSchema.safeParse(row).data;
    return reset ? afterReset(reset, file, rival, expected) : unreadableRow(expected);
  }
  const inFile = file.kind === 'record' ? file.record : undefined;
  const foreign =
    (inDestination && foreignness(inDestination.data, 'at the destination', expected)) ??
    foreignFile(file, inDestination !== undefined, expected);
  if (foreign) return foreign;
  if (rival !== undefined) return rivalry(rival, expected);
  if (inDestination)
    return {
      kind: 'record',
      record: inDestination.data,
      warnings: disagreement(inDestination.data, file, expected),
      ...(isOtherTable(inDestination.data, expected.writtenTo) && { isOtherTable: true }),
    };
  if (inFile && !isAbout(inFile, expected.destinationServer))
    return ofAnotherDatabase(inFile, isHome, expected);
  return inFile && !isSameTable(inFile.destination, expected.destination)
    ? ofAnotherTable(inFile)
    : fromFileAlone(file, expected);
}

/** The row of this pipeline counts, so a file that was copied from another pipeline is only a warning then. */
function foreignFile(file: StateFile, hasRow: boolean, expected: ExpectedState): SavedState | undefined {
  if (file.kind !== 'record') return undefined;
  const { record, path } = file;
  if (isSwapped(record, expected)) return swapped(record, inDirectoryOf(path));
  if (record.pipeline === expected.pipeline) return foreignness(record, `in ${path}`, expected);
  return hasRow ? undefined : filesOfPipeline(record.pipeline, dirname(path), expected.pipeline);
}

/** A state file on another machine is always older than the reset, so it does not count. */
function afterReset(
  { pipeline, reset, generation, columns, writtenAs }: ResetRecord,
  file: StateFile,
  rival: string | undefined,
  expected: ExpectedState,
): SavedState {
  if (pipeline !== expected.pipeline) return ofPipeline(pipeline, 'at the destination', expected);
  if (rival !== undefined) return rivalry(rival, expected);
  return {
    kind: 'none',
    why: { code: 'was-reset', at: reset.at },
    warnings: [],
    isNamed: reset.wasKnown || namesTable(file, expected),
    generation,
    columns,
    writtenAs,
  };
}

/** The time of a reset that no sync has followed. */
export const resetAtOf = (saved: SavedState): Date | undefined =>
  saved.kind === 'none' && saved.why.code === 'was-reset' ? new Date(saved.why.at) : undefined;

const namesTable = (file: StateFile, { destination }: ExpectedState): boolean =>
  file.kind === 'record' ? isSameTable(file.record.destination, destination) : file.kind !== 'none';

/** The file is about a destination table in another schema: DEST_SCHEMA or `dest_schema` was changed. */
const ofAnotherTable = ({ destination }: StateRecord): SavedState => ({
  kind: 'none',
  why: { code: 'state-file-of-another-table', table: printName(destination) },
  warnings: [`the state file is about ${printName(destination)}, so the table starts as a new one here`],
});

/**
 * DEST_URL or DEST_DB was changed, or the database was rebuilt. Rows of that database may belong to another program. A
 * rebuilt database has the former name, so only another name may be an error.
 */
function ofAnotherDatabase(
  { destinationServer }: StateRecord,
  isHome: boolean,
  expected: ExpectedState,
): SavedState {
  const former = destinationServer?.database ?? '';
  const { database } = expected.destinationServer;
  const why = { code: 'state-file-of-another-database', database: former } as const;
  // The refusal says it, or a flag has confirmed it.
  if (former !== database && !isHome)
    return { kind: 'none', why, elsewhere: { kind: 'database', name: former }, warnings: [] };
  return {
    kind: 'none',
    why,
    warnings: [
      former === database
        ? `the state file is about a database "${former}" of another server, or before it was created again; DEST_URL or DEST_DB names a new one, so the table starts as a new one here`
        : `the state file is about the destination database "${former}", and DEST_URL or DEST_DB names "${database}", so the table starts as a new one here`,
    ],
  };
}

function fromFileAlone(
  file: StateFile,
  { hasTable, hasRows }: Pick<ExpectedState, 'hasTable' | 'hasRows'>,
): SavedState {
  switch (file.kind) {
    case 'record': {
      // Such a table is loaded, and the reason of the load says why.
      const isLoaded = !hasTable || (!hasRows && hadRows(file.record));
      return {
        kind: 'record',
        record: file.record,
        isFromFile: true,
        warnings: isLoaded
          ? []
          : [
              'the destination has lost the state of the table (a row of _increp_state), so increp uses the state file. No action is needed',
            ],
      };
    }
    case 'legacy':
      return { ...file, warnings: [] };
    case 'unreadable':
      return {
        kind: 'none',
        why: { code: 'state-file-unusable', message: file.why },
        warnings: [unreadable(file, 'the destination has no state of the table')],
        isNamed: true,
      };
    case 'none':
      return { kind: 'none', why: { code: 'cursor-unknown' }, warnings: [] };
  }
}

/** The row was committed together with the data, so it counts if the two differ. */
function disagreement(
  row: StateRecord,
  file: StateFile,
  { writer, byService, findsDeleted }: Pick<ExpectedState, 'writer' | 'byService' | 'findsDeleted'>,
): string[] {
  if (file.kind === 'unreadable') return [unreadable(file, 'increp uses the state at the destination')];
  if (file.kind !== 'record') return [];
  if (file.record.pipeline !== row.pipeline)
    return [
      `${STATE_FILE_IGNORED} in ${dirname(file.path)}, which belongs to pipeline "${file.record.pipeline}"; the destination has the state of this pipeline. The next sync replaces the file`,
    ];
  if (file.record.generation > row.generation) {
    return [
      `the state file is newer than the state at the destination, which was probably restored from a backup. increp copies again what has changed since the backup. ${
        findsDeleted
          ? 'Rows deleted at the source since then may be there again until the next comparison. To compare now, run "increp sync --deletes"'
          : 'No action is needed. To compare all rows, run "increp verify"'
      }`,
    ];
  }
  if (file.record.generation < row.generation) {
    // Workers of the service with directories of their own take turns at a table.
    if (row.byService && (byService === true || file.record.byService)) return [];
    // The pipeline had one destination, and has a list now, or the other way round.
    if (isWithin(row.writtenBy, writer) || isWithin(writer, row.writtenBy)) return [];
    return [
      `the state file is older than the state at the destination, so increp uses the state at the destination. ${lastWriter(row.writtenBy, writer)}`,
    ];
  }
  return file.record.cursor === row.cursor
    ? []
    : ['the state file was edited; increp uses the state at the destination'];
}

/** Whether a state directory, as `writerHere` names it, is below another one. */
const isWithin = (inner: string | null | undefined, outer: string | null | undefined): boolean =>
  typeof inner === 'string' && typeof outer === 'string' && inner.startsWith(`${outer}/`);

/** Why the file is older than the row. */
function lastWriter(writtenBy: string | null, writer: string | undefined): string {
  if (writtenBy === writer) return 'The last sync could not write the file or ended in a crash';
  return writtenBy === null
    ? 'The last sync could not write the file, ended in a crash, or ran on another machine. If the pipeline was moved, stop its schedule there'
    : `The last sync ran elsewhere: ${writtenBy}. If the pipeline was moved, stop its schedule there`;
}

/** The same fault of many files is one warning, so it names no file. */
const unreadable = ({ path, why, isShared }: Extract<StateFile, { kind: 'unreadable' }>, used: string) =>
  isShared
    ? `${STATE_FILE_IGNORED} in ${dirname(path)}, and ${used}: ${why}`
    : `${STATE_FILE_IGNORED} in ${dirname(path)}, because ${why}; ${used}`;

const unreadableRow = ({ label, destination }: ExpectedState): SavedState => ({
  kind: 'foreign',
  what: `the state row of ${printName(destination)} in _increp_state was not written by this version of increp`,
  next: `Use the version that wrote it, or load the table again: ${tableCommand('reset', label)}`,
});

const rivalry = (rival: string, { destination, pipeline }: ExpectedState): SavedState => ({
  kind: 'foreign',
  what: `pipeline "${rival}" also writes to ${printName(destination)}, and the column "${SOURCE}" is not set in both pipelines`,
  next: `Set "metadata_columns": ["${SOURCE}"] in both, or another "dest_name" in pipeline "${pipeline}". If "${rival}" no longer exists, delete its row from _increp_state.`,
});

function foreignness(record: StateRecord, where: string, expected: ExpectedState): SavedState | undefined {
  const reset = tableCommand('reset', expected.label, '--force');
  const reloadCommand = `${reset} && ${tableCommand('sync', expected.label)}`;
  const place = ({ database, schema }: ExpectedState['source']) => JSON.stringify([database, schema]);
  const owner = (source: ExpectedState['source']) => `${source.database}, ${printName(source)}`;
  if (isSwapped(record, expected)) return swapped(record, where);
  if (record.pipeline !== expected.pipeline) return ofPipeline(record.pipeline, where, expected);
  if (owner(record.source) !== owner(expected.source) && !isRenamed(record, expected)) {
    return {
      kind: 'foreign',
      what: `the state of ${printName(expected.destination)} ${where} belongs to source ${owner(record.source)}, and the source is now ${owner(expected.source)}`,
      next: `If this is another pipeline, set PIPELINE_NAME and another DEST_SCHEMA, "dest_schema" or "dest_name". If the table was replaced by another one, load it from there: "${reloadCommand}". Otherwise ${place(record.source) === place(expected.source) ? 'correct "name" or "dest_name" in tables-config.json' : 'restore the former SOURCE settings'}.`,
    };
  }
  return isOtherCluster(record.sourceLife, expected)
    ? {
        kind: 'foreign',
        what: `the state of ${printName(expected.destination)} ${where} belongs to another source server (system identifier ${record.sourceLife.systemIdentifier}, now ${expected.systemIdentifier})`,
        next: `If the source moved to a new server, load the table from there: ${reloadCommand}`,
      }
    : undefined;
}

/** Whether it is the same table under another name. */
const isRenamed = ({ source, sourceLife, shape }: StateRecord, expected: ExpectedState): boolean =>
  source.database === expected.source.database &&
  sourceLife.systemIdentifier !== null &&
  sourceLife.systemIdentifier === expected.systemIdentifier &&
  shape.oid === expected.sourceOid;

type WrittenTo = Pick<ExpectedState, 'destination' | 'destinationServer'>;

/**
 * Whether the saved source is the destination now. The table has another name there (`dest_name`) if the destination
 * database was another one.
 */
const isSwapped = (record: StateRecord, { destination, destinationServer }: WrittenTo): boolean =>
  record.sourceLife.systemIdentifier !== null &&
  record.sourceLife.systemIdentifier === destinationServer.systemIdentifier &&
  record.source.database === destinationServer.database &&
  (isSameTable(record.source, destination) || !isAbout(record, destinationServer));

/** Undefined unless the state file shows that the destination is the source. */
export const swappedByFile = (file: StateFile, expected: WrittenTo): Swapped | undefined =>
  file.kind === 'record' && isSwapped(file.record, expected)
    ? swapped(file.record, inDirectoryOf(file.path))
    : undefined;

/** Each table has a file of its own, and one text is enough for all of them. */
const inDirectoryOf = (path: string): string => `in ${dirname(path)}`;

const swapped = ({ source }: StateRecord, where: string): Swapped => ({
  kind: 'foreign',
  isSwapped: true,
  what: `source and destination are swapped: according to the state ${where}, database "${source.database}", which is the destination now, is the source`,
  next: 'Exchange the SOURCE_ and DEST_ settings. Nothing was changed.',
});

/** The source has the state of the pipeline. */
export const swappedSides = (pipeline: string, database: string): Swapped => ({
  kind: 'foreign',
  isSwapped: true,
  what: `source and destination are swapped: the source has the state of pipeline "${pipeline}", which reads from database "${database}" of the destination`,
  next: 'Exchange the SOURCE_ and DEST_ settings. Nothing was changed. If this is another pipeline, which copies in the opposite direction, set another PIPELINE_NAME.',
});

/** A copied directory concerns all tables, so the text names none. */
const filesOfPipeline = (pipeline: string, directory: string, expected: string): SavedState => ({
  kind: 'foreign',
  what: `the state files in ${directory} belong to pipeline "${pipeline}", and this is "${expected}"`,
  next: `If the files were copied from another directory, move them away: the tables start as new ones then. If this is the same pipeline, set PIPELINE_NAME=${pipeline}.`,
});

const ofPipeline = (pipeline: string, where: string, expected: ExpectedState): SavedState => ({
  kind: 'foreign',
  what: `the state of ${printName(expected.destination)} ${where} belongs to pipeline "${pipeline}", and this is "${expected.pipeline}"`,
  next: `If this is the same pipeline, set PIPELINE_NAME=${pipeline}. If not, set another DEST_SCHEMA, "dest_schema" or "dest_name". To take over the destination table and discard the state of "${pipeline}", run "${tableCommand('reset', expected.label, '--force')}".`,
});

const isOtherCluster = ({ systemIdentifier }: ServerInstance, expected: ExpectedState): boolean =>
  areOtherServers(systemIdentifier, expected.systemIdentifier);

/** The columns of the source at the last sync. The destination table has them from increp. */
export function formerColumns(saved: SavedState): readonly string[] {
  if (saved.kind === 'record') return saved.record.shape.columns.map(({ name }) => name);
  return (saved.kind === 'none' ? saved.columns : undefined) ?? [];
}

/** The settings with which increp wrote the existing rows. */
export const formerWriting = (saved: SavedState): WrittenAs =>
  (saved.kind === 'record' ? saved.record.writtenAs : saved.kind === 'none' ? saved.writtenAs : undefined) ??
  PLAINLY;

/** The generation of the state. 0 if there is no record. Each commit and each reset adds one. */
export const generationOf = (saved: SavedState): number =>
  saved.kind === 'record' ? saved.record.generation : saved.kind === 'none' ? (saved.generation ?? 0) : 0;
