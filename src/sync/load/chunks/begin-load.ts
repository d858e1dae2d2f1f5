/** Commits, before the first chunk, the empty staging table and the header that a later run needs to resume the load. */
import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import * as z from 'zod';
import type { TableName } from '../../../schema/names.ts';
import { newHeader, type LoadHeader } from '../../../schema/pending-load.ts';
import { lockTimeout } from '../../../sql/reshape.ts';
import { forgetLoad, storageOf, writeLoad } from '../../../sql/loads.ts';
import type { TableFacts } from '../../facts/facts.ts';
import type { RaisedFence } from '../../fence/fence.ts';
import { createMissingTypes } from '../../write/create-types.ts';
import type { LoadPlan } from '../../plan/plan.ts';
import { makeStaging } from '../../write/staging.ts';
import { nextRecord } from '../../fence/next-state.ts';
import type { RunContext } from '../../context/run-context.ts';
import type { BegunLoad, Chunks } from '../../plan/chunk-choice.ts';

interface Beginning {
  readonly context: RunContext;
  readonly facts: TableFacts;
  readonly plan: LoadPlan;
  readonly chunks: Chunks;
  /** Raised before the first chunk. Changes that are committed later are found from this fence on. */
  readonly fence: RaisedFence;
}

export async function beginLoad(
  client: pg.ClientBase,
  { context, facts, plan, chunks, fence }: Beginning,
): Promise<BegunLoad> {
  const { schema, table } = facts.stateName;
  await createMissingTypes(client, facts);
  await client.query(lockTimeout(context.timing.chunkLockGrace));
  await client.query(forgetLoad(schema), [table]);
  await makeStaging(client, facts, plan.source.columns, true);
  const header = newHeader({
    record: nextRecord({ context, facts, plan }, fence, { areDeletesDone: true }),
    starts: chunks.starts,
    source: { databaseOid: facts.servers.source.databaseOid, leaves: chunks.leaves },
    staging: await storageIn(client, facts.stagingName),
  });
  const id = randomUUID();
  const row = [table, id, context.settings.pipeline, chunks.starts.length, JSON.stringify(header)];
  await client.query(writeLoad(schema), row);
  return { id, header, done: [] };
}

const storageRow = z.object({ oid: z.string(), filenode: z.string() });

export const storageIn = async (client: pg.ClientBase, table: TableName): Promise<LoadHeader['staging']> =>
  storageRow.parse((await client.query(storageOf(table))).rows[0]);
