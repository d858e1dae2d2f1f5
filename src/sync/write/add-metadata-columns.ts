/** Adds metadata columns that the destination table lacks, because they were configured after it was created. */
import { describeRelations } from '../../postgres/catalog.ts';
import { codeOf } from '../../postgres/identity.ts';
import { addMetadataColumn } from '../../sql/destination.ts';
import { lockWholly } from '../../sql/reshape.ts';
import { altered } from './destination-lock.ts';
import type { TableFacts } from '../facts/facts.ts';
import { waitingForUsers } from '../lock/lock-holders.ts';
import { filledForNow, missingMetadataColumns } from './metadata-columns.ts';
import { lockAlone } from '../lock/exclusive-lock.ts';
import { lockTable, type LockWait } from '../lock/table-lock.ts';
import type { RunContext } from '../context/run-context.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';

/**
 * Uses a separate transaction: ALTER TABLE blocks readers until the end of its transaction, and a window or a comparison may
 * take hours. If the sync fails later, the columns stay empty and the next sync uses them.
 * Returns the facts with the current table. @throws IncrepError RUN_LOCKED, LOCK_TIMEOUT, SCHEMA_CHANGED
 */
export async function addMetadataColumns(
  context: Pick<RunContext, 'destination' | 'timing' | 'signal' | 'emit'>,
  facts: TableFacts,
  lockWait: LockWait,
): Promise<TableFacts> {
  const { destinationName: table } = facts;
  const missing = missingMetadataColumns(facts);
  if (!facts.destination || missing.length === 0) return facts;
  return context.destination.withWriting([], async (client) => {
    await lockTable(client, facts, lockWait);
    const onWait = waitingForUsers(context, facts, client, 'lock');
    try {
      const wanted = { table, locks: [lockWholly(table)], timing: context.timing, onWait };
      await lockAlone(client, wanted, context.signal);
    } catch (error) {
      throw codeOf(error) === SQLSTATE.undefinedTable ? altered(facts, error) : error;
    }
    for (const column of missing) await client.query(addMetadataColumn(table, column, filledForNow(column)));
    const now = await describeRelations(client, table.schema, [table.table]);
    return { ...facts, destination: now.get(table.table) };
  });
}
