/**
 * Signs that source and destination are probably swapped, before a first sync writes into the real source. A state at the source
 * alone is no sign, because a pipeline can read from the destination of another (a chain). There, the destination has only
 * tables of pipelines. A real source has rows of its own in tables of this pipeline, or it is the database from which another
 * pipeline fills the tables that this pipeline would read. A former sync of this pipeline in this direction settles it.
 */
import { IncrepError } from '../../errors.ts';
import { batchesOf } from '../../postgres/batches.ts';
import { printName, tableKey, type TableName } from '../../schema/names.ts';
import { isAbout } from '../../schema/state-record.ts';
import type { RunContext } from '../context/run-context.ts';
import { describeDestination } from './describe-destination.ts';
import { everyStateFile } from './every-state-file.ts';
import type { SavedState } from './saved-state.ts';
import { filledFrom, readSourceStates } from './swapped-sides.ts';
import { tableNames } from './table-names.ts';
import { SWAPPED_STATE } from './unclaimed.ts';

/** host:port/database */
interface Addresses {
  readonly source: string;
  readonly destination: string;
}

interface FoundSign {
  /** `rows`: the destination table has rows that increp did not write. `filled`: the source table comes from the destination. */
  readonly kind: 'rows' | 'filled';
  readonly table: TableName;
}

/** `state`: there is only the state at the source. It prevents no sync, but it changes the advice of other refusals. */
export type SwapSign = Addresses & (FoundSign | { readonly kind: 'state' });

type SwapContext = Pick<RunContext, 'settings' | 'source' | 'destination' | 'stateFiles'>;

interface SeenTable {
  readonly saved: SavedState;
  readonly pendingLoad: unknown;
  readonly isNewSchema: boolean;
}

/** After a reset, a state still names the table. An interrupted load has a record of its own. */
export const isFirstSync = ({ saved, pendingLoad }: Pick<SeenTable, 'saved' | 'pendingLoad'>): boolean =>
  saved.kind === 'none' && saved.isNamed !== true && pendingLoad === undefined;

/** `tables` are those of the command. The signs are sought among all tables of the pipeline. */
export async function findSwapSign(
  context: SwapContext,
  tables: readonly SeenTable[],
): Promise<SwapSign | undefined> {
  if (!tables.some(isFirstSync) || tables.some(wasWritten)) return undefined;
  if (!(await context.source.withReading(readSourceStates)).areThere) return undefined;
  if (await isDirectionKnown(context)) return undefined;
  const sign = (await filledTable(context)) ?? (await unknownRows(context));
  const { source, destination } = context;
  return {
    ...(sign ?? { kind: 'state' }),
    source: source.endpoint.address,
    destination: destination.endpoint.address,
  };
}

const wasWritten = ({ saved, pendingLoad, isNewSchema }: SeenTable): boolean =>
  saved.kind === 'record' || saved.kind === 'legacy' || pendingLoad !== undefined || !isNewSchema;

/** Whether this pipeline has written to this destination, according to a state there or to a state file. */
async function isDirectionKnown(context: SwapContext): Promise<boolean> {
  const { settings, destination } = context;
  const { sources } = await destination.withReading(readSourceStates);
  if (sources.some((state) => state.pipeline === settings.pipeline)) return true;
  const to = await destination.identity();
  for await (const files of everyStateFile(context))
    for (const { file } of files)
      if (file.kind === 'record' && file.record.pipeline === settings.pipeline && isAbout(file.record, to))
        return true;
  return false;
}

const enabledTables = ({ settings }: SwapContext) => settings.tables.filter(({ isEnabled }) => isEnabled);

async function filledTable(context: SwapContext): Promise<FoundSign | undefined> {
  const to = await context.destination.identity();
  const filled = await context.source.withReading((client) => filledFrom(client, to));
  const table = enabledTables(context).find((each) => filled.has(tableKey(each.source)));
  return table && { kind: 'filled', table: table.source };
}

async function unknownRows(context: SwapContext): Promise<FoundSign | undefined> {
  const { destination } = context;
  const described = {
    server: await destination.identity(),
    settings: destination.settings,
    read: destination.withReading.bind(destination),
  };
  for (const batch of batchesOf(enabledTables(context))) {
    const tables = batch.map((settings) => ({ ...tableNames(context, settings), settings }));
    const { filled, stateOf, pendingLoads } = await describeDestination(
      described,
      tables,
      context.settings.pipeline,
    );
    const unknown = tables.find((names) => {
      const { record, isTaken } = stateOf(names);
      const isKnown = record !== undefined || isTaken || pendingLoads.has(tableKey(names.stateName));
      return filled.has(tableKey(names.destinationName)) && !isKnown;
    });
    if (unknown) return { kind: 'rows', table: unknown.destinationName };
  }
  return undefined;
}

/** The text names no table of the command, because it is the same for all of them. */
export function probablySwapped(sign: SwapSign | undefined): IncrepError | undefined {
  if (sign === undefined || sign.kind === 'state') return undefined;
  const { kind, table } = sign;
  return new IncrepError('DESTINATION_NOT_OURS', {
    what:
      kind === 'rows'
        ? `${SWAPPED_STATE}, and ${printName(table)} at the destination has rows that increp did not write`
        : `source and destination are probably swapped: a pipeline fills ${printName(table)} at the source from the database that is the destination now`,
    next: `${checkDirection(sign)} Nothing was changed. If the direction is right, run "increp sync --force".`,
  });
}

export const checkDirection = ({ source, destination }: Addresses): string =>
  `Rows go from ${source} to ${destination}. If that is the wrong direction, exchange the SOURCE_ and DEST_ settings.`;
