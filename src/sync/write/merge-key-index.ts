/** The unique index on the unique key of the destination table. If it is missing, it is created and replaces a narrower index. */
import type pg from 'pg';
import { IncrepError } from '../../errors.ts';
import { describeRelations } from '../../postgres/catalog.ts';
import { codeOf } from '../../postgres/identity.ts';
import { derivedName, printName, type TableName } from '../../schema/names.ts';
import { uniqueIndexOn } from '../../schema/relations.ts';
import { copyKey, isShared } from '../../schema/row-identity.ts';
import { tableCommand } from '../../shell-word.ts';
import { createMergeKey, dropConstraint, dropIndex, IS_CONSTRAINT } from '../../sql/destination.ts';
import { waitForLock } from '../../sql/state.ts';
import type { TableFacts } from '../facts/facts.ts';
import { blockingKeys, isIndexed } from '../plan/reload-guard.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';

/** @throws IncrepError MERGE_KEY_NOT_UNIQUE */
export async function ensureKeyIndex(client: pg.ClientBase, planned: TableFacts): Promise<void> {
  if (isIndexed(planned)) return;
  const facts = await seenNow(client, planned);
  if (isIndexed(facts)) return;
  const { destinationName, settings } = facts;
  const index = derivedName(destinationName.table, '_increp_key');
  const isInTheWay = (name: string) =>
    name === index || blockingKeys(facts).ownIndexes.some((key) => key.index === name);
  for (const { index: name } of facts.destination?.uniqueKeys ?? [])
    if (isInTheWay(name)) await dropUnique(client, destinationName, name);
  const { destination } = facts;
  if (destination && uniqueIndexOn(destination, copyKey(settings))) return;
  try {
    await client.query(createMergeKey(destinationName, index, copyKey(settings), false));
  } catch (error) {
    if (codeOf(error) !== SQLSTATE.uniqueViolation) throw error;
    throw new IncrepError('MERGE_KEY_NOT_UNIQUE', {
      what: `${printName(destinationName)} at the destination has several rows with the same ${copyKey(settings).join(', ')}`,
      next: `The table stays in use. To load it again, run "${tableCommand('sync', settings.name, '--full-refresh')}".`,
      cause: error,
    });
  }
}

/** Pipelines that share a table take turns to change it. Each one describes the table again after it has the lock. */
export async function seenNow(client: pg.ClientBase, facts: TableFacts): Promise<TableFacts> {
  const { destinationName, settings } = facts;
  if (!isShared(settings)) return facts;
  await client.query(waitForLock(destinationName));
  return describedAgain(client, facts);
}

/** The facts with the destination table as it is now. */
export async function describedAgain(client: pg.ClientBase, facts: TableFacts): Promise<TableFacts> {
  const { schema, table } = facts.destinationName;
  return { ...facts, destination: (await describeRelations(client, schema, [table])).get(table) };
}

export async function dropUnique(client: pg.ClientBase, table: TableName, index: string): Promise<void> {
  const { rowCount } = await client.query(IS_CONSTRAINT, [table.schema, index]);
  await client.query(rowCount === 0 ? dropIndex(table.schema, index) : dropConstraint(table, index));
}
