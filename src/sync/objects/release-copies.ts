/** Drops copied objects that refuse rows of the source, or its new shape. A copy must never cost a sync. */
import type { TableSettings } from '../../config/settings.ts';
import { destinationOf } from '../../config/tables/table-mapping.ts';
import type { Failure } from '../../events.ts';
import { readObjects } from '../../postgres/table-objects.ts';
import type { ObjectChange } from '../../reasons.ts';
import { tableKey, type TableName } from '../../schema/names.ts';
import { isShared } from '../../schema/row-identity.ts';
import type { FoundIndex } from '../../schema/table-objects.ts';
import type { RefusedObject } from '../../state/refused-objects-file.ts';
import { dropIndex } from '../../sql/destination.ts';
import { lockWholly } from '../../sql/reshape.ts';
import type { RunContext } from '../context/run-context.ts';
import { lockAlone } from '../lock/exclusive-lock.ts';
import { isOwn } from './compare-objects.ts';
import { copiesObjects } from './copied-table.ts';
import { readMark } from './mark.ts';

type ReleaseContext = Pick<RunContext, 'settings' | 'destination' | 'timing' | 'signal'>;

export interface Released {
  readonly changes: readonly ObjectChange[];
  readonly refused: readonly RefusedObject[];
}

/** Errors that a copied object can cause: it refuses a row, a value of a row, or another type. */
const isByObject = ({ code, sqlstate = '' }: Failure): boolean =>
  code === 'CONSTRAINT_VIOLATED' || code === 'DEPENDENT_OBJECTS' || sqlstate === '54000';

/** Returns what was dropped. Empty if no copied object can be the cause. */
export async function releaseCopies(
  context: ReleaseContext,
  settings: TableSettings,
  failure: Failure,
): Promise<Released> {
  const none = { changes: [], refused: [] };
  if (!copiesObjects(settings) || !isByObject(failure)) return none;
  const table = destinationOf(context.settings.destination, settings);
  const there = (await readObjects(context.destination, [table])).get(tableKey(table));
  const owner = { pipeline: context.settings.pipeline, isShared: isShared(settings) };
  const own = (there?.indexes ?? []).filter(({ comment }) => isOwn(comment, owner));
  const named = own.filter(({ name }) => failure.message.includes(name));
  const released = named.length > 0 ? named : own;
  if (released.length === 0) return none;
  await dropAll(context, table, released);
  const { message } = failure;
  return {
    changes: released.map(({ name }) => ({ kind: 'index', name, change: 'released', message })),
    // An index that is in the way of another type only can come back after the change of type.
    refused:
      failure.code === 'DEPENDENT_OBJECTS'
        ? []
        : released.flatMap(({ comment }) => {
            const hash = readMark(comment)?.hash;
            const at = new Date().toISOString();
            return hash === undefined ? [] : [{ table: tableKey(table), hash, message, at }];
          }),
  };
}

const dropAll = (
  { destination, timing, signal }: ReleaseContext,
  table: TableName,
  indexes: readonly FoundIndex[],
): Promise<void> =>
  destination.withWriting([], async (client) => {
    await lockAlone(client, { table, locks: [lockWholly(table)], timing }, signal);
    for (const { name } of indexes) await client.query(dropIndex(table.schema, name));
  });
