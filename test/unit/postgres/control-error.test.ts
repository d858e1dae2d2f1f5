/** An outage of the control database is no bug of increp, however the driver or the queue describes it. */
import { expect, test } from 'vitest';
import { asControlError } from '../../../src/postgres/control-database.ts';
import { asThrown } from '../../../src/serve/queue.ts';

const ENDPOINT = {
  side: 'control',
  address: 'db:5432/control',
  role: 'r',
  door: '',
  login: '',
} as unknown as Parameters<typeof asControlError>[1];

test('a statement without an answer is a lost connection', () => {
  const { code, message } = asControlError(new Error('Query read timeout'), ENDPOINT);
  expect({ code, message }).toEqual({
    code: 'CONNECTION_LOST',
    message: 'control database db:5432/control: no answer to a statement',
  });
});

test('the queue reports some errors as plain objects', () => {
  const thrown = asThrown({ message: 'Query read timeout', stack: 'x', queue: 'pipeline/shop' });
  expect(asControlError(thrown, ENDPOINT).code).toBe('CONNECTION_LOST');
  const error = new Error('other');
  expect(asThrown(error)).toBe(error);
});
