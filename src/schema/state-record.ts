/** The state of one table between runs: a row at the destination, and a file with the same content on this machine. */
import * as z from 'zod';
import { fenceSchema } from './fence-rules.ts';
import { KEY_TYPES, type KeyType } from './keys.ts';
import { selectionSchema } from './selection.ts';
import { DELETES } from './deleted-rows.ts';
import { METADATA_COLUMNS } from './metadata-columns.ts';
import { shapeSchema } from './shape.ts';

export const STATE_FORMAT = 1;

/** How the warnings about a file that is not used begin, before a sync and after it. */
export const STATE_FILE_IGNORED = 'increp ignores the state file';
export const STATE_FILE_RENAMED = 'the state file was renamed to';

/** One server instance of the source. Transaction IDs are comparable only within one server instance. */
export const serverInstanceSchema = z.object({
  /** Null if the role may not call pg_control_system(). */
  systemIdentifier: z.string().nullable(),
  timeline: z.number().int().nullable(),
  /** pg_postmaster_start_time() as seconds, so that no session setting changes its text. */
  startedAt: z.string(),
});

/** The settings that determine the window, besides the cursor. */
export const readAsSchema = z.object({
  lookbackSeconds: z.number(),
  nullKeys: z.enum(['warn', 'include']),
});
export type ReadAs = Readonly<z.infer<typeof readAsSchema>>;

/** The rows that a full refresh has read, so that the next one can check whether they have changed. */
export const contentsSchema = z.object({
  rows: z.string().regex(/^\d+$/),
  /** A digest of all rows. Null if transaction IDs are enough, or if `skip_unchanged` is off. */
  digest: z.string().nullable(),
  /** A hash of the settings that determine the rows of the destination table. */
  settings: z.string(),
  /** RFC 3339, this machine's clock. */
  readAt: z.string(),
});
export type Contents = Readonly<z.infer<typeof contentsSchema>>;

const PLAIN_DELETES = 'ignore';

/** The settings that determine which rows the destination table keeps, and what identifies them. */
export const writtenAsSchema = z.object({
  mode: z.string(),
  metadataColumns: z.array(z.enum(METADATA_COLUMNS)).readonly(),
  deletes: z.enum(DELETES).default(PLAIN_DELETES),
  /** Whether the destination table has increp's column `_deleted_at`. It stays if `deletes` is no longer "soft". */
  hasMarks: z.boolean().default(false),
});
export type WrittenAs = Readonly<z.infer<typeof writtenAsSchema>>;

/** The only behaviour of older versions, which did not record it. */
export const PLAINLY: WrittenAs = {
  mode: 'incremental-deduped',
  metadataColumns: [],
  deletes: PLAIN_DELETES,
  hasMarks: false,
};

export const recordedWriting = ({ mode, metadataColumns, deletes, hasMarks }: WrittenAs): WrittenAs | null =>
  mode === PLAINLY.mode && metadataColumns.length === 0 && deletes === PLAINLY.deletes && !hasMarks
    ? null
    : { mode, metadataColumns, deletes, hasMarks };

/** The database that holds the destination table. */
export const destinationServerSchema = z.object({
  /** Null if the role may not read it. */
  systemIdentifier: z.string().nullable(),
  database: z.string(),
});

/** A role may not read every system identifier, so only two known ones can differ. */
export const areOtherServers = (one: string | null, other: string | null): boolean =>
  one !== null && other !== null && one !== other;

/** False only if the record is certainly about another database. */
export const isAbout = (
  { destinationServer: recorded }: Pick<StateRecord, 'destinationServer'>,
  { systemIdentifier, database }: z.infer<typeof destinationServerSchema>,
): boolean =>
  recorded === null ||
  (recorded.database === database && !areOtherServers(recorded.systemIdentifier, systemIdentifier));

/** The deletion log that the last sync has read. */
export const deletionsSchema = z.object({
  /** Identifies it in the settings. */
  log: z.string(),
  /** Of the table. Null for a query. Another table of the same name lacks earlier deletions. */
  oid: z.string().nullable(),
  /** A deletion that was committed after the sync has a time at or after this one. */
  from: z.string(),
});
export type Deletions = Readonly<z.infer<typeof deletionsSchema>>;

/** OIDs. A restore of the whole schema gives the state table another OID, too. */
export const writtenToSchema = z.object({
  table: z.string().nullable(),
  stateTable: z.string().nullable(),
});
export type WrittenTables = Readonly<z.infer<typeof writtenToSchema>>;

