/** `increp reset`: what is left of a state is the fact that it was forgotten, at the destination, where every machine looks. */
import type pg from 'pg';
import { z } from 'zod';
import type { TableSettings } from '../config/settings.ts';
import { describeRelations } from '../postgres/catalog.ts';
import type { ServerIdentity } from '../postgres/identity.ts';
import { sharedName, type TableName } from '../schema/names.ts';
import { STATE_FORMAT, writtenAsSchema, type ResetRecord } from '../schema/state-record.ts';
import { chunksTable, forgetLoad, loadsTable } from '../sql/loads.ts';
import { createStateTable, forgetOwnState, readRecords, stateTable, writeReset } from '../sql/state.ts';
import { asUsual } from '../sql/search-path.ts';
import type { StateFile } from '../state/state-files.ts';
import { readPendingLoads } from '../sync/facts/pending-loads.ts';
import { tableNames } from '../sync/facts/facts.ts';
import { lockTable } from '../sync/lock/table-lock.ts';
import type { RunContext } from '../sync/context/run-context.ts';

/** `nothing`: no state named it. `absent`: nor is there a table. */
export type Forgotten = 'state' | 'nothing' | 'absent';

/** @throws IncrepError RUN_LOCKED, while a run is at work on the table: its state would come after the reset */
export async function forgetTable(context: RunContext, table: TableSettings): Promise<Forgotten> {
  const { destinationName, stateName, copyName } = tableNames(context, table);
  const { schema } = destinationName;
  const file = await context.stateFiles.read(copyName);
  const here = await context.destination.identity();
  // Whichever of them it was synced under last.
  const names = [destinationName.table, sharedName(destinationName.table, context.settings.pipeline)];
  const forgotten = await context.destination.withWriting([], async (client): Promise<Forgotten> => {
    for (const name of names.toSorted())
      await lockTable(client, { stateName: { schema, table: name } }, { waitSeconds: 0, ...context });
    const ours = [stateTable, loadsTable, chunksTable].map((named) => named(schema).table);
    const there = await describeRelations(client, schema, [...ours, destinationName.table]);
    const [hasState, ...hasLoads] = ours.map((name) => there.has(name));
    const hasPending = hasLoads.every(Boolean) && (await forgetPending(client, stateName));
    const states = hasState === true ? await statesOf(client, context, stateName, names) : [];
    const wasKnown = states.some(isRealState) || hasPending || namesCopy(file, here);
    if (!there.has(destinationName.table) && states.length === 0 && file.kind === 'none')
      return hasPending ? 'state' : 'absent';
    // Another machine may hold a state file that would serve in place of a row that is gone.
    if (hasState !== true) await client.query(asUsual(createStateTable(schema)));
    const source = { database: context.settings.source.database, ...table.source };
    const reset: Omit<ResetRecord, 'generation'> = {
      format: STATE_FORMAT,
      pipeline: context.settings.pipeline,
      source,
      reset: { at: new Date().toISOString(), wasKnown },
      writtenAs: writtenAsIn(states, file),
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
    return wasKnown ? 'state' : 'nothing';
  });
  await context.stateFiles.remove(copyName);
  return forgotten;
}

/** Once the two sides are exchanged, the file is of a table here that was a source, and never a copy. */
const namesCopy = (file: StateFile, { systemIdentifier, database }: ServerIdentity): boolean =>
  file.kind === 'record'
    ? file.record.sourceLife.systemIdentifier !== systemIdentifier || file.record.source.database !== database
    : file.kind !== 'none';

const stateRow = z.object({ name: z.string(), pipeline: z.string(), record: z.unknown() });
type StateRow = z.infer<typeof stateRow>;

/** Its own, whosever it is, and those of the pipeline under the other name. */
async function statesOf(
  client: pg.ClientBase,
  { settings: { pipeline } }: RunContext,
  stateName: TableName,
  names: readonly string[],
): Promise<StateRow[]> {
  const { rows } = await client.query(readRecords(stateName.schema), [names]);
  return z
    .array(stateRow)
    .parse(rows)
    .filter((row) => row.name === stateName.table || row.pipeline === pipeline);
}

const resetMark = z.object({ reset: z.object({ wasKnown: z.boolean() }) });

/** A table that was reset before it was known is known no better by a second reset. */
const isRealState = ({ record }: StateRow): boolean =>
  resetMark.safeParse(record).data?.reset.wasKnown ?? true;

function writtenAsIn(states: readonly StateRow[], file: StateFile): ResetRecord['writtenAs'] {
  const known = z.object({ writtenAs: writtenAsSchema.nullish() });
  const inRows = states.flatMap(({ record }) => known.safeParse(record).data?.writtenAs ?? []);
  return inRows[0] ?? (file.kind === 'record' ? file.record.writtenAs : null);
}

async function forgetPending(client: pg.ClientBase, stateName: TableName): Promise<boolean> {
  const isThere = (await readPendingLoads(client, [stateName])).size > 0;
  await client.query(forgetLoad(stateName.schema), [stateName.table]);
  return isThere;
}
