/** No number and no bar in the documents is made by hand. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { drawChart } from '../../bench/chart.ts';
import { machineLines, readmeLines } from '../../bench/report.ts';
import { parseResult } from '../../bench/result.ts';
import { formatTables } from '../../bench/table.ts';
import { PROJECT } from '../../support/project.ts';

const read = (file: string) => readFileSync(join(PROJECT, file), 'utf8');
const result = parseResult(read('docs/performance.json'));
const STALE = 'run: node test/bench/bench.ts --from docs/performance.json --write-docs';

/** However prettier has set the columns and escaped the text. */
const plain = (text: string) => text.replaceAll(/[\s\-:\\]+/g, ' ');

test('docs/performance.md has the tables of docs/performance.json', () => {
  const text = plain(read('docs/performance.md'));
  for (const part of [machineLines(result), formatTables(result)]) {
    expect(text.includes(plain(part).trim()), STALE).toBe(true);
  }
});

test('docs/performance.svg is drawn from docs/performance.json', () => {
  expect(read('docs/performance.svg') === drawChart(result), STALE).toBe(true);
});

test('the README has the numbers of a full run, or none', () => {
  const text = plain(read('README.md'));
  expect(result.is_quick || text.includes(plain(readmeLines(result)).trim()), STALE).toBe(true);
});
