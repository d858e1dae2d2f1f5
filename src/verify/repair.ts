/** `verify --repair`: exactly the rows that differ, fetched or removed, in one destination transaction. */
import type pg from 'pg';
import { copyBetween } from '../postgres/copy-pipe.ts';
import { onUsualPath } from '../postgres/usual-path.ts';
import { copyFormatFor } from '../schema/copy-format.ts';
import type { Relation } from '../schema/relations.ts';
import { copyIn, copyOut } from '../sql/copy.ts';
import { deleteDoubles, deleteKeys, markDeleted, selectKeys } from '../sql/removal.ts';
import { onRows } from '../sql/row-source.ts';
import { compareSides } from '../sync/compare/compare-sides.ts';
import type { Difference } from '../sync/compare/differences.ts';
import { batched } from '../sync/compare/key-batches.ts';
import { keyColumns } from '../sync/compare/sides.ts';
import type { TableFacts } from '../sync/facts/facts.ts';
import { ensureOwnColumns, ownOf } from '../sync/write/metadata-columns.ts';
import { keepsRest } from '../sync/plan/reload-guard.ts';
import { dropOlderVersions, mergeOf } from '../sync/write/merge-staging.ts';
import { mergeInto } from '../sync/write/merge-into.ts';
import { emptyStaging } from '../sync/write/staging.ts';
import { addOwnColumns } from '../sync/write/add-metadata-columns.ts';
import { addMissingLabels } from '../sync/write/create-types.ts';
import { lockTable } from '../sync/lock/table-lock.ts';
import { comparableCopy, recordIn, settledSides, withLockedSource } from './verify.ts';
import { foreignKeyRefusal, violationOf } from '../sync/write/violations.ts';
import type { Work } from '../sync/context/run-context.ts';

export interface Repaired {
  readonly inserted: number;
  readonly updated: number;
  readonly removed: number;
}

/** Compares anew: what a sync has put right since the report needs no repair. */
export async function repairTable(work: Work, reported: TableFacts): Promise<Repaired> {
  const { relation, known } = comparableCopy(reported);
  await addMissingLabels(work, reported);
  const patience = { waitSeconds: 0, timing: work.timing, signal: work.signal };
  const facts = await addOwnColumns(work, reported, patience);
  return work.destination.withWriting([], async (destination) => {
    await lockTable(destination, facts, patience);
    await ensureOwnColumns(destination, facts);
    await emptyStaging(destination, facts, relation.columns);
    const record = (await recordIn(destination, facts)) ?? known;
    const removed = await withLockedSource(work, facts, relation, async (source) => {
      const sides = await settledSides(source, facts, relation, record);
      const { differences } = await compareSides(
        { client: source, rows: sides.source },
        { client: destination, rows: sides.destination },
      );
      return namingConstraints(facts, () =>
        applyDifferences({ work, facts, relation, source, destination }, differences),
      );
    });
    const merge = mergeOf(facts, relation);
    await dropOlderVersions(destination, merge, relation);
    const { inserted, updated } = await mergeInto({
      work,
      facts,
      source: relation,
      destination,
      share: 'few',
      isRemovalOver: true,
    });
    return { inserted, updated, removed };
  });
}

async function namingConstraints<T>(facts: TableFacts, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    const violation = violationOf(error);
    throw violation?.kind === 'foreign key' ? foreignKeyRefusal(facts, violation, undefined) : error;
  }
}

interface Repairing {
  readonly work: Work;
  readonly facts: TableFacts;
  readonly relation: Relation;
  readonly source: pg.ClientBase;
  readonly destination: pg.ClientBase;
}

interface Applying {
  /** What comes of rows that only the destination has: `fetch` where the source may have them outside of what was compared. */
  readonly extra: 'remove' | 'leave' | 'fetch';
}

/** Returns how many rows were removed; those to be written wait in the staging table. */
export async function applyDifferences(
  repairing: Repairing,
  differences: AsyncIterable<Difference>,
  { extra }: Applying = { extra: 'remove' },
): Promise<number> {
  const { facts, relation, destination } = repairing;
  const key = keyColumns(facts, relation, 'destination');
  const { settings } = facts;
  const rows = { table: facts.destinationName, key, own: ownOf(facts) };
  const removal = (settings.deletes === 'soft' ? markDeleted : deleteKeys)(rows);
  // Of a version that the source no longer has, nobody could bring the row back.
  const clear = (keepsRest(settings) ? deleteDoubles : deleteKeys)(rows);
  const run = (statement: string) => (keys: readonly string[]) =>
    onUsualPath(destination, () => destination.query(statement, [keys]));
  const doubles = batched(run(clear));
  const extras = batched(run(removal));
  const wanted = batched((keys) => fetchRows(repairing, keys));
  let doubled: string | undefined;
  for await (const { kind, key: values, ...difference } of differences) {
    if (kind === 'extra' && extra === 'remove' && !keepsRest(settings)) await extras.add(values);
    if (kind === 'extra' && extra === 'fetch') await wanted.add(values);
    if ((kind === 'missing' || kind === 'changed') && values !== doubled) await wanted.add(values);
    // Two rows of one key at the destination cannot be mended in place: out they go, and the right one comes in.
    if (kind === 'duplicated' && 'side' in difference && difference.side === 'destination') {
      doubled = values;
      await doubles.add(values);
      await wanted.add(values);
    }
  }
  for (const batch of [doubles, extras, wanted]) await batch.flush();
  return extras.count();
}

async function fetchRows(
  { work, facts, relation, source, destination }: Repairing,
  keys: readonly string[],
): Promise<void> {
  const columns = relation.columns.map(({ name }) => name);
  const { servers } = facts;
  const format = copyFormatFor(relation.columns, facts.natives, {
    source: servers.source.version,
    destination: servers.destination.version,
  });
  const select = selectKeys(facts.sourceRows, relation.columns, keyColumns(facts, relation, 'source'), keys);
  await copyBetween(
    { client: source, place: work.source.place, copyOut: onRows(facts.sourceRows, copyOut(select, format)) },
    {
      client: destination,
      place: work.destination.place,
      copyIn: copyIn(facts.stagingName, columns, { format, isFresh: false }),
    },
    { format, onBytes: () => undefined, signal: work.signal },
  );
}
