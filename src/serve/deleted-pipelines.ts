/** The work of pipelines that the API has deleted, and of directories that were removed an hour ago. */
import * as z from 'zod';
import type { ControlDatabase } from '../postgres/control-database.ts';
import { LOCK_CLAIMS } from '../sql/control/claims.ts';
import { CANCEL_WORK, DELETED_WITH_WORK } from '../sql/control/definitions.ts';

const nameRow = z.object({ name: z.string() });

/**
 * After the deletion, no request begins. Those that were on their way are cancelled here, in a transaction of its own: the
 * lock waits for transactions that may wait for the deletion.
 */
export async function cancelDeletedWork(control: ControlDatabase): Promise<void> {
  const { rows } = await control.query(DELETED_WITH_WORK);
  for (const { name } of z.array(nameRow).parse(rows))
    await control.transaction(async (session) => {
      await session.query(LOCK_CLAIMS);
      for (const statement of CANCEL_WORK) await session.query(statement, [name]);
    });
}
