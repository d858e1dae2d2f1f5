/** The record of a load in chunks. It is committed before the first chunk, and removed when the load is complete. */
import * as z from 'zod';
import { stateRecordSchema } from './state-record.ts';

const LOAD_FORMAT = 1;

export const loadHeaderSchema = z.object({
  format: z.literal(LOAD_FORMAT),
  /** The state as of the fence of the load. The changes since then are read from here. */
  record: stateRecordSchema,
  /** The first block of each chunk. */
  starts: z.array(z.number().int().nonnegative()).min(1).readonly(),
  source: z.object({
    databaseOid: z.string(),
    /** pg_class.oid and file of each leaf. Block numbers are valid only for that file. */
    leaves: z.array(z.object({ oid: z.string(), filenode: z.string() })).readonly(),
  }),
  /** pg_class.oid and file. Another file means that the staging table was emptied or rewritten. */
  staging: z.object({ oid: z.string(), filenode: z.string() }),
});

export type LoadHeader = Readonly<z.infer<typeof loadHeaderSchema>>;

export const newHeader = (header: Omit<LoadHeader, 'format'>): LoadHeader => ({
  format: LOAD_FORMAT,
  ...header,
});

/** An interrupted load, as read from the destination. */
export interface PendingLoad {
  readonly id: string;
  /** Undefined if another version of increp has written it. */
  readonly header: LoadHeader | undefined;
  /** The current file of the staging table. Null if the table was dropped. */
  readonly stagingFilenode: string | null;
  /** Numbers of the chunks that are committed. */
  readonly done: readonly number[];
  /** The time of the last chunk, or of the start of the load. */
  readonly lastAt: Date;
}
