/** Puts a result where people read of it: docs/performance.* and the three lines of the README. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { fill, pretty } from '../../scripts/generated-parts.ts';
import { PROJECT } from '../support/project.ts';
import { drawChart } from './chart.ts';
import { machineLines, readmeLines } from './report.ts';
import type { BenchResult } from './result.ts';
import { formatTables } from './table.ts';

export async function writeDocuments(result: BenchResult): Promise<void> {
  await write('docs/performance.json', () => JSON.stringify(result));
  await write('docs/performance.svg', () => drawChart(result));
  await write('docs/performance.md', (text) =>
    fill(text, { machine: machineLines(result), result: formatTables(result) }),
  );
  // What a quick run shows is not what people choose a program by.
  if (!result.is_quick) await write('README.md', (text) => fill(text, { performance: readmeLines(result) }));
}

async function write(name: string, change: (text: string) => string): Promise<void> {
  const file = join(PROJECT, name);
  const text = change(await readFile(file, 'utf8').catch(() => ''));
  await writeFile(file, name.endsWith('.svg') ? text : await pretty(file, text));
  process.stderr.write(`${name} written\n`);
}
