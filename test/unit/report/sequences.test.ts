import { expect, test } from 'vitest';
import { formatSequences } from '../../../src/report/sequences.ts';

const narrow = { color: false, width: 80, isUnicode: true };
const failed = (table: string) => ({
  ...{ table, column: 'id', sequence: { schema: 'public', table: `${table}_id_seq` } },
  ...{ isCreated: false, kind: 'failed', from: null, to: null, isSourceRead: true },
  error: { message: `"${table}" was never synced`, next: `Run "increp sync ${table}".` },
});

test('one reason of many tables is printed once', () => {
  const text = formatSequences([failed('a'), failed('b'), failed('c')].map(asFailed), narrow, false);
  expect(text.match(/never synced/g)).toHaveLength(1);
  expect(text.match(/the same as for a, with the name of this table/g)).toHaveLength(2);
});

const asFailed = (each: ReturnType<typeof failed>) => ({ ...each, kind: 'failed' as const });
