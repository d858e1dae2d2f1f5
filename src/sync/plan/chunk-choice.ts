/** Decides whether a table is loaded in chunks, where they start, and whether an interrupted load continues. Pure. */
import type { ChunkSize } from '../../config/chunk-size.ts';
import type { Reason, ResumeObstacle, WholeLoadCause } from '../../reasons.ts';
import { isSameKey } from '../../schema/row-identity.ts';
import { recordedSelection } from '../../schema/selection.ts';
import { fingerprintOf, shapeOf } from '../../schema/shape.ts';
import { isKeyed, PLAINLY } from '../../schema/state-record.ts';
import { keepsDeleted } from '../../schema/deleted-rows.ts';
import { destinationDrift } from '../../schema/drift.ts';
import { evolutionOf } from '../../schema/evolution.ts';
import { chunkStarts, type Heap, type Leaf } from '../../schema/heap.ts';
import type { LoadHeader, PendingLoad } from '../../schema/pending-load.ts';
import { fillsLocks, type Relation } from '../../schema/relations.ts';
import type { TableFacts } from '../facts/facts.ts';
import { isSameList } from '../../schema/columns.ts';
import { shapeHindrance } from './reload-guard.ts';

export interface Chunks {
  /** The first block of each chunk. */
  readonly starts: readonly number[];
  /** The leaf tables of the source at the time of the plan. */
  readonly leaves: readonly Leaf[];
  /** The interrupted load that this load continues. */
  readonly resumed: BegunLoad | undefined;
}

export interface BegunLoad {
  readonly id: string;
  readonly header: LoadHeader;
  /** Numbers of the chunks that are loaded. */
  readonly done: readonly number[];
}

/** How a load is divided. */
export type Chunking =
  | (Chunks & { readonly kind: 'chunks' })
  /** `cause`: why, if the settings ask for chunks. */
  | { readonly kind: 'whole'; readonly cause: WholeLoadCause | undefined };

export const AS_A_WHOLE: Chunking = { kind: 'whole', cause: undefined };

export interface ChunkChoice {
  readonly chunking: Chunking;
  readonly reasons: readonly Reason[];
  /** Set if a load continues with the columns that the source had at its beginning. */
  readonly earlier?: EarlierSource;
}

/** A source without the columns that were added meanwhile. The next sync adds them to the destination table. */
interface EarlierSource {
  readonly source: Relation;
  readonly later: readonly string[];
}

/** For a table whose settings ask for chunks and that `unfitForChunks` accepts. `isNew`: it has no destination table. */
export function chooseChunks(
  facts: TableFacts,
  source: Relation,
  { heap, size, isNew }: { readonly heap: Heap; readonly size: ChunkSize; readonly isNew: boolean },
): ChunkChoice {
  if (heap.hasOtherStorage)
    return { chunking: { kind: 'whole', cause: { code: 'storage-without-pages' } }, reasons: [] };
  const { pendingLoad } = facts;
  const { leaves } = heap;
  const earlier = isNew ? earlierSource(facts, source) : undefined;
  const obstacle = pendingLoad && resumeObstacle(facts, earlier?.source ?? source, { heap, pendingLoad });
  if (pendingLoad?.header && obstacle === undefined) {
    const { id, header, done } = pendingLoad;
    const { starts } = header;
    const later = earlier?.later ?? [];
    return {
      chunking: { kind: 'chunks', starts, leaves, resumed: { id, header, done } },
      reasons: [{ code: 'load-continued', done: done.length, of: starts.length, later }],
      ...(earlier && { earlier }),
    };
  }
  const starts = chunkStarts(heap, size);
  const again: Reason[] = obstacle === undefined ? [] : [{ code: 'load-restarted', obstacle }];
  if (starts.length === 1) return { chunking: AS_A_WHOLE, reasons: again };
  return {
    chunking: { kind: 'chunks', starts, leaves, resumed: undefined },
    reasons: [...again, { code: 'in-chunks', chunks: starts.length }],
  };
}

/**
 * The source as it was when the interrupted load began, if it only got columns since then. A load of many hours continues
 * without them if the next sync can add them in place. Undefined if nothing was added, or something else changed.
 */
