import { expect, test } from 'vitest';
import { historyListener } from '../../../src/observe/history-listener.ts';
import type { HistoryStore } from '../../../src/report/run-record.ts';
import { failure, outcome, STARTED, summary } from '../report/outcomes.ts';

test('a run waits for a slow store only at its end, and each record is written once', async () => {
  const written: string[][] = [];
  const { promise: answer, resolve: answerNow } = Promise.withResolvers<void>();
  const store: HistoryStore = {
    isCheap: false,
    write: async (records) => {
      written.push(records.map(({ table_name: name }) => name ?? ''));
      await answer;
    },
    finish: async (records) => {
      written.push(records.map(({ table_name: name }) => name ?? ''));
      await answer;
    },
  };
  const listener = historyListener({
    store,
    destinationNameOf: (name) => name,
    redact: (text) => text,
    clockError: () => 0,
    timing: { historyInterval: 0 },
  });
  await listener({
    type: 'run-started',
    runId: 'run-1',
    pipeline: 'shop',
    startedAt: STARTED,
    tables: ['a', 'b', 'c', 'd'],
  });
  await listener({ type: 'table-finished', outcome: outcome({ name: 'a' }) });
  await listener({ type: 'table-finished', outcome: outcome({ name: 'b' }) });
  // The record of a failure does not wait for the next table.
  await listener({
    type: 'table-finished',
    outcome: outcome({ name: 'c', status: 'failed', error: failure() }),
  });
  await listener({ type: 'table-finished', outcome: outcome({ name: 'd' }) });
  let isOver = false;
  const end = Promise.resolve(listener({ type: 'run-finished', summary: summary({ tables: [] }) })).then(
    () => (isOver = true),
  );
  await Promise.resolve();
  expect(written).toEqual([['a']]);
  expect(isOver).toBe(false);
  answerNow();
  await end;
  expect(written.flat()).toEqual(['a', 'b', 'c', 'd']);
});