export const stateRecordSchema = z.object({
  format: z.literal(STATE_FORMAT),
  pipeline: z.string(),
  source: z.object({ database: z.string(), schema: z.string(), table: z.string() }),
  destination: z.object({ schema: z.string(), table: z.string() }),
  /** Null in older records. */
  destinationServer: destinationServerSchema.nullable().default(null),
  /** The destination adds it to the row at the commit. Null in state files and in older records. */
  writtenTo: writtenToSchema.nullable().default(null),
  sourceLife: serverInstanceSchema,
  /** The source's clock when the high-water mark was read. */
  sourceTime: z.string(),
  /** This machine's clock when increp asked for it, RFC 3339. */
  fencedAt: z.string(),
  /** The time of the question and its answer on the network. 0 in older records. */
  networkSeconds: z.number().default(0),
  /** Null in mode full-refresh, like `keyType`. */
  replicationKey: z.string().nullable(),
  keyType: z.enum(KEY_TYPES).nullable(),
  mergeKey: z.array(z.string()),
  /**
   * Whether the source has kept the unique key unique since the last load that a command requested. Null in older records.
   */
  isKeyEnforced: z.boolean().nullable().default(null),
  /** The high-water mark of the last sync as Postgres printed it. Null if there was no plausible key. */
  cursor: z.string().nullable(),
  /** Whether the cursor of an integer key was limited to plausible values. False in older records. */
  isBounded: z.boolean().default(false),
  fences: z.array(fenceSchema).readonly(),
  /**
   * The destination table has all rows of transactions below this ID (xid8). With it `verify` distinguishes wrong rows
   * from newer rows, and `sync` skips a window without new rows. Null in older records.
   */
  settledXid: z.string().regex(/^\d+$/).nullable().default(null),
  /** `Relation.files` of the source. Null in older records. */
  files: z.array(z.string()).nullable().default(null),
  /** The window settings of the last sync. Null in older records. */
  readAs: readAsSchema.nullable().default(null),
  /** Null in modes other than full-refresh. */
  contents: contentsSchema.nullable().default(null),
  /** Null: the whole table, or an older record. */
  selection: selectionSchema.nullable().default(null),
  /** Null: `PLAINLY`. */
  writtenAs: writtenAsSchema.nullable().default(null),
  /** Of the settings. Null in older records. */
  types: z.enum(['text', 'native']).nullable().default(null),
  shape: shapeSchema,
  /** fingerprintOf(shape), for users and scripts. */
  fingerprint: z.string(),
  /** The machine and the state directory of the sync, as in `host:/path`. Null in older records. */
  writtenBy: z.string().nullable().default(null),
  /** Whether a worker of the service wrote it. Any of its workers may write the next one. */
  byService: z.boolean().default(false),
  /** When the destination table was last known to hold no deleted row. RFC 3339, this machine's clock. */
  deletesCheckedAt: z.string().nullable().default(null),
  /** When the last sync found deleted rows and could not remove them, so that the next sync compares again. RFC 3339. */
  deletesRefusedAt: z.string().nullable().default(null),
  /** Null if there is no deletion log, or if no sync has read it since the last load. */
  deletions: deletionsSchema.nullable().default(null),
  /** Rises by one with every commit. */
  generation: z.number().int().positive(),
  runId: z.string(),
  /** RFC 3339, by this machine's clock. */
  syncedAt: z.string(),
});

/** Replaces a record after `increp reset`. No older state counts any more, on any machine. */
export const resetRecordSchema = z.object({
  format: z.literal(STATE_FORMAT),
  pipeline: z.string(),
  source: z.object({ database: z.string(), schema: z.string(), table: z.string() }),
  /** The next record continues from this number. */
  generation: z.number().int().positive(),
  reset: z.object({
    /** RFC 3339, by the clock of the machine that ran the reset. */
    at: z.string(),
    /** Whether there was a state. Without one, increp may not have written the table. */
    wasKnown: z.boolean(),
  }),
  /** The settings with which the last sync wrote the existing rows. */
  writtenAs: writtenAsSchema.nullable(),
  /** The columns of the source at the last sync. The load removes those that are gone, and keeps columns of users. */
  columns: z.array(z.string()).readonly().default([]),
});
export type ResetRecord = Readonly<z.infer<typeof resetRecordSchema>>;

export type ServerInstance = Readonly<z.infer<typeof serverInstanceSchema>>;
export type StateRecord = Readonly<z.infer<typeof stateRecordSchema>>;
/** A record with a cursor from which an incremental sync can continue. */
export type KeyedRecord = StateRecord & { readonly replicationKey: string; readonly keyType: KeyType };

export const isKeyed = (record: StateRecord): record is KeyedRecord =>
  record.replicationKey !== null && record.keyType !== null;

/** Whether the destination table is another one than at the last sync, for example an older copy with its name. */
export const isOtherTable = (
  { writtenTo: before }: Pick<StateRecord, 'writtenTo'>,
  now: WrittenTables | undefined,
): boolean =>
  before !== null &&
  now !== undefined &&
  before.stateTable === now.stateTable &&
  before.table !== null &&
  now.table !== null &&
  before.table !== now.table;

/** Whether the destination table had rows after the last sync. */
export const hadRows = ({ cursor, contents }: StateRecord): boolean =>
  contents ? contents.rows !== '0' : cursor !== null;

/** Whether transaction IDs of the one are comparable with those of the other. */
export const isSameInstance = (a: ServerInstance, b: ServerInstance): boolean =>
  a.systemIdentifier === b.systemIdentifier && a.timeline === b.timeline && a.startedAt === b.startedAt;
