import { getConstructionPlans } from 'pg-boss';
import { expect, test } from 'vitest';
import { QUEUE_VERSION } from '../../../src/serve/queue.ts';

test('the version of the queue is that of the pinned pg-boss', () => {
  expect(getConstructionPlans('q')).toContain(`INSERT INTO q.version(version) VALUES ('${QUEUE_VERSION}')`);
});
