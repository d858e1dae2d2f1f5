import { expect, test } from 'vitest';
import { rowEstimate } from '../../../src/postgres/row-estimate.ts';

const text = (rows: number) => Buffer.from('1\tone\\nline\n'.repeat(rows));

/** As a server sends it: two fields a row, the second one null. */
function binary(rows: number, isEnded = false): Buffer {
  const header = Buffer.concat([Buffer.from('PGCOPY\n\u00ff\r\n\0', 'latin1'), Buffer.alloc(8)]);
  const row = Buffer.from('0002_00000004_0000000a_ffffffff'.replaceAll('_', ''), 'hex');
  return Buffer.concat([
    header,
    ...Array<Buffer>(rows).fill(row),
    ...(isEnded ? [Buffer.from('ffff', 'hex')] : []),
  ]);
}

function see(format: 'text' | 'binary', data: Buffer, pieces: number) {
  const estimate = rowEstimate(format);
  for (let at = 0; at < data.length; at += pieces) estimate.see(data.subarray(at, at + pieces));
  return estimate.rows(data.length);
}

for (const pieces of [1, 7, 64, 65_536]) {
  test(`rows are counted whatever the pieces are that they come in (${pieces} bytes)`, () => {
    expect(see('text', text(100), pieces)).toBe(100);
    expect(see('binary', binary(100), pieces)).toBe(100);
    expect(see('binary', binary(100, true), pieces)).toBe(100);
  });
}

test('a row that is not whole yet is none, and before the first one nothing is known', () => {
  expect(see('text', Buffer.from('1\tone'), 2)).toBeUndefined();
  expect(see('binary', binary(0), 5)).toBeUndefined();
  expect(see('binary', binary(1).subarray(0, -1), 5)).toBeUndefined();
});

test('beyond the beginning rows are told by their bytes', () => {
  const estimate = rowEstimate('text');
  for (let part = 0; part < 100; part += 1) estimate.see(text(10_000));
  expect(estimate.rows(text(1_000_000).length)).toBe(1_000_000);
});
