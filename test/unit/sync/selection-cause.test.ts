import { expect, test } from 'vitest';
import { IncrepError, type DatabaseSide } from '../../../src/errors.ts';
import { EVERYTHING } from '../../../src/schema/selection.ts';
import { withSelectionCause } from '../../../src/sync/facts/selection-cause.ts';
import { facts } from './table-facts.ts';

const nextOf = (selection: object, side: DatabaseSide = 'source', sqlstate = '22012') => {
  const { settings } = facts();
  const error = new IncrepError('QUERY_FAILED', {
    ...{ what: 'division by zero', next: 'Fix it.' },
    ...{ side, sqlstate },
  });
  return withSelectionCause({ settings: { ...settings, selection: { ...EVERYTHING, ...selection } } }, error)
    .next;
};

test('a value that the SQL of the settings does not accept: the options are named as the cause', () => {
  const transform = [{ column: 'total', expression: 'total / 0' }];
  expect(nextOf({ transform, where: 'id > 0', columns: ['id', 'total'] })).toBe(
    'The likely cause is the SQL in "where", "transform" of table "orders" in tables-config.json. Fix it.',
  );
  expect(nextOf({ columns: ['id', 'total'] })).toBe('Fix it.');
  expect(nextOf({ transform }, 'destination')).toBe('Fix it.');
  expect(nextOf({ transform }, 'source', '53200')).toBe('Fix it.');
});
