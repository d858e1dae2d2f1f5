/** Whether the state row or the state file of a table counts: pure. */
import type { NoCursor } from '../../reasons.ts';
import { isSameTable, printName } from '../../schema/names.ts';
import { SOURCE } from '../../schema/metadata-columns.ts';
import {
  resetRecordSchema,
  stateRecordSchema,
  type ResetRecord,
  type ServerInstance,
  type StateRecord,
} from '../../schema/state-record.ts';
import { tableCommand } from '../../shell-word.ts';
import type { StateRows } from './state-rows.ts';
import type { StateFile } from '../../state/state-files.ts';

export type SavedState =
  | {
      readonly kind: 'none';
      readonly why: NoCursor;
      readonly warnings: readonly string[];
      /** Whether a state names the table all the same: one that was reset, or that cannot be read. */
      readonly isNamed?: boolean;
      /** Of the row that says that it was reset. */
      readonly generation?: number;
    }
  | { readonly kind: 'record'; readonly record: StateRecord; readonly warnings: readonly string[] }
  | {
      readonly kind: 'legacy';
      readonly cursor: string;
      readonly path: string;
      readonly warnings: readonly string[];
    }
  /** It is somebody else's: nothing may be done before a person has looked at it. */
  | { readonly kind: 'foreign'; readonly what: string; readonly next: string };

export interface ExpectedState {
  /** What people call the table. */
  readonly label: string;
  readonly pipeline: string;
  readonly source: { readonly database: string; readonly schema: string; readonly table: string };
  readonly destination: { readonly schema: string; readonly table: string };
  readonly systemIdentifier: string | null;
}

export function reconcile(
  file: StateFile,
  { record: row, rival }: Pick<StateRows, 'record' | 'rival'>,
  expected: ExpectedState,
): SavedState {
  const reset = resetRecordSchema.safeParse(row).data;
  if (reset) return afterReset(reset, file, rival, expected);
  const inDestination = row === undefined ? undefined : stateRecordSchema.safeParse(row);
  if (inDestination && !inDestination.success) return unreadableRow(expected);
  const inFile = file.kind === 'record' ? file.record : undefined;
  for (const [record, where] of [
    [inDestination?.data, 'in the destination'],
    [inFile, 'in the state directory'],
  ] as const) {
    const foreign = record && foreignness(record, where, expected);
    if (foreign) return foreign;
  }
  if (rival !== undefined) return rivalry(rival, expected);
  if (inDestination)
    return { kind: 'record', record: inDestination.data, warnings: disagreement(inDestination.data, file) };
  return inFile && !isSameTable(inFile.destination, expected.destination)
    ? ofElsewhere(inFile)
    : fromFileAlone(file);
}

/** A file that is left on some machine is older than the reset, whatever stands in it. */
function afterReset(
  { pipeline, reset, generation }: ResetRecord,
  file: StateFile,
  rival: string | undefined,
  expected: ExpectedState,
): SavedState {
  if (pipeline !== expected.pipeline) return ofPipeline(pipeline, 'in the destination', expected);
  if (rival !== undefined) return rivalry(rival, expected);
  return {
    kind: 'none',
    why: { code: 'was-reset', at: reset.at },
    warnings: [],
    isNamed: reset.wasKnown || namesTable(file, expected),
    generation,
  };
}

const namesTable = (file: StateFile, { destination }: ExpectedState): boolean =>
  file.kind === 'record' ? isSameTable(file.record.destination, destination) : file.kind !== 'none';

/** Before the schema of the copies was another one: what is called like a copy there is none that this tells of. */
const ofElsewhere = ({ destination }: StateRecord): SavedState => ({
  kind: 'none',
  why: { code: 'state-file-of-another-table', table: printName(destination) },
  warnings: [],
});

