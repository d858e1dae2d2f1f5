/** Decides whether a table is loaded in chunks, where they start, and whether an interrupted load continues. Pure. */
import type { ChunkSize } from '../../config/chunk-size.ts';
import type { Reason, ResumeObstacle, WholeLoadCause } from '../../reasons.ts';
import { recordedSelection } from '../../schema/selection.ts';
import { fingerprintOf, shapeOf } from '../../schema/shape.ts';
import { PLAINLY } from '../../schema/state-record.ts';
import { destinationDrift } from '../../schema/drift.ts';
import { chunkStarts, type Heap, type Leaf } from '../../schema/heap.ts';
import type { LoadHeader, PendingLoad } from '../../schema/pending-load.ts';
import type { Relation } from '../../schema/relations.ts';
import type { TableFacts } from '../facts/facts.ts';
import { isSameList } from '../../schema/columns.ts';

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

interface ChunkChoice {
  readonly chunking: Chunking;
  readonly reasons: readonly Reason[];
}

/** For a table whose settings ask for chunks and that `unfitForChunks` accepts. */
export function chooseChunks(
  facts: TableFacts,
  source: Relation,
  { heap, size }: { readonly heap: Heap; readonly size: ChunkSize },
): ChunkChoice {
  if (heap.hasOtherStorage)
    return { chunking: { kind: 'whole', cause: { code: 'storage-without-pages' } }, reasons: [] };
  const { pendingLoad } = facts;
  const { leaves } = heap;
  const obstacle = pendingLoad && resumeObstacle(facts, source, { heap, pendingLoad });
  if (pendingLoad?.header && obstacle === undefined) {
    const { id, header, done } = pendingLoad;
    const { starts } = header;
    return {
      chunking: { kind: 'chunks', starts, leaves, resumed: { id, header, done } },
      reasons: [{ code: 'load-continued', done: done.length, of: starts.length }],
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

/** The reason in the catalog why a relation cannot be read in chunks. */
export function unfitForChunks({
  kind,
  hasForeignRows,
  keptBy,
  canSelectTable,
}: Relation): WholeLoadCause | undefined {
  if (hasForeignRows) return { code: 'foreign-rows' };
  if (keptBy !== null) return { code: 'extension-table', extension: keptBy };
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
  if (record.mergeKey.join('\n') !== settings.mergeKey.join('\n')) return 'unique_cols';
  if (JSON.stringify(record.selection) !== JSON.stringify(recordedSelection(settings.selection)))
    return 'selection';
  return (record.writtenAs ?? PLAINLY).mode === settings.mode ? undefined : 'mode';
}
