/** The command after a signal, if few tables are left. */
import { expect, test } from 'vitest';
import { withLeftTables } from '../../../src/sync/run/left-tables.ts';
import { failure, outcome, summary } from '../report/outcomes.ts';

const all = 'increp sync --full-refresh';
const error = failure({ code: 'INTERRUPTED', hint: `The load was rolled back. Run again: "${all}".` });
const request = {
  repeatCommand: all,
  repeatFor: (names: readonly string[]) => `increp sync ${names.join(' ')} --full-refresh`,
  tables: ['a', 'b', 'c', 'd'].map((name) => ({ name, isEnabled: name !== 'd' })),
};

test('a table is done if it was synced at each destination', () => {
  const tables = [
    outcome({ name: 'a', destination: 'one' }),
    outcome({ name: 'a', destination: 'two' }),
    outcome({ name: 'b', destination: 'one' }),
    outcome({ name: 'b', destination: 'two', status: 'failed', error }),
  ];
  const destinations = ['one', 'two'].map((name) => ({ name, status: 'failed' as const, error }));
  const found = withLeftTables(summary({ status: 'failed', tables, error, destinations }), request);
  const hint = 'The load was rolled back. Run again: "increp sync b c --full-refresh".';
  expect(found.error?.hint).toBe(hint);
  expect(found.tables.at(-1)?.error?.hint).toBe(hint);
  expect(found.destinations?.map((each) => each.error?.hint)).toEqual([hint, hint]);
});

test('if no table is done, the command is that of the run', () => {
  const found = summary({ status: 'failed', tables: [], error });
  expect(withLeftTables(found, request)).toBe(found);
});
