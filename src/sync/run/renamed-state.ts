/** A table that is shared with other pipelines from now on, or no longer: what lay under its former name goes. */
import type pg from 'pg';
import { describeRelations } from '../../postgres/catalog.ts';
import { stagingName } from '../../schema/names.ts';
import { dropTable, stagingMark } from '../../sql/destination.ts';
import { forgetState } from '../../sql/state.ts';
import type { TableFacts } from '../facts/facts.ts';

/** In the transaction that writes the state under its new name. */
export async function leaveFormerName(client: pg.ClientBase, facts: TableFacts): Promise<void> {
  const { formerStateName: name, stateName, settings } = facts;
  if (name === undefined) return;
  const { schema } = stateName;
  await client.query(forgetState(schema), [name]);
  const table = stagingName(name);
  const staging = (await describeRelations(client, schema, [table])).get(table);
  if (staging?.comment === stagingMark(settings.destinationName)) await client.query(dropTable(staging.name));
}
