/** Finds the rows that are gone from the source, in the snapshot of the window that was just merged, and removes them. */
import type pg from 'pg';
import { formatCount, formatCounted, goneRowsText, ifRight } from '../../format.ts';
import { IncrepError } from '../../errors.ts';
import { askTogether, queryUsually } from '../../postgres/user-search-path.ts';
import { onTables } from '../../sql/search-path.ts';
import { removalVerb } from '../../schema/deleted-rows.ts';
import { printName } from '../../schema/names.ts';
import type { Relation } from '../../schema/relations.ts';
import { rowsFrom } from '../../schema/selection.ts';
import { tableCommand } from '../../shell-word.ts';
import { CHECK_CONSTRAINTS } from '../../sql/constraints.ts';
import { deleteKeys, markDeleted, unmarkDeleted, type KeyedRows } from '../../sql/removal.ts';
import { markIn } from '../../sql/metadata-columns.ts';
import { batched, type Batches } from '../compare/key-batches.ts';
import { compareSides } from '../compare/compare-sides.ts';
import { keyColumns, sidesOf, type BothSides } from '../compare/sides.ts';
import type { CopyFacts } from '../facts/facts.ts';
import { writtenColumnsOf } from '../write/metadata-columns.ts';
import { foreignKeyRefusal, readForeignKey, violationOf, type Violation } from '../write/violations.ts';

export interface Removal {
  readonly deleted: number;
  /** Rows of the source that no window has read. Not counted if the removal was refused. */
  readonly missing: number;
  /** Why some or all of the rows were not removed. */
  readonly refusal: IncrepError | undefined;
}

export interface Removing extends BothSides {
  /** --force: no limit. */
  readonly isForced: boolean;
}

export async function removeDeleted(removing: Removing): Promise<Removal> {
  const { facts, destination } = removing;
  await destination.query(`SAVEPOINT increp_deletes; ${CHECK_CONSTRAINTS}`);
  const { deleted, missing, rows, stuck } = await removeInBatches(removing);
  const limit = limitOf(facts, rows.of);
  if (deleted > limit && !removing.isForced) {
    await destination.query('ROLLBACK TO SAVEPOINT increp_deletes');
    return {
      deleted: 0,
      missing: 0,
      refusal: limitExceeded(facts, { gone: Math.max(deleted, rows.of - rows.left), of: rows.of }),
    };
  }
  await destination.query('RELEASE SAVEPOINT increp_deletes');
  return { deleted, missing, refusal: stuck };
}

/** Stops as soon as the limit is exceeded: the removal is rolled back then, so more rows need not be found. */
async function removeInBatches({
  facts,
  relation,
  context,
  source,
  destination,
  isForced,
}: Removing): Promise<{
  deleted: number;
  missing: number;
  rows: { of: number; left: number };
  stuck: IncrepError | undefined;
}> {
  const { destinationName } = facts;
  const sides = sidesOf(facts, {
    relation,
    what: 'keys',
    where: 'true',
    isPending: 'false',
    destination: destinationName,
  });
  const comparison = await compareSides(
    { database: context.source, client: source, rows: sides.source },
    { client: destination, rows: sides.destination },
  );
  const limit = limitOf(facts, comparison.destinationRows);
  const remover = removerFor(facts, relation, destination);
  const { keys: remove } = remover;
  let restored = 0;
  const restore = batched(async (keys) => {
    if (markIn(remover.rows.metadataColumns))
      restored += (await queryUsually(destination, unmarkDeleted(remover.rows, keys))).rowCount ?? 0;
  });
  for await (const { kind, key: values } of comparison.differences) {
    if (kind === 'extra') await remove.add(values);
    if (kind === 'missing' || kind === 'changed') await restore.add(values);
    if (!isForced && remove.count() > limit) break;
  }
  const { stuck, left } = await remover.finish();
  await restore.flush();
  const rows = { of: comparison.destinationRows, left: comparison.sourceRows };
  return { deleted: remove.count() - left, missing: restore.count() - restored, rows, stuck };
}

/** Removes or marks the rows of the destination table whose keys are added to `keys`. */
export interface Remover {
  readonly rows: KeyedRows;
  readonly keys: Batches;
  /** The number of rows that were removed so far. */
  readonly removed: () => number;
  /** Removes the last keys. `left` is the number of keys whose rows stay, because other tables refer to them. */
  readonly finish: () => Promise<{ readonly stuck: IncrepError | undefined; readonly left: number }>;
}

export function removerFor(facts: CopyFacts, relation: Relation, destination: pg.ClientBase): Remover {
  const { settings, destinationName } = facts;
  const rows = {
    table: destinationName,
    key: keyColumns(facts, relation, 'destination'),
    metadataColumns: writtenColumnsOf(facts),
  };
  const removalOf = settings.deletes === 'soft' ? markDeleted : deleteKeys;
  const referred: string[] = [];
  let removed = 0;
  const remove = async (batch: readonly string[]) => {
    const found = await tryToRemove(destination, removalOf(rows, batch));
    if ('rows' in found) removed += found.rows;
    return 'rows' in found ? undefined : found;
  };
  const keys = batched(async (batch) => {
    if ((await remove(batch)) !== undefined) referred.push(...batch);
  });
  return {
    rows,
    keys,
    removed: () => removed,
    finish: async () => {
      await keys.flush();
      // One statement removes rows that refer to each other. Rows that other tables refer to stay.
      const violation = referred.length === 0 ? undefined : await remove(referred);
      return violation
        ? {
            stuck: foreignKeyRefusal(facts, violation, await readForeignKey(destination, violation)),
            left: referred.length,
          }
        : { stuck: undefined, left: 0 };
    },
  };
}

async function tryToRemove(
  client: pg.ClientBase,
  removal: string,
): Promise<Violation | { readonly rows: number }> {
  try {
    const [, removed] = await askTogether(client, [
      'SAVEPOINT increp_batch',
      onTables(removal),
      'RELEASE SAVEPOINT increp_batch',
    ]);
    return { rows: removed?.rowCount ?? 0 };
  } catch (error) {
    const violation = violationOf(error);
    if (violation?.kind !== 'foreign key') throw error;
    await client.query('ROLLBACK TO SAVEPOINT increp_batch');
    return violation;
  }
}

const limitOf = ({ settings: { deleteLimit = 1 } }: CopyFacts, rows: number): number => rows * deleteLimit;

/** `gone` may be a part of the rows, because the comparison ends when the limit is exceeded. */
export const limitExceeded = (
  { settings: { name, deleteLimit, deletes, selection }, destinationName }: CopyFacts,
  { gone, of }: { readonly gone: number; readonly of: number },
): IncrepError =>
  new IncrepError('DELETE_LIMIT_EXCEEDED', {
    what: `${printName(destinationName)} has ${gone === of ? '' : 'at least '}${formatCount(gone)} of ${formatCounted(of, 'row')} ${goneRowsText(rowsFrom(selection))}, which is over delete_limit (${deleteLimit}); none was ${removalVerb({ deletes })}${deletes === 'soft' ? 'ed' : 'd'}`,
    next: `All other changes were synced. To see these rows, run "${tableCommand('verify', name)}". ${ifRight(rowsFrom(selection))}, run "${tableCommand('sync', name, '--deletes', '--force')}".`,
  });
