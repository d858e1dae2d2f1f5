/** What is known of a load in chunks that has begun: it is committed before the first chunk, and gone with the load. */
import { z } from 'zod';
import { stateRecordSchema } from './state-record.ts';

const LOAD_FORMAT = 1;

export const loadHeaderSchema = z.object({
  format: z.literal(LOAD_FORMAT),
  /** As if the load had been done when its fence was raised: what came later is read from here. */
  record: stateRecordSchema,
  /** Of the source's pages: the first block of each chunk. */
  starts: z.array(z.number().int().nonnegative()).min(1).readonly(),
  source: z.object({
    databaseOid: z.string(),
    /** pg_class.oid and file of each leaf; blocks mean something in that very file only. */
    leaves: z.array(z.object({ oid: z.string(), filenode: z.string() })).readonly(),
  }),
  /** pg_class.oid and file; another file means that somebody has emptied or rewritten the staging table. */
  staging: z.object({ oid: z.string(), filenode: z.string() }),
});

export type LoadHeader = Readonly<z.infer<typeof loadHeaderSchema>>;

export const newHeader = (header: Omit<LoadHeader, 'format'>): LoadHeader => ({
  format: LOAD_FORMAT,
  ...header,
});

/** As the destination tells of it. */
export interface PendingLoad {
  readonly id: string;
  /** Undefined where another version of increp has written it. */
  readonly header: LoadHeader | undefined;
  /** File of the staging table now; null where that is gone. */
  readonly stagingFilenode: string | null;
  /** Numbers of the chunks that are committed. */
  readonly done: readonly number[];
  /** When the last of them was done, or the load begun. */
  readonly lastAt: Date;
}
