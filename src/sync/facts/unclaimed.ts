/** Destination tables that have rows and no state of increp. Their rows may come from something else. */
import { IncrepError } from '../../errors.ts';
import { rowsText } from '../../report/reasons.ts';
import { printName, type TableName } from '../../schema/names.ts';
import { isReadableTable, type Relation } from '../../schema/relations.ts';
import { tableCommand } from '../../shell-word.ts';
import { HAS_STATE_TABLE } from '../../sql/state.ts';
import type { SavedState } from './saved-state.ts';
import { countedRows, type CountedRows } from './populated-tables.ts';
import type { RunContext } from '../context/run-context.ts';

export interface Unclaimed extends CountedRows {
  /** host:port/database of both sides, because the user may have swapped them. */
  readonly source: string;
  readonly destination: string;
  /** Whether the source keeps state of increp, as the destination of a pipeline does. */
  readonly isSourceOurs: boolean;
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
  const counts = await destination.withReading((client) =>
    countedRows(
      client,
      tables.map(({ destinationName }) => destinationName),
    ),
  );
  const found = tables.flatMap((table, index) => {
    const counted = counts[index];
    return counted === undefined || counted.rows === 0 ? [] : [{ table, counted }];
  });
  if (found.length === 0) return new Map();
  const sides = {
    source: source.endpoint.address,
    destination: destination.endpoint.address,
    isSourceOurs: await source.withReading(async (client) => {
      const { rows } = await client.query<{ is_there: boolean }>(HAS_STATE_TABLE);
      return rows[0]?.is_there === true;
    }),
  };
  return new Map(found.map(({ table, counted }) => [table, { ...counted, ...sides }]));
}

export interface Claim {
  /** What to do with a destination table that has rows and no state. Undefined: refuse. */
  readonly claim?: 'adopt' | 'replace' | undefined;
  /** --force: also if source and destination are probably swapped. */
  readonly isForced?: boolean;
}

/** A claim on a swapped pipeline would overwrite rows of the real source. */
export const isClaimed = ({ isSourceOurs }: Unclaimed, { claim, isForced }: Claim): boolean =>
  claim !== undefined && (!isSourceOurs || isForced === true);

interface Named {
  readonly destinationName: TableName;
  readonly settings: { readonly name: string };
  readonly saved?: SavedState;
}

/** DEST_URL or DEST_DB may have been changed by mistake. */
const aboutAnother = (saved: SavedState | undefined): string =>
  saved?.kind === 'none' && saved.why.code === 'state-file-of-another-database'
    ? ` (the state file is about database "${saved.why.database}")`
    : '';

export const SWAPPED_STATE =
  'source and destination are probably swapped: the source has the state of a pipeline';

export const notOurs = (
  { destinationName, settings: { name }, saved }: Named,
  unclaimed: Unclaimed,
  { claim, misfit }: Claim & { readonly misfit: string },
): IncrepError =>
  new IncrepError('DESTINATION_NOT_OURS', {
    what: unclaimed.isSourceOurs
      ? `${SWAPPED_STATE}, and ${printName(destinationName)} at the destination has ${rowsText(unclaimed)} that increp did not write${aboutAnother(saved)}`
      : `${printName(destinationName)} at the destination has ${rowsText(unclaimed)}, and increp has no state of it${aboutAnother(saved)}: a sync would replace its rows`,
    next: `Rows go from ${unclaimed.source} to ${unclaimed.destination}. If that is the wrong direction, exchange the SOURCE_ and DEST_ settings.${unclaimed.isSourceOurs ? ` ${stepsIfRight(name, claim)}` : `\n${claimSteps({ name, rows: rowsText(unclaimed), misfit })}`}`,
  });

const stepsIfRight = (name: string, claim: Claim['claim']): string =>
  claim === undefined
    ? 'If it is right, see "increp help DESTINATION_NOT_OURS".'
    : `If it is right, run "${tableCommand('sync', name, `--${claim} --force`)}".`;

interface Claimable {
  readonly name: string;
  readonly rows: string;
  /** Why the table cannot be adopted, or empty. */
  readonly misfit: string;
}

/** The choices, one in each line. The last one deletes rows. */
export function claimSteps({ name, rows, misfit }: Claimable, elsewhere = ELSEWHERE): string {
  const adopt =
    misfit === ''
      ? `To keep ${name} and make its rows those of the source, run "${tableCommand('sync', name, '--adopt')}".`
      : `increp cannot keep ${name} and repair its rows (--adopt): ${misfit}.`;
  return [elsewhere, adopt, replaceStep(name, rows)].join('\n');
}

const ELSEWHERE = 'To leave the table as it is, set another "dest_name".';

const replaceStep = (name: string, rows?: string): string =>
  `To delete all rows of ${name}${rows === undefined ? '' : ` (${rows})`} and load it again, run "${tableCommand('sync', name, '--replace')}".`;

/** Adoption does not change the shape of the table, so the table must fit. */
export const notAdoptable = (
  { destinationName, settings: { name } }: Named,
  differences: string,
): IncrepError =>
  new IncrepError('DESTINATION_NOT_OURS', {
    what: `${printName(destinationName)} cannot be adopted as it is: ${differences}`,
    next: `Change the table at the destination, then repeat the command.\n${ELSEWHERE}\n${replaceStep(name)}`,
  });
