/** `sync --verify`: the rows just copied, compared with the snapshot they came from, before they are committed. */
import { IncrepError } from '../../errors.ts';
import { printName, type TableName } from '../../schema/names.ts';
import { compareSides } from './compare-sides.ts';
import { sidesOf, type BothSides } from './sides.ts';

export interface CopiedComparison extends BothSides {
  /** Where the rows are now. */
  readonly table: TableName;
  /** SQL predicate of what was copied. */
  readonly where: string;
  /** The same at the destination, where it is not the same predicate. */
  readonly whereCopied?: string;
}

/** Rows that are only at the destination are what `deletes` is for. @throws IncrepError VERIFY_FAILED */
export async function verifyCopied({
  facts,
  relation,
  source,
  destination,
  table,
  where,
  whereCopied = where,
}: CopiedComparison): Promise<void> {
  const scope = { relation, what: 'rows', isPending: 'false', destination: table } as const;
  const { differences } = await compareSides(
    { client: source, rows: sidesOf(facts, { ...scope, where }).source },
    { client: destination, rows: sidesOf(facts, { ...scope, where: whereCopied }).destination },
  );
  for await (const { kind, key } of differences) {
    if (kind !== 'missing' && kind !== 'changed') continue;
    throw new IncrepError('VERIFY_FAILED', {
      what: `the row ${key} of ${printName(facts.sourceName)} did not arrive as it is at the source (${kind})`,
      next: `Nothing was committed. If a trigger or rule of ${printName(facts.destinationName)} at the destination alters rows, drop it there; else please report this with the types of the table's columns.`,
    });
  }
}
