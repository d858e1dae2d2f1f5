import { expect, test } from 'vitest';
import type { TableSettings } from '../../../src/config/settings.ts';
import { IncrepError } from '../../../src/errors.ts';
import { readPattern } from '../../../src/schema/patterns.ts';
import type { RunScope } from '../../../src/serve/claim.ts';
import { chooseTables } from '../../../src/serve/run-scope.ts';

const tableOf = (name: string, isEnabled = true) =>
  ({ name, isEnabled, source: { schema: 'public', table: name } }) as TableSettings;

const PATTERN = {
  ...{ name: 'events_*', schema: 'public', names: readPattern('events_*'), copyNames: undefined },
  ...{ place: 0, options: {} as never },
};

const PLACE = {
  pipeline: 'shop',
  settings: {
    tables: [tableOf('orders'), tableOf('items'), tableOf('off', false), tableOf('held')],
    patterns: [PATTERN],
  },
  schedules: [],
  paused: [{ table: 'held', hasCrashed: false }],
  problem: undefined as IncrepError | undefined,
};

/** The names of the tables, or the text of the refusal. */
function chosenBy(scope: Partial<RunScope>, place: Partial<typeof PLACE> = {}) {
  const run = { id: '1', entry: null, tables: null, isForced: false, ...scope };
  const { chosen, refusal } = chooseTables(run, { ...PLACE, ...place });
  return refusal?.message ?? [...chosen].map(({ name }) => name);
}

test('a request syncs the tables that its names mean, as a command does', () => {
  expect(chosenBy({})).toEqual(['orders', 'items', 'off', 'held']);
  expect(chosenBy({ tables: ['items'] })).toEqual(['items']);
  expect(chosenBy({ tables: ['public.items', 'or*'] })).toEqual(['orders', 'items']);
});

test('a name without a table to sync refuses the run', () => {
  expect(chosenBy({ tables: ['orders', 'itmes'] })).toBe(
    'no table "itmes" in pipeline "shop"; did you mean "items"?',
  );
  expect(chosenBy({ tables: ['off'] })).toBe('table "off" of pipeline "shop" is disabled');
  expect(chosenBy({ tables: ['held'] })).toBe('table "held" of pipeline "shop" is paused');
  expect(chosenBy({ tables: ['o*', 'h*', 'i*'] })).toBe('table "h*" of pipeline "shop" is paused');
});

test('without an answer of the source, nobody says that a table does not exist', () => {
  const problem = new IncrepError('CONNECTION_FAILED', { what: 'the source does not answer', next: 'Wait.' });
  expect(chosenBy({ tables: ['events_1'] }, { problem })).toBe('the source does not answer');
});

test('a schedule of an entry that does not exist refuses the run', () => {
  expect(chosenBy({ entry: '' })).toEqual(['orders', 'items', 'off', 'held']);
  expect(chosenBy({ entry: 'events_*' })).toEqual([]);
  expect(chosenBy({ entry: 'public.events_*' })).toEqual([]);
  expect(chosenBy({ entry: 'itmes' })).toBe('no entry "itmes" in the configuration of pipeline "shop"');
});
