/** increp as a contestant: the whole command of the built package, start-up included. */
import { join } from 'node:path';
import process from 'node:process';
import type { SummaryJson, TableJson } from '../../src/report/summary-json.ts';
import type { Pair } from '../support/open-pair.ts';
import { PROJECT } from '../support/project.ts';
import { measureCommand, type Command, type Servers } from './measure.ts';
import { limit } from './statistics.ts';
import type { ContestantResult, Figures, Limit } from './result.ts';

const PROGRAM = join(PROJECT, 'bin', 'increp.js');

export interface Sync {
  readonly figures: Figures;
  readonly summary: SummaryJson;
}

/** @throws Error when it does not end with 0 */
export async function sync(
  { directory }: Pick<Pair, 'directory'>,
  tables: readonly string[],
  servers: Servers,
): Promise<Sync> {
  const { figures, stdout } = await measureCommand(
    increpCommand(directory, ['sync', '--json', ...tables]),
    servers,
  );
  return { figures, summary: JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as SummaryJson };
}

export const increpCommand = (directory: string, args: readonly string[]): Command => ({
  file: process.execPath,
  args: [PROGRAM, ...args],
  // HOME is the pipeline's, so that no .pgpass of the developer is found.
  env: { PATH: process.env['PATH'], HOME: directory },
  directory,
});

export function tableOf({ tables }: SummaryJson, name: string): TableJson {
  const found = tables.find((table) => table.name === name);
  if (!found) throw new Error(`increp said nothing of ${name}`);
  return found;
}

const MEMORY_TARGET = 150_000_000;

/** Of all its runs; none where it is not known. */
export function memoryLimit({ runs }: ContestantResult): Limit[] {
  const peaks = runs.map(({ peak_bytes }) => peak_bytes).filter((peak) => peak !== null);
  return peaks.length === 0
    ? []
    : [limit('peak memory of increp', 'bytes', Math.max(...peaks), MEMORY_TARGET)];
}
