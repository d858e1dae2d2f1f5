/** Copies rows of the source to the destination by COPY, group by group if the table is read in groups of partitions. */
import { copyBetween, type Copied } from '../../postgres/copy-pipe.ts';
import { onRows, type RowSource } from '../../sql/row-source.ts';
import { readGroups, type HeldSnapshot } from './partition-groups.ts';

type CopySink = Parameters<typeof copyBetween>[1];
type CopyFlow = Parameters<typeof copyBetween>[2];

export interface CopiedRows {
  readonly rows: RowSource;
  readonly copyOut: (rows: RowSource) => string;
}

export async function copyGroups(
  held: HeldSnapshot,
  { rows, copyOut }: CopiedRows,
  into: CopySink,
  flow: CopyFlow,
): Promise<Copied & { readonly rowsSent: number }> {
  const { endpoint } = held.database;
  let all = { rows: 0, bytes: 0, rowsSent: 0 };
  const parts = readGroups(held, rows, (client, group) =>
    copyBetween({ client, endpoint, copyOut: onRows(group, copyOut(group)) }, into, after(all, flow)),
  );
  for await (const part of parts)
    all = {
      rows: all.rows + part.rows,
      bytes: all.bytes + part.bytes,
      rowsSent: all.rowsSent + part.rowsSent,
    };
  return all;
}

/** Counts on from what was copied before. */
const after = (before: Copied, flow: CopyFlow): CopyFlow => ({
  ...flow,
  onBytes: (bytes, rows) =>
    flow.onBytes(before.bytes + bytes, rows === undefined ? rows : before.rows + rows),
});
