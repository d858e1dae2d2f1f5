import { getConstructionPlans } from 'pg-boss';
import { expect, test } from 'vitest';
import { IncrepError } from '../../../src/errors.ts';
import { asThrown, QUEUE_VERSION } from '../../../src/serve/queue.ts';

test('the version of the queue is that of the pinned pg-boss', () => {
  expect(getConstructionPlans('q')).toContain(`INSERT INTO q.version(version) VALUES ('${QUEUE_VERSION}')`);
});

test('an error of increp that the queue describes by a plain object stays one', () => {
  const error = new IncrepError('CONNECTION_FAILED', {
    what: 'connection refused',
    next: 'Start the server.',
  });
  const { name, code, message, next } = error;
  const found = asThrown({ name, code, message, next, queue: 'pipeline/shop' });
  expect(found).toBeInstanceOf(IncrepError);
  expect(found).toMatchObject({
    code: 'CONNECTION_FAILED',
    message: 'connection refused',
    isTransient: true,
  });
  expect(asThrown({ message: 'of the server', code: '53300' })).toMatchObject({ code: '53300' });
});