function earlierSource(
  { pendingLoad, settings, staging, natives }: TableFacts,
  source: Relation,
): EarlierSource | undefined {
  const record = pendingLoad?.header?.record;
  if (!record || !isKeyed(record) || !staging) return undefined;
  if (settings.onSchemaChange !== 'evolve' || shapeHindrance(settings) !== undefined) return undefined;
  const isEarlier = (name: string) => record.shape.columns.some((column) => column.name === name);
  const later = source.columns.map(({ name }) => name).filter((name) => !isEarlier(name));
  const earlier = {
    ...source,
    columns: source.columns.filter(({ name }) => isEarlier(name)),
    uniqueKeys: source.uniqueKeys.filter(({ columns }) => columns.every(isEarlier)),
    indexedColumns: source.indexedColumns.filter(isEarlier),
  };
  if (later.length === 0 || fingerprintOf(shapeOf(earlier)) !== record.fingerprint) return undefined;
  const next = evolutionOf({
    recorded: record.shape,
    current: shapeOf(source),
    copy: staging.columns,
    natives,
    mergeKey: settings.mergeKey,
    replicationKey: record.replicationKey,
    keepsDeleted: keepsDeleted(settings),
    keepsDropped: settings.droppedColumns === 'keep',
  });
  return next.kind === 'in-place' ? { source: earlier, later } : undefined;
}

/** The reason in the catalog why a relation cannot be read in chunks. */
export function unfitForChunks({
  kind,
  hasForeignRows,
  keptBy,
  canSelectTable,
  partitions,
}: Relation): WholeLoadCause | undefined {
  if (hasForeignRows) return { code: 'foreign-rows' };
  if (keptBy !== null) return { code: 'extension-table', extension: keptBy };
  if (fillsLocks({ partitions })) return { code: 'partitions-fill-locks' };
  if (kind === 'view' || kind === 'query') return { code: 'kind-without-pages', kind };
  return canSelectTable ? undefined : { code: 'column-privileges-only' };
}

/** Why an interrupted load cannot continue. Undefined if a new load would be the same. */
function resumeObstacle(
  { settings, servers, natives, staging, pipeline }: TableFacts,
  source: Relation,
  { heap, pendingLoad }: { readonly heap: Heap; readonly pendingLoad: PendingLoad },
): ResumeObstacle | undefined {
  const { header, stagingFilenode } = pendingLoad;
  if (!header) return { code: 'begun-by-another-version' };
  const { record } = header;
  const system = servers.source.systemIdentifier;
  const was = record.sourceLife.systemIdentifier;
  if (record.pipeline !== pipeline) return { code: 'begun-by-another-pipeline', pipeline: record.pipeline };
  if (
    (was !== null && system !== null && was !== system) ||
    header.source.databaseOid !== servers.source.databaseOid ||
    record.source.schema !== source.name.schema ||
    record.source.table !== source.name.table
  )
    return { code: 'another-source' };
  const setting = changedSetting(record, settings);
  if (setting) return { code: 'setting-changed', setting };
  if (record.fingerprint !== fingerprintOf(shapeOf(source))) return { code: 'source-altered' };
  if (staging?.oid !== header.staging.oid || stagingFilenode !== header.staging.filenode)
    return { code: 'staging-changed' };
  const isStagingFit =
    isSameList(staging.columns, source.columns) &&
    destinationDrift(source.columns, staging.columns, natives).length === 0;
  if (!isStagingFit) return { code: 'staging-misfit' };
  const fileOf = new Map(heap.leaves.map(({ oid, filenode }) => [oid, filenode]));
  const isMoved = header.source.leaves.some(
    ({ oid, filenode }) => (fileOf.get(oid) ?? filenode) !== filenode,
  );
  return isMoved ? { code: 'source-rewritten' } : undefined;
}

function changedSetting(record: LoadHeader['record'], settings: TableFacts['settings']) {
  if (record.replicationKey !== settings.replicationKey) return 'replication_key';
  if (!isSameKey(record.mergeKey, settings.mergeKey)) return 'unique_cols';
  if (JSON.stringify(record.selection) !== JSON.stringify(recordedSelection(settings.selection)))
    return 'selection';
  return (record.writtenAs ?? PLAINLY).mode === settings.mode ? undefined : 'mode';
}
