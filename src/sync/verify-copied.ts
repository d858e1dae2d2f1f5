/** `sync --verify`: the rows just copied, compared with the snapshot they came from, before they are committed. */
import type pg from 'pg';
import { IncrepError } from '../errors.ts';
import { printName, type TableName } from '../schema/names.ts';
import type { Relation } from '../schema/relations.ts';
import { compareSides } from './compare/compare-sides.ts';
import { sidesOf } from './compare/sides.ts';
import type { TableFacts } from './facts.ts';

interface Copied {
  readonly facts: TableFacts;
  readonly relation: Relation;
  readonly source: pg.ClientBase;
  readonly destination: pg.ClientBase;
  /** Where the rows are now. */
  readonly table: TableName;
  /** SQL predicate of what was copied. */
  readonly where: string;
}

/** Rows that are only at the destination are what `deletes` is for. @throws IncrepError VERIFY_FAILED */
export async function verifyCopied({
  facts,
  relation,
  source,
  destination,
  table,
  where,
}: Copied): Promise<void> {
  const sides = sidesOf(facts, { relation, what: 'rows', where, isPending: 'false', destination: table });
  const { differences } = await compareSides(
    { client: source, rows: sides.source },
    { client: destination, rows: sides.destination },
  );
  for await (const { kind, key } of differences) {
    if (kind !== 'missing' && kind !== 'changed') continue;
    throw new IncrepError('VERIFY_FAILED', {
      what: `the row ${key} of ${printName(facts.sourceName)} did not arrive as it is at the source (${kind})`,
      next: `Nothing was committed. If a trigger or rule of ${printName(facts.destinationName)} at the destination alters rows, drop it there; else please report this with the types of the table's columns.`,
    });
  }
}
