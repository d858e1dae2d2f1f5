/** What has become of a source table and of its partitions since the last sync. The state knows their oids. */
import * as z from 'zod';
import type { TableSettings } from '../../config/settings.ts';
import { attempt } from '../../errors.ts';
import type { Database } from '../../postgres/database.ts';
import { queryUsually } from '../../postgres/user-search-path.ts';
import type { TableName } from '../../schema/names.ts';
import { partitionChanges, type PartitionChanges } from '../../schema/partition-changes.ts';
import type { Relation } from '../../schema/relations.ts';
import { sourceColumn } from '../../schema/selection.ts';
import { isKeyed, type StateRecord } from '../../schema/state-record.ts';
import { partitionsWithOtherRows, tablesByOid } from '../../sql/partitions.ts';
import { windowCondition } from '../../sql/window.ts';
import type { RunContext } from '../context/run-context.ts';
import type { SavedState } from './saved-state.ts';

export interface SourceChanges {
  /** The present name of the table of the last sync, if its former name has no table or another one. */
  readonly movedTo?: TableName | undefined;
  /** Partitions that were detached or dropped. `names`: of those that still exist. */
  readonly gone: { readonly count: number; readonly names: readonly string[] };
  /** Attached partitions with rows below the window of the next sync. */
  readonly attached: readonly string[];
}

interface SyncedBefore {
  readonly settings: TableSettings;
  readonly sourceName: TableName;
  readonly source: Relation | undefined;
  readonly saved: SavedState;
  readonly servers: { readonly source: { readonly systemIdentifier: string | null } };
}

const foundRow = z.object({
  oid: z.string(),
  schema: z.string(),
  table: z.string(),
  bounds: z.string().nullable(),
  isReadable: z.boolean(),
});
type TableByOid = z.infer<typeof foundRow>;

/** More partitions at once count as partitions with old rows. */
const MOST_PROBED = 100;

/** Without tables that are as before. */
export async function findSourceChanges<T extends SyncedBefore>(
  { source }: Pick<RunContext, 'source'>,
  tables: readonly T[],
): Promise<ReadonlyMap<T, SourceChanges>> {
  const asked = tables.flatMap((table) => askedOf(table) ?? []);
  if (asked.length === 0) return new Map();
  const oids = asked.flatMap(({ moved, changes: { gone, attached } }) => [...moved, ...gone, ...attached]);
  const attached = asked.flatMap(({ changes }) => changes.attached);
  const found = await findByOid(source, oids, attached);
  const results = new Map<T, SourceChanges>();
  for (const { table, record, moved, changes } of asked) {
    const those = (wanted: readonly string[]) => wanted.flatMap((oid) => found.get(oid) ?? []);
    const [movedTo] = those(moved);
    results.set(table, {
      movedTo,
      gone: { count: changes.gone.length, names: those(changes.gone).map(nameOf) },
      attached: await withOldRows({ source }, table, record, those(changes.attached)),
    });
  }
  return results;
}

/** Source tables that still exist, by OID. `attached`: partitions whose bounds are read. */
export async function findByOid(
  source: Database,
  oids: readonly string[],
  attached: readonly string[] = [],
): Promise<ReadonlyMap<string, TableByOid>> {
  const { rows } = await source.withReading((client) => client.query(tablesByOid(oids, attached)));
  return new Map(
    z
      .array(foundRow)
      .parse(rows)
      .map((row) => [row.oid, row]),
  );
}

const nameOf = ({ table }: TableName): string => table;
const NO_CHANGES: PartitionChanges = { gone: [], attached: [] };

function askedOf<T extends SyncedBefore>(table: T) {
  const { saved, source, servers } = table;
  if (saved.kind !== 'record') return undefined;
  const { record } = saved;
  const { systemIdentifier } = record.sourceLife;
  // Another server may have given the oid to any table.
  if (systemIdentifier === null || systemIdentifier !== servers.source.systemIdentifier) return undefined;
  const { oid } = record.shape;
  const moved = oid === '0' || source?.oid === oid || source?.kind === 'query' ? [] : [oid];
  const changes = (source && partitionChanges(record, source)) ?? NO_CHANGES;
  const isAsBefore = moved.length + changes.gone.length + changes.attached.length === 0;
  return isAsBefore ? undefined : { table, record, moved, changes };
}

/** Usually a new partition is attached without rows, and its rows get keys above the cursor. */
async function withOldRows(
  { source }: Pick<RunContext, 'source'>,
  { settings: { lookbackSeconds, selection }, sourceName }: SyncedBefore,
  record: StateRecord,
  attached: readonly TableByOid[],
): Promise<readonly string[]> {
  if (attached.length === 0 || !isKeyed(record) || record.cursor === null) return [];
  const window = windowCondition({
    replicationKey: sourceColumn(selection, record.replicationKey),
    keyType: record.keyType,
    from: record.cursor,
    lookbackSeconds,
    nullKeys: 'warn',
  });
  const probed = attached.filter(({ bounds, isReadable }) => bounds !== null || isReadable);
  if (probed.length === 0) return [];
  if (probed.length > MOST_PROBED) return probed.map(nameOf);
  const statement = partitionsWithOtherRows(sourceName, probed, window);
  const answer = await attempt(() => source.withReading((client) => queryUsually(client, statement)));
  if (answer.kind === 'failed') return probed.map(nameOf);
  const old = new Set(answer.value.rows.map((row) => z.object({ oid: z.string() }).parse(row).oid));
  return probed.filter(({ oid }) => old.has(oid)).map(nameOf);
}