function fromFileAlone(file: StateFile): SavedState {
  switch (file.kind) {
    case 'record':
      return {
        kind: 'record',
        record: file.record,
        warnings: ['the destination has no state row; the state file is used (was the destination rebuilt?)'],
      };
    case 'legacy':
      return { ...file, warnings: [] };
    case 'unreadable':
      return {
        kind: 'none',
        why: { code: 'state-file-unusable', message: file.why },
        warnings: [unreadable(file)],
        isNamed: true,
      };
    case 'none':
      return { kind: 'none', why: { code: 'cursor-unknown' }, warnings: [] };
  }
}

/** The row was committed together with the data, so it is right whenever the two differ. */
function disagreement(row: StateRecord, file: StateFile): string[] {
  if (file.kind === 'unreadable') return [unreadable(file)];
  if (file.kind !== 'record') return [];
  if (file.record.generation > row.generation) {
    return [
      'the state file is newer than the destination, which was restored from a backup, it seems; the destination counts',
    ];
  }
  if (file.record.generation < row.generation) {
    return [
      'the state file is older than the destination (a crash after the commit, or an old copy); the destination counts',
    ];
  }
  return file.record.cursor === row.cursor ? [] : ['the state file was edited; the destination counts'];
}

const unreadable = ({ path, why }: { path: string; why: string }): string =>
  `the state file ${path} is set aside: ${why}`;

const unreadableRow = ({ label, destination }: ExpectedState): SavedState => ({
  kind: 'foreign',
  what: `the state row of ${printName(destination)} in _increp_state was not written by this version of increp`,
  next: `Use the version that wrote it, or load the table again: ${tableCommand('reset', label)}`,
});

const rivalry = (rival: string, { destination, pipeline }: ExpectedState): SavedState => ({
  kind: 'foreign',
  what: `pipeline "${rival}" fills ${printName(destination)} too, and not both keep their rows apart by the column "${SOURCE}"`,
  next: `Give both "metadata_columns": ["${SOURCE}"], or pipeline "${pipeline}" another "dest_name". If "${rival}" is no more, delete its row from _increp_state.`,
});

function foreignness(record: StateRecord, where: string, expected: ExpectedState): SavedState | undefined {
  const reset = tableCommand('reset', expected.label);
  const resync = `${reset} && ${tableCommand('sync', expected.label)}`;
  const owner = (source: ExpectedState['source']) => `${source.database}, ${printName(source)}`;
  if (record.pipeline !== expected.pipeline) return ofPipeline(record.pipeline, where, expected);
  if (owner(record.source) !== owner(expected.source)) {
    return {
      kind: 'foreign',
      what: `the state of ${printName(expected.destination)} ${where} is of source ${owner(record.source)}, and the source is now ${owner(expected.source)}`,
      next: `Restore the former SOURCE settings, or load it from the new source: ${resync}`,
    };
  }
  return isOtherCluster(record.sourceLife, expected)
    ? {
        kind: 'foreign',
        what: `the state of ${printName(expected.destination)} ${where} is of another source server (system identifier ${record.sourceLife.systemIdentifier}, now ${expected.systemIdentifier})`,
        next: `If the source moved to a new server, load it again from there: ${resync}`,
      }
    : undefined;
}

const ofPipeline = (pipeline: string, where: string, expected: ExpectedState): SavedState => ({
  kind: 'foreign',
  what: `the state of ${printName(expected.destination)} ${where} belongs to pipeline "${pipeline}", and this is "${expected.pipeline}"`,
  next: `Set PIPELINE_NAME=${pipeline} if it is the same one, give this one another destination, or forget that state: ${tableCommand('reset', expected.label)}`,
});

const isOtherCluster = ({ systemIdentifier }: ServerInstance, expected: ExpectedState): boolean =>
  systemIdentifier !== null &&
  expected.systemIdentifier !== null &&
  systemIdentifier !== expected.systemIdentifier;

/** Of what was read; 0 where there is no record of it. Each commit, and each reset, counts one more. */
export const generationOf = (saved: SavedState): number =>
  saved.kind === 'record' ? saved.record.generation : saved.kind === 'none' ? (saved.generation ?? 0) : 0;
