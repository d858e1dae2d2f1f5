import { expect, test } from 'vitest';
import { IncrepError } from '../../../src/errors.ts';
import { inBatches } from '../../../src/postgres/batches.ts';

test('a table that finds the lock table full for a moment is read again, a few times in all', async () => {
  const refusals = new Map([
    ['full for a moment', 2],
    ['always full', Infinity],
  ]);
  const read = (names: readonly string[]) => {
    for (const name of names) {
      const left = refusals.get(name) ?? 0;
      refusals.set(name, left - 1);
      if (left > 0) throw new IncrepError('QUERY_FAILED', { what: name, next: 'Wait.', sqlstate: '53200' });
    }
    return Promise.resolve(names);
  };
  const results = await inBatches(
    ['full for a moment', 'fine', 'always full'],
    async (names) => read(names),
    1,
  );
  expect(results.map((result) => (result.kind === 'done' ? result.value : result.error.message))).toEqual([
    'full for a moment',
    'fine',
    'always full',
  ]);
  expect(results.map(({ kind }) => kind)).toEqual(['done', 'done', 'failed']);
});
