/**
 * `increp reset`: replaces the state of a table by a record of the reset. The record is at the destination, so every
 * machine sees it.
 */
import type pg from 'pg';
import * as z from 'zod';
import type { TableSettings } from '../config/settings.ts';
import { attempt, IncrepError } from '../errors.ts';
import { describeRelations } from '../postgres/catalog.ts';
import type { ServerIdentity } from '../postgres/identity.ts';
import { askAll } from '../postgres/catalog-question.ts';
import { sharedName, stagingName, type TableName } from '../schema/names.ts';
import { shapeSchema } from '../schema/shape.ts';
import { onceOnly } from '../once-only.ts';
import { tableCommand } from '../shell-word.ts';
import {
  areOtherServers,
  isAbout,
  STATE_FORMAT,
  writtenAsSchema,
  type ResetRecord,
} from '../schema/state-record.ts';
import { chunksTable, forgetLoad, loadsTable } from '../sql/loads.ts';
import { dropTable, stagingMark } from '../sql/destination.ts';
import { createStateTable, forgetOwnState, readRecords, stateTable, writeReset } from '../sql/state.ts';
import { asUsual } from '../sql/search-path.ts';
import type { StateFile } from '../state/state-files.ts';
import { loadsQuestion } from '../sync/facts/pending-loads.ts';
import { tableNames } from '../sync/facts/table-names.ts';
import { swappedByFile, swappedSides } from '../sync/facts/saved-state.ts';
import { areSidesSwapped } from '../sync/facts/swapped-sides.ts';
import { lockTable } from '../sync/lock/table-lock.ts';
import type { RunContext } from '../sync/context/run-context.ts';

export interface Forgotten {
  /** `nothing`: there was no state. `absent`: there is no destination table either. `state-only`: only the table is missing. */
  readonly kind: 'state' | 'state-only' | 'nothing' | 'absent';
  /** --force: the pipeline or source that the state belonged to. */
  readonly takenFrom: string | undefined;
}

interface Reset {
  /** --force: also discards the state of another pipeline or source. */
  readonly isForced: boolean;
  readonly lookAtSource: () => Promise<SeenSource>;
}

interface SeenSource {
  /** Whether the sides are swapped. */
  readonly isOfPipeline: boolean;
  readonly systemIdentifier: string | null;
}

/**
 * @throws IncrepError RUN_LOCKED during a run on the table, because that run would save its state after the reset;
 * STATE_MISMATCH if the state belongs to another pipeline or source, or if source and destination are swapped
 */
export async function forgetTable(
  context: RunContext,
  table: TableSettings,
  { isForced, lookAtSource }: Reset,
): Promise<Forgotten> {
  const { destinationName, stateName, recordName } = tableNames(context, table);
  const { schema } = destinationName;
  const file = await context.stateFiles.read(recordName);
  const here = await context.destination.identity();
  const swapped =
    swappedByFile(file, { destination: destinationName, destinationServer: here }) ??
    (file.kind === 'none' && (await lookAtSource()).isOfPipeline
      ? swappedSides(context.settings.pipeline, here.database)
      : undefined);
  if (swapped) throw new IncrepError('STATE_MISMATCH', swapped);
  // All names under which it may have been synced.
  const names = [destinationName.table, sharedName(destinationName.table, context.settings.pipeline)];
  const { systemIdentifier } = await lookAtSource();
  const forgotten = await context.destination.withWriting([], async (client): Promise<Forgotten> => {
    for (const name of names.toSorted())
      await lockTable(client, { stateName: { schema, table: name } }, { waitSeconds: 0, ...context });
    const ours = [stateTable, loadsTable, chunksTable].map((named) => named(schema).table);
    const there = await describeRelations(client, schema, [...ours, destinationName.table]);
    const [hasState, ...hasLoads] = ours.map((name) => there.has(name));
    const hasPending = hasLoads.every(Boolean) && (await forgetPending(client, stateName, destinationName));
    const states = hasState === true ? await statesOf(client, context, stateName, names) : [];
    const owner = otherOwner(context, { states, file, systemIdentifier });
    if (owner && !isForced) throw ofAnother(context, table, owner);
    const takenFrom = owner?.words;
    const wasKnown = states.some(isRealState) || hasPending || namesDestination(file, here);
    // Where there is nothing to forget, nothing is written: the sides may be swapped.
    if (states.length === 0 && file.kind === 'none')
      return {
        kind: hasPending ? 'state' : there.has(destinationName.table) ? 'nothing' : 'absent',
        takenFrom,
      };
    // Another machine may have a state file. Without the record, that file would replace a deleted row.
    if (hasState !== true) await client.query(asUsual(createStateTable(schema)));
    const source = { database: context.settings.source.database, ...table.source };
    const reset: Omit<ResetRecord, 'generation'> = {
      format: STATE_FORMAT,
      pipeline: context.settings.pipeline,
      source,
      reset: { at: new Date().toISOString(), wasKnown },
      writtenAs: writtenAsIn(states, file),
      columns: columnsIn(states, file),
    };
    await client.query(writeReset(schema), [
      stateName.table,
      names,
      reset.pipeline,
      `${source.schema}.${source.table}`,
      file.kind === 'record' ? file.record.generation : 0,
      JSON.stringify(reset),
    ]);
    for (const name of names)
      if (name !== stateName.table)
        await client.query(forgetOwnState(schema), [name, context.settings.pipeline]);
    const kind = wasKnown ? (there.has(destinationName.table) ? 'state' : 'state-only') : 'nothing';
    return { kind, takenFrom };
  });
  await context.stateFiles.remove(recordName);
  return forgotten;
}

