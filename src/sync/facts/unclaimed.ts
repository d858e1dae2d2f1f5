/** Destination tables that have rows and no state of increp. Their rows may come from something else. */
import { IncrepError } from '../../errors.ts';
import { rowsText } from '../../report/reasons.ts';
import { printName, type TableName } from '../../schema/names.ts';
import { isReadableTable, type Relation } from '../../schema/relations.ts';
import { tableCommand } from '../../shell-word.ts';
import type { SavedState } from './saved-state.ts';
import { countedRows, type CountedRows } from './populated-tables.ts';
import type { RunContext } from '../context/run-context.ts';

export interface Unclaimed extends CountedRows {
  /** host:port/database of both sides, because the user may have exchanged them. */
  readonly source: string;
  readonly destination: string;
}

interface ClaimEvidence {
  readonly destination: Relation | undefined;
  readonly saved: SavedState;
  readonly pendingLoad: unknown;
  /** Whether another pipeline has a state of the table. Several pipelines can share one. */
  readonly isTaken: boolean;
}

export const isUnclaimed = ({ destination, saved, pendingLoad, isTaken }: ClaimEvidence): boolean =>
  isReadableTable(destination) &&
  saved.kind === 'none' &&
  saved.isNamed !== true &&
  pendingLoad === undefined &&
  !isTaken;

/** By table, without empty tables. */
export async function countUnclaimed<T extends { readonly destinationName: TableName }>(
  { source, destination }: Pick<RunContext, 'source' | 'destination'>,
  tables: readonly T[],
): Promise<ReadonlyMap<T, Unclaimed>> {
  if (tables.length === 0) return new Map();
  const sides = { source: source.endpoint.address, destination: destination.endpoint.address };
  const counts = await destination.withReading((client) =>
    countedRows(
      client,
      tables.map(({ destinationName }) => destinationName),
    ),
  );
  return new Map(
    tables.flatMap((table, index) => {
      const counted = counts[index];
      return counted === undefined || counted.rows === 0 ? [] : [[table, { ...counted, ...sides }]];
    }),
  );
}

interface Named {
  readonly destinationName: TableName;
  readonly settings: { readonly name: string };
}

export const notOurs = ({ destinationName, settings: { name } }: Named, unclaimed: Unclaimed): IncrepError =>
  new IncrepError('DESTINATION_NOT_OURS', {
    what: `${printName(destinationName)} at the destination has ${rowsText(unclaimed)}, and increp has no state of it: a sync would replace its rows`,
    next: `Are source and destination the right way round? The source is ${unclaimed.source}, the destination is ${unclaimed.destination}. ${claimSteps(name)} Or give the table another "dest_name".`,
  });

const claimSteps = (name: string): string =>
  `To keep the table and make its rows those of the source, run "${tableCommand('sync', name, '--adopt')}". To load it again, run "${tableCommand('sync', name, '--replace')}".`;

/** Adoption does not change the shape of the table, so the table must fit. */
export const notAdoptable = (
  { destinationName, settings: { name } }: Named,
  differences: string,
): IncrepError =>
  new IncrepError('DESTINATION_NOT_OURS', {
    what: `${printName(destinationName)} cannot be adopted as it is: ${differences}`,
    next: `Change the table at the destination, or load it again: ${tableCommand('sync', name, '--replace')}`,
  });
