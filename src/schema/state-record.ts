/** What is remembered of one table between runs: a row at the destination and, the same, a file here. */
import { z } from 'zod';
import { fenceSchema } from './fences.ts';
import { KEY_TYPES, type KeyType } from './keys.ts';
import { selectionSchema } from './selection.ts';
import { METADATA_COLUMNS } from './metadata-columns.ts';
import { shapeSchema } from './shape.ts';

export const STATE_FORMAT = 1;

/** One life of one source server: transaction names mean something only within it. */
export const serverInstanceSchema = z.object({
  /** Null where pg_control_system() may not be read. */
  systemIdentifier: z.string().nullable(),
  timeline: z.number().int().nullable(),
  /** pg_postmaster_start_time() as seconds, so that no setting of a session decides how it prints. */
  startedAt: z.string(),
});

/** What decides how far a window reaches down, beside the cursor. */
export const readAsSchema = z.object({
  lookbackSeconds: z.number(),
  nullKeys: z.enum(['warn', 'include']),
});
export type ReadAs = Readonly<z.infer<typeof readAsSchema>>;

/** What a full refresh has read, so that the next one can tell whether that has changed. */
export const contentsSchema = z.object({
  /** A count. */
  rows: z.string().regex(/^\d+$/),
  /** Of all rows; null where transaction numbers tell, or nobody will ask. */
  digest: z.string().nullable(),
  /** Of the settings that decide what the copy holds. */
  settings: z.string(),
  /** RFC 3339, this machine's clock. */
  readAt: z.string(),
});
export type Contents = Readonly<z.infer<typeof contentsSchema>>;

/** What decides which rows the copy holds, and what identifies them. */
export const writtenAsSchema = z.object({
  mode: z.string(),
  metadataColumns: z.array(z.enum(METADATA_COLUMNS)).readonly(),
});
export type WrittenAs = Readonly<z.infer<typeof writtenAsSchema>>;

/** As all copies were before there was a choice. */
export const PLAINLY: WrittenAs = { mode: 'incremental-deduped', metadataColumns: [] };

export const recordedWriting = ({ mode, metadataColumns }: WrittenAs): WrittenAs | null =>
  mode === PLAINLY.mode && metadataColumns.length === 0 ? null : { mode, metadataColumns };

export const stateRecordSchema = z.object({
  format: z.literal(STATE_FORMAT),
  pipeline: z.string(),
  source: z.object({ database: z.string(), schema: z.string(), table: z.string() }),
  destination: z.object({ schema: z.string(), table: z.string() }),
  sourceLife: serverInstanceSchema,
  /** The source's clock when the high-water mark was read. */
  sourceTime: z.string(),
  /** This machine's clock at the same moment, RFC 3339. */
  fencedAt: z.string(),
  /** Null in mode full-refresh, like its type. */
  replicationKey: z.string().nullable(),
  keyType: z.enum(KEY_TYPES).nullable(),
  mergeKey: z.array(z.string()),
  /** The high-water mark of the last sync as Postgres printed it; null while there is no plausible key. */
  cursor: z.string().nullable(),
  /** Whether the cursor of an integer key was bounded by what is plausible. False where it was not recorded. */
  isBounded: z.boolean().default(false),
  fences: z.array(fenceSchema).readonly(),
  /**
   * What the source's transactions below this number (xid8) have written is in the copy. Tells `verify` a row that is
   * wrong from one that is only newer, and `sync` a window that it need not read again. Null where it was not recorded.
   */
  settledXid: z.string().regex(/^\d+$/).nullable().default(null),
  /** `Relation.files` of the source. Null where it was not recorded. */
  files: z.array(z.string()).nullable().default(null),
  /** How the last sync chose its window. Null where it was not recorded. */
  readAs: readAsSchema.nullable().default(null),
  /** Null in modes other than full-refresh. */
  contents: contentsSchema.nullable().default(null),
  /** What of the source is copied. Null: all of it, or not recorded. */
  selection: selectionSchema.nullable().default(null),
  /** Null: `PLAINLY`. */
  writtenAs: writtenAsSchema.nullable().default(null),
  shape: shapeSchema,
  /** fingerprintOf(shape), for people and scripts. */
  fingerprint: z.string(),
  /** When the copy was last known to hold no row that is gone from the source. RFC 3339, this machine's clock. */
  deletesCheckedAt: z.string().nullable().default(null),
  /** Rises by one with every commit. */
  generation: z.number().int().positive(),
  runId: z.string(),
  /** RFC 3339, by this machine's clock. */
  syncedAt: z.string(),
});

/** In place of a record: `increp reset` has forgotten the table, and no older state serves any more, wherever it lies. */
export const resetRecordSchema = z.object({
  format: z.literal(STATE_FORMAT),
  pipeline: z.string(),
  source: z.object({ database: z.string(), schema: z.string(), table: z.string() }),
  /** What the next record goes on counting from. */
  generation: z.number().int().positive(),
  reset: z.object({
    /** RFC 3339, by the clock of the machine that did it. */
    at: z.string(),
    /** Whether there was a state to forget. Without one, the table may be anybody's. */
    wasKnown: z.boolean(),
  }),
  /** As the last sync had written the rows that are there. */
  writtenAs: writtenAsSchema.nullable(),
});
export type ResetRecord = Readonly<z.infer<typeof resetRecordSchema>>;

export type ServerInstance = Readonly<z.infer<typeof serverInstanceSchema>>;
export type StateRecord = Readonly<z.infer<typeof stateRecordSchema>>;
/** One from whose cursor an incremental sync can go on. */
export type KeyedRecord = StateRecord & { readonly replicationKey: string; readonly keyType: KeyType };

export const isKeyed = (record: StateRecord): record is KeyedRecord =>
  record.replicationKey !== null && record.keyType !== null;

/** True while transaction names of the one still mean the same transactions in the other. */
export const isSameInstance = (a: ServerInstance, b: ServerInstance): boolean =>
  a.systemIdentifier === b.systemIdentifier && a.timeline === b.timeline && a.startedAt === b.startedAt;
