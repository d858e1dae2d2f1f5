/** `sync --verify`: compares the copied rows with the snapshot that they were read from, before the commit. */
import { IncrepError } from '../../errors.ts';
import { printName, type TableName } from '../../schema/names.ts';
import { compareSides } from './compare-sides.ts';
import { sidesOf, type BothSides } from './sides.ts';

export interface CopiedComparison extends BothSides {
  /** The table that has the copied rows. */
  readonly table: TableName;
  /** SQL predicate that selects the copied rows. */
  readonly where: string;
  /** The predicate at the destination, if it differs. */
  readonly whereCopied?: string;
}

/** Ignores rows that only the destination has, because `deletes` decides about them. @throws IncrepError VERIFY_FAILED */
export async function verifyCopied({
  context,
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
    { database: context.source, client: source, rows: sidesOf(facts, { ...scope, where }).source },
    { client: destination, rows: sidesOf(facts, { ...scope, where: whereCopied }).destination },
  );
  for await (const { kind, key } of differences) {
    if (kind !== 'missing' && kind !== 'changed') continue;
    throw new IncrepError('VERIFY_FAILED', {
      what: `the row ${key} of ${printName(facts.sourceName)} differs from the source after it was copied (${kind})`,
      next: `Nothing was committed. If a trigger or rule of ${printName(facts.destinationName)} at the destination changes rows, drop it. Otherwise, please report this with the types of the table's columns.`,
    });
  }
}