/** Asks once for all tables. A reset works without the source, so an unreachable source shows nothing. */
export const sourceSight = (context: RunContext): (() => Promise<SeenSource>) =>
  onceOnly(async () => {
    const found = await attempt(async () => ({
      isOfPipeline: await areSidesSwapped(context),
      systemIdentifier: (await context.source.identity()).systemIdentifier,
    }));
    return found.kind === 'done' ? found.value : { isOfPipeline: false, systemIdentifier: null };
  });

/** If source and destination are swapped, the file describes a table that was a source and not a destination. */
const namesDestination = (file: StateFile, { systemIdentifier, database }: ServerIdentity): boolean =>
  file.kind === 'record'
    ? isAbout(file.record, { systemIdentifier, database }) &&
      (file.record.sourceLife.systemIdentifier !== systemIdentifier ||
        file.record.source.database !== database)
    : file.kind !== 'none';

const stateRow = z.object({ name: z.string(), pipeline: z.string(), record: z.unknown() });
type NamedState = z.infer<typeof stateRow>;

/** The state under its own name, and the states of this pipeline under the other name. */
async function statesOf(
  client: pg.ClientBase,
  { settings: { pipeline } }: RunContext,
  stateName: TableName,
  names: readonly string[],
): Promise<NamedState[]> {
  const { rows } = await client.query(readRecords(stateName.schema), [names]);
  return z
    .array(stateRow)
    .parse(rows)
    .filter((row) => row.name === stateName.table || row.pipeline === pipeline);
}

const ownerSchema = z.object({
  pipeline: z.string(),
  source: z.object({ database: z.string() }),
  sourceLife: z.object({ systemIdentifier: z.string().nullable() }).optional(),
});

interface Owner {
  /** Undefined if it has the name of this pipeline. */
  readonly pipeline: string | undefined;
  readonly words: string;
}

interface FoundStates {
  readonly states: readonly NamedState[];
  readonly file: StateFile;
  /** Of the source. Null if it is not known. */
  readonly systemIdentifier: string | null;
}

/** A wrong PIPELINE_NAME, or a directory of the same name, must not discard the cursor of another pipeline. */
function otherOwner(
  { settings: { pipeline, source } }: RunContext,
  { states, file, systemIdentifier }: FoundStates,
): Owner | undefined {
  const records = [...states.map(({ record }) => record), ...(file.kind === 'record' ? [file.record] : [])];
  const owners = records.flatMap((record) => ownerSchema.safeParse(record).data ?? []);
  const other = owners.find((owner) => owner.pipeline !== pipeline);
  if (other) return { pipeline: other.pipeline, words: `pipeline "${other.pipeline}"` };
  const far = owners.find(
    ({ source: { database }, sourceLife }) =>
      database !== source.database || areOtherServers(sourceLife?.systemIdentifier ?? null, systemIdentifier),
  );
  if (!far) return undefined;
  const isElsewhere = far.source.database === source.database;
  return {
    pipeline: undefined,
    words: `source database "${far.source.database}"${isElsewhere ? ' of another server' : ''}`,
  };
}

const ofAnother = (
  { settings: { pipeline, source } }: RunContext,
  { name }: TableSettings,
  { pipeline: other, words }: Owner,
): IncrepError =>
  new IncrepError('STATE_MISMATCH', {
    what: `the state of "${name}" belongs to ${words}, and this is ${other === undefined ? `a pipeline with source database "${source.database}"` : `"${pipeline}"`}`,
    next: `${other === undefined ? 'If this is another pipeline, set another PIPELINE_NAME and another DEST_SCHEMA, "dest_schema" or "dest_name".' : `If this is the same pipeline, set PIPELINE_NAME=${other}. If not, set another DEST_SCHEMA, "dest_schema" or "dest_name".`} To discard that state, run "${tableCommand('reset', name, '--force')}".`,
  });

const resetMark = z.object({ reset: z.object({ wasKnown: z.boolean() }) });

/** A second reset of an unknown table does not make it known. */
const isRealState = ({ record }: NamedState): boolean =>
  resetMark.safeParse(record).data?.reset.wasKnown ?? true;

function writtenAsIn(states: readonly NamedState[], file: StateFile): ResetRecord['writtenAs'] {
  const known = z.object({ writtenAs: writtenAsSchema.nullish() });
  const inRows = states.flatMap(({ record }) => known.safeParse(record).data?.writtenAs ?? []);
  return inRows[0] ?? (file.kind === 'record' ? file.record.writtenAs : null);
}

/** Of the last sync, also if there was a reset since then. */
function columnsIn(states: readonly NamedState[], file: StateFile): readonly string[] {
  const known = z.union([
    z
      .object({ shape: shapeSchema.pick({ columns: true }) })
      .transform(({ shape }) => shape.columns.map(({ name }) => name)),
    z.object({ columns: z.array(z.string()) }).transform(({ columns }) => columns),
  ]);
  const records = [...states.map(({ record }) => record), ...(file.kind === 'record' ? [file.record] : [])];
  return (
    records.flatMap((record) => {
      const found = known.safeParse(record).data;
      return found ? [found] : [];
    })[0] ?? []
  );
}

/** Drops the staging table, because it has the space of all chunks. */
async function forgetPending(
  client: pg.ClientBase,
  stateName: TableName,
  destinationName: TableName,
): Promise<boolean> {
  const [loads] = await askAll(client, [loadsQuestion([stateName])]);
  const isThere = loads.size > 0;
  await client.query(forgetLoad(stateName.schema), [stateName.table]);
  const { schema } = stateName;
  const table = stagingName(stateName.table);
  const staging = isThere ? (await describeRelations(client, schema, [table])).get(table) : undefined;
  if (staging?.comment === stagingMark(destinationName.table)) await client.query(dropTable(staging.name));
  return isThere;
}
