/** Both sides of each table byte by byte: what is missing, what is stale, what is there too much. */
import type { Pool } from 'pg';
import { copyOut, copyQuery } from '../support/copy-text.ts';
import type { Pair } from '../support/open-pair.ts';
import { TABLES, type TortureTable } from './tables.ts';

export interface Difference {
  readonly table: string;
  readonly sourceRows: number;
  readonly missing: number;
  readonly stale: number;
  readonly extra: number;
  /** The first few, as COPY prints them. */
  readonly examples: readonly string[];
}

export type Comparison = readonly Difference[];

export const lossOf = (comparison: Comparison): number =>
  comparison.reduce((sum, { missing, stale }) => sum + missing + stale, 0);

export const extraOf = (comparison: Comparison): number =>
  comparison.reduce((sum, { extra }) => sum + extra, 0);

type Sides = Pick<Pair, 'source' | 'destination' | 'schema'>;

export async function compareAll(pair: Sides, destinationSchema: string): Promise<Comparison> {
  const differences: Difference[] = [];
  for (const table of TABLES) differences.push(await compareTable(pair, destinationSchema, table));
  return differences;
}

async function compareTable(
  pair: Sides,
  destinationSchema: string,
  table: TortureTable,
): Promise<Difference> {
  const { mergeKey } = table;
  const columns = [...mergeKey, ...table.columns.filter((name) => !mergeKey.includes(name))];
  const read = (pool: Pool, schema: string) =>
    copyOut(pool, copyQuery({ schema, table: table.name, columns, where: [], orderBy: undefined }));
  const [source, destination] = await Promise.all([
    read(pair.source, pair.schema),
    read(pair.destination, destinationSchema),
  ]);
  const [wanted, found] = [source, destination].map((copy) => byKey(copy, mergeKey.length)) as [Rows, Rows];
  const missing = [...wanted].filter(([key]) => !found.has(key));
  const stale = [...wanted].filter(([key, line]) => found.has(key) && found.get(key) !== line);
  const extra = [...found].filter(([key]) => !wanted.has(key));
  const show = (what: string, rows: readonly (readonly [string, string])[]) =>
    rows
      .slice(0, 3)
      .map(([key, line]) => `${what}: ${line}${what === 'stale' ? ` (copy: ${found.get(key)})` : ''}`);
  return {
    table: table.name,
    sourceRows: wanted.size,
    missing: missing.length,
    stale: stale.length,
    extra: extra.length,
    examples: [...show('missing', missing), ...show('stale', stale), ...show('extra', extra)],
  };
}

type Rows = ReadonlyMap<string, string>;

/** COPY escapes tabs and line ends within values, so they separate. */
function byKey(copy: Buffer, keyColumns: number): Rows {
  const lines = copy.toString('utf8').split('\n').slice(0, -1);
  const rows = new Map(lines.map((line) => [line.split('\t').slice(0, keyColumns).join('\t'), line]));
  if (rows.size !== lines.length) throw new Error(`one key twice among ${lines.length} rows`);
  return rows;
}
