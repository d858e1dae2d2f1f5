/** Whether a table is loaded in chunks, which ones, and whether a load that was broken off goes on: pure. */
import { recordedSelection } from '../../schema/selection.ts';
import { fingerprintOf, shapeOf } from '../../schema/shape.ts';
import { PLAINLY } from '../../schema/state-record.ts';
import { destinationDrift } from '../../schema/drift.ts';
import { chunkStarts, type Leaf } from '../../schema/heap.ts';
import type { LoadHeader, PendingLoad } from '../../schema/pending-load.ts';
import type { Relation } from '../../schema/relations.ts';
import type { TableFacts } from '../facts/facts.ts';
import { isSameList } from '../../schema/columns.ts';

export interface Chunks {
  /** The first block of each. */
  readonly starts: readonly number[];
  /** Of the source, as they are when this is planned. */
  readonly leaves: readonly Leaf[];
  /** What was broken off and goes on. */
  readonly resumed: BegunLoad | undefined;
}

export interface BegunLoad {
  readonly id: string;
  readonly header: LoadHeader;
  /** Numbers of the chunks that are there. */
  readonly done: readonly number[];
}

export interface ChunkChoice {
  /** Undefined: in one go. */
  readonly chunks: Chunks | undefined;
  /** Why in one go although chunks were asked for. */
  readonly why: string | undefined;
  /** Part of the plan's reason. */
  readonly words: readonly string[];
}

const IN_ONE_GO: ChunkChoice = { chunks: undefined, why: undefined, words: [] };

export function chooseChunks(facts: TableFacts, source: Relation): ChunkChoice {
  const { settings, heap, pendingLoad } = facts;
  if (!settings.chunk) return IN_ONE_GO;
  const why = unfitRelation(source) ?? (heap?.hasOtherStorage === true ? OTHER_STORAGE : undefined);
  if (why !== undefined) return { ...IN_ONE_GO, why };
  // Nobody has looked yet: whoever acts on the plan does.
  if (!heap) return IN_ONE_GO;
  const obstacle = pendingLoad && whyNotResumed(facts, source, pendingLoad);
  if (pendingLoad?.header && obstacle === undefined) {
    const { id, header, done } = pendingLoad;
    const { starts } = header;
    return {
      chunks: { starts, leaves: heap.leaves, resumed: { id, header, done } },
      why: undefined,
      words: [`goes on with a load that was broken off: ${done.length} of ${starts.length} chunks are there`],
    };
  }
  const starts = chunkStarts(heap, settings.chunk);
  const again =
    obstacle === undefined
      ? []
      : [`starts over, because a load that was broken off cannot go on: ${obstacle}`];
  if (starts.length === 1) return { ...IN_ONE_GO, words: again };
  return {
    chunks: { starts, leaves: heap.leaves, resumed: undefined },
    why: undefined,
    words: [...again, `in ${starts.length} chunks`],
  };
}

const OTHER_STORAGE = 'it is not stored in pages of rows, which chunks are made of';

function unfitRelation({ kind, hasForeignRows, canSelectTable }: Relation): string | undefined {
  if (hasForeignRows)
    return 'some or all of its rows are those of another server, which has pages of its own';
  if (kind === 'view' || kind === 'query') return `a ${kind} has no pages, which chunks are made of`;
  if (!canSelectTable) return 'the places of rows need SELECT on the whole table, not on its columns';
  return undefined;
}

/** What makes it another load, in words; undefined where nothing does. */
function whyNotResumed(
  { settings, servers, natives, staging, heap, pipeline }: TableFacts,
  source: Relation,
  { header, stagingFilenode }: PendingLoad,
): string | undefined {
  if (!header) return 'another version of increp has begun it';
  const { record } = header;
  const system = servers.source.systemIdentifier;
  const was = record.sourceLife.systemIdentifier;
  if (record.pipeline !== pipeline) return `pipeline "${record.pipeline}" has begun it`;
  if (
    (was !== null && system !== null && was !== system) ||
    header.source.databaseOid !== servers.source.databaseOid ||
    record.source.schema !== source.name.schema ||
    record.source.table !== source.name.table
  )
    return 'the source is another one now';
  if (record.replicationKey !== settings.replicationKey) return 'replication_key was changed';
  if (record.mergeKey.join('\n') !== settings.mergeKey.join('\n')) return 'unique_cols were changed';
  if (JSON.stringify(record.selection) !== JSON.stringify(recordedSelection(settings.selection)))
    return 'what is selected of the source was changed';
  if ((record.writtenAs ?? PLAINLY).mode !== settings.mode) return 'mode was changed';
  if (record.fingerprint !== fingerprintOf(shapeOf(source))) return 'the source table was altered meanwhile';
  if (staging?.oid !== header.staging.oid || stagingFilenode !== header.staging.filenode)
    return 'its staging table was dropped, emptied or rewritten meanwhile';
  const isStagingFit =
    isSameList(staging.columns, source.columns) &&
    destinationDrift(source.columns, staging.columns, natives).length === 0;
  if (!isStagingFit) return 'its staging table has other columns';
  const fileOf = new Map(heap?.leaves.map(({ oid, filenode }) => [oid, filenode]));
  const isMoved = header.source.leaves.some(
    ({ oid, filenode }) => (fileOf.get(oid) ?? filenode) !== filenode,
  );
  return isMoved
    ? 'the source table was rewritten meanwhile (VACUUM FULL, CLUSTER, TRUNCATE, REFRESH), and its pages are others now'
    : undefined;
}
