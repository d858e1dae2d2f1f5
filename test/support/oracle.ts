/** Equal means: both servers print the same bytes. `=` would call 1.0 and 1.00 equal and cannot compare json. */
import { expect } from 'vitest';
import { columnsOf, copyOut, copyQuery } from './copy-text.ts';
import type { Pair } from './open-pair.ts';

export { columnsOf } from './copy-text.ts';

export interface SameRowsOptions {
  /** All columns of the source table unless told. */
  readonly columns?: readonly string[];
  readonly destinationTable?: string;
  /** SQL; by the text of all columns unless told. */
  readonly orderBy?: string;
  /** SQL predicate, used on both sides. */
  readonly where?: string;
  /** SQL predicate for the source only, for rows that are not to arrive. */
  readonly sourceWhere?: string;
  /** Schema at the destination; that of the source unless told. */
  readonly destinationSchema?: string;
}

export async function expectSameRows(
  pair: Pair,
  table: string,
  options: SameRowsOptions = {},
): Promise<void> {
  const columns = options.columns ?? (await columnsOf(pair, 'source', pair.schema, table));
  const sourceFilter = [options.where, options.sourceWhere].filter((text) => text !== undefined);
  const [source, destination] = await Promise.all([
    copyOut(
      pair.source,
      copyQuery({ schema: pair.schema, table, columns, where: sourceFilter, orderBy: options.orderBy }),
    ),
    copyOut(
      pair.destination,
      copyQuery({
        schema: options.destinationSchema ?? pair.schema,
        table: options.destinationTable ?? table,
        columns,
        where: options.where === undefined ? [] : [options.where],
        orderBy: options.orderBy,
      }),
    ),
  ]);
  const isEqual = source.equals(destination);
  if (!isEqual) expect.fail(describeDifference(table, source, destination));
  expect(isEqual).toBe(true);
}

/** The lines that only one side has, the first few of each. */
function describeDifference(table: string, source: Buffer, destination: Buffer): string {
  const [left, right] = [linesOf(source), linesOf(destination)];
  const onlySource = missingFrom(left, right);
  const onlyDestination = missingFrom(right, left);
  const isOrder =
    onlySource.length + onlyDestination.length === 0 ? ['  (the same rows in another order)'] : [];
  return [
    `${table}: ${left.length} rows at the source, ${right.length} at the destination`,
    ...isOrder,
    ...sample('only at the source', onlySource),
    ...sample('only at the destination', onlyDestination),
  ].join('\n');
}

// latin1 keeps every byte apart, and makes lines comparable.
const linesOf = (copy: Buffer) => copy.toString('latin1').split('\n').slice(0, -1);

function missingFrom(lines: readonly string[], others: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const line of others) left.set(line, (left.get(line) ?? 0) + 1);
  return lines.filter((line) => {
    const count = left.get(line) ?? 0;
    left.set(line, count - 1);
    return count <= 0;
  });
}

const SHOWN = 5;

const sample = (title: string, lines: readonly string[]) => [
  ...(lines.length > 0 ? [`  ${title}: ${lines.length}`] : []),
  ...lines.slice(0, SHOWN).map((line) => `    ${Buffer.from(line, 'latin1').toString('utf8').slice(0, 300)}`),
];
