/** Partitions and child tables that a table has lost or got since the last sync. Pure. */
import type { Relation } from './relations.ts';
import type { StateRecord } from './state-record.ts';

/** Oids of tables that store rows. */
export interface PartitionChanges {
  readonly gone: readonly string[];
  readonly attached: readonly string[];
}

/** Undefined if there is no change, or if the state does not show any. */
export function partitionChanges(
  { files, shape }: Pick<StateRecord, 'files' | 'shape'>,
  source: Pick<Relation, 'oid' | 'files'>,
): PartitionChanges | undefined {
  if (files === null || shape.oid !== source.oid) return undefined;
  const [before, now] = [oidsIn(files), oidsIn(source.files)];
  const gone = [...before].filter((oid) => !now.has(oid));
  const attached = [...now].filter((oid) => !before.has(oid));
  return gone.length + attached.length === 0 ? undefined : { gone, attached };
}

const oidsIn = (files: readonly string[]): ReadonlySet<string> =>
  new Set(files.map((file) => file.slice(0, file.indexOf(':'))));
