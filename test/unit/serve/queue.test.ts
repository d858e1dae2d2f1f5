import { getConstructionPlans } from 'pg-boss';
import { expect, test } from 'vitest';
import { IncrepError } from '../../../src/errors.ts';
import { asThrown, QUEUE_VERSION } from '../../../src/serve/queue.ts';

test('the version of the queue is that of the pinned pg-boss', () => {
  expect(getConstructionPlans('q')).toContain(`INSERT INTO q.version(version) VALUES ('${QUEUE_VERSION}')`);
});

test('an error that pg-boss copied to a plain object is what it was', () => {
  const lost = new IncrepError('CONNECTION_FAILED', { what: 'nothing listens', next: 'Start it.' });
  const copied = asThrown({ ...lost, message: lost.message, stack: lost.stack, queue: 'q' });
  expect(copied).toBeInstanceOf(IncrepError);
  expect(copied).toMatchObject({ code: 'CONNECTION_FAILED', message: 'nothing listens', next: 'Start it.' });
  const server = Object.assign(new Error('deadlock detected'), { code: '40P01', severity: 'ERROR' });
  expect(asThrown({ ...server, message: server.message })).toMatchObject(server);
  expect(asThrown('text')).toBe('text');
});
