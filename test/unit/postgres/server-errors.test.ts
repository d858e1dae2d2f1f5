import pg from 'pg';
import { expect, test } from 'vitest';
import type { Endpoint } from '../../../src/postgres/endpoint.ts';
import { serverError } from '../../../src/postgres/server-errors.ts';

const DESTINATION = { side: 'destination', address: 'wh:5432/wh', door: '', role: 'loader' } as Endpoint;

const refusal = (code: string, place: Partial<pg.DatabaseError>) =>
  serverError(Object.assign(new pg.DatabaseError('refused', 7, 'error'), { code, ...place }), DESTINATION);

test.each([
  ['23502', { schema: 'public', table: 'orders', column: 'Note' }, 'ALTER COLUMN "Note" DROP NOT NULL'],
  [
    '23502',
    { schema: 'public', table: 'orders', column: 'a', constraint: 'orders_a_not_null' },
    'DROP NOT NULL',
  ],
  ['23514', { schema: 'public', table: 'orders', constraint: 'positive' }, 'DROP CONSTRAINT "positive"'],
])(
  'the constraint that refuses a row (%s) comes with the statement that drops it',
  (code, place, statement) => {
    const { next } = refusal(code, place);
    expect(next).toMatch(/Correct the row at the source, or .*: ALTER TABLE "public"\."orders" /);
    expect(next).toContain(statement);
  },
);

test('for a constraint of a domain, there is no statement', () => {
  expect(refusal('23514', { constraint: 'positive' }).next).not.toContain('ALTER');
});
