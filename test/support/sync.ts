/** `increp sync --json`, with its summary read. */
import { expect } from 'vitest';
import type { SummaryJson, TableJson } from '../../src/report/summary-json.ts';
import { increp } from './increp.ts';
import type { IncrepOptions, IncrepResult } from './increp.ts';
import type { Pair } from './pair.ts';

export interface SyncResult extends IncrepResult {
  readonly summary: SummaryJson;
  /** Of the table with that name; of the first one unless told. */
  readonly table: (name?: string) => TableJson;
}

/** Whatever comes of it. */
export async function trySync(pair: Pair, args = '', options: IncrepOptions = {}): Promise<SyncResult> {
  const result = await increp(`sync --json ${args}`, pair, options);
  const summary = result.lines().at(-1) as unknown as SummaryJson | undefined;
  if (summary?.type !== 'summary') throw new Error(`no summary: ${result.stdout}\n${result.stderr}`);
  const table = (name?: string) => {
    const found = name === undefined ? summary.tables[0] : summary.tables.find((each) => each.name === name);
    if (!found) throw new Error(`nothing was said of ${name ?? 'any table'}: ${result.stdout}`);
    return found;
  };
  return { ...result, summary, table };
}

/** Expects success. */
export async function sync(pair: Pair, args = '', options: IncrepOptions = {}): Promise<SyncResult> {
  const result = await trySync(pair, args, options);
  expect(result.exitCode, whyNot(result.summary)).toBe(0);
  return result;
}

function whyNot({ tables, error }: SummaryJson): string {
  const failed = tables.flatMap(({ name, error: of }) => (of ? [`${name}: ${of.code}: ${of.message}`] : []));
  return [...(error ? [`${error.code}: ${error.message}`] : []), ...failed].join('\n');
}
