import { expect, test } from 'vitest';
import { machineLines, readmeLines } from '../../bench/report.ts';
import { parseResult } from '../../bench/result.ts';
import { formatTables } from '../../bench/table.ts';
import { SAMPLE } from './sample.ts';

const cellsOf = (line: string) => line.split('|').map((cell) => cell.trim());
const rowWith = (text: string, ...parts: string[]) =>
  cellsOf(text.split('\n').find((line) => parts.every((part) => line.includes(part))) ?? '').slice(1, -1);

test('the tables say what each took, how they compare and what the targets are', () => {
  const text = formatTables(SAMPLE);
  expect(rowWith(text, '| psql binary COPY')).toEqual([
    '',
    'psql binary COPY',
    '9.00 s',
    '8.00 s to 10.0 s',
    '4.50 s',
    '8.0 MB',
    '333,333',
    '66.7 MB',
  ]);
  expect(rowWith(text, 'increp / psql')).toEqual([
    'Initial load by COPY, 3,000,000 rows',
    'increp / psql binary COPY',
    '1.22',
    '1.22',
    '1.15',
    'ABOVE TARGET',
  ]);
  expect(rowWith(text, 'increp / logical')).toEqual([
    '',
    'increp / logical <"&">',
    '0.52',
    '0.52',
    '0.60',
    'met',
  ]);
  expect(rowWith(text, 'peak memory of')).toEqual([
    '',
    'peak memory of increp',
    '95.0 MB',
    '',
    '150.0 MB',
    'met',
  ]);
  expect(rowWith(text, 'each table')).toContain('5.5 ms');
});

test('all lines of a table are of one length, for those who read it in a terminal', () => {
  const [times = '', targets = ''] = formatTables(SAMPLE).split('\n\n');
  for (const table of [times, targets]) {
    expect(new Set(table.split('\n').map((line) => line.length)).size).toBe(1);
  }
});

test('what was left out and what to know of a scenario stands below', () => {
  expect(formatTables(SAMPLE)).toContain('- Not installed, so what needs it is left out: pgcopydb.');
  expect(formatTables(SAMPLE)).toContain('- Initial load by COPY, 3,000,000 rows: with its key');
});

test('a quick run says in its table that the targets are not meant for it', () => {
  expect(formatTables(SAMPLE)).not.toContain('quick');
  expect(formatTables({ ...SAMPLE, is_quick: true })).toContain('quick: targets are for the full run');
  expect(machineLines({ ...SAMPLE, is_quick: true })).toContain('quick run');
});

test('the README has a line of each scenario that counts most', () => {
  expect(readmeLines(SAMPLE).split('\n')).toEqual([
    '- 3,000,000 rows (650.0 MB) loaded in 11.0 s, 1.22 times the duration of psql binary COPY.',
    '- Nothing changed: 200 tables checked in 1.50 s.',
  ]);
});

test('the machine is described with what decides about the numbers', () => {
  const text = machineLines(SAMPLE);
  for (const part of [
    '2026-11-21',
    'A Processor, 2 cores, 16.0 GB',
    'PostgreSQL 15.18',
    'fsync off',
    'psql',
  ]) {
    expect(text).toContain(part);
  }
  expect(text).not.toContain('null');
});

test('a result is read back as it was written, and one of another version is refused', () => {
  expect(parseResult(JSON.stringify(SAMPLE))).toEqual(SAMPLE);
  expect(() => parseResult('{"format_version":2}')).toThrow('format_version is 2, not 1');
  expect(() => parseResult('[]')).toThrow('format_version is undefined');
});
