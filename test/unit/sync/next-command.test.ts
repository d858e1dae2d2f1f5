/** What to run after a signal: a sync without the flags of the run is not always enough. */
import { expect, test } from 'vitest';
import { IncrepError } from '../../../src/errors.ts';
import { withKeptChunks } from '../../../src/sync/load/chunks/chunked-load.ts';
import { ordinaryRequest } from '../../../src/sync/plan/plan.ts';
import { planTable } from '../../../src/sync/plan/plan-table.ts';
import { withNextCommand } from '../../../src/sync/run/table-outcome.ts';
import { facts } from './table-facts.ts';

const stopped = new IncrepError('INTERRUPTED', {
  what: 'stopped by SIGINT',
  next: 'The next run continues.',
});
const load = planTable(facts(), { ...ordinaryRequest(), isFullRefresh: true });
const big = { settings: { name: 'big' }, stagingName: { schema: 'public', table: 'big_stg' } };
const again = 'increp sync --full-refresh';

test('a load that a flag asked for starts again with this flag', () => {
  expect(withNextCommand(stopped, again, load).next).toBe(
    'The load was rolled back. Run again: "increp sync --full-refresh".',
  );
  expect(withNextCommand(stopped, undefined, load).next).toBe(
    'The load was rolled back. The next "increp sync" starts it again ("increp help large-tables").',
  );
});

test('a run with flags is repeated with them, also between two tables', () => {
  expect(withNextCommand(stopped, 'increp sync --deletes').next).toBe(
    'Work that was not committed was rolled back. Run again: "increp sync --deletes".',
  );
  expect(withNextCommand(stopped, undefined)).toBe(stopped);
});

test('a load in chunks names the command that continues it, also before its first chunk', () => {
  for (const of of [0, 3])
    expect(withKeptChunks(stopped, { done: 0, of }, again, big)).toMatchObject({
      next: 'Work that was not committed was rolled back. Run again: "increp sync --full-refresh".',
    });
  expect(withKeptChunks(stopped, { done: 1, of: 3 }, again, big)).toMatchObject({
    next: 'The next sync without --full-refresh discards this load; to continue with the remaining chunks, run "increp sync --full-refresh".',
  });
});

test('after a full disk, a load in chunks names the command that frees the space of its staging table', () => {
  const full = new IncrepError('DISK_FULL', { what: 'no space', next: 'Free some space.' });
  const frees = (command: string) =>
    `Free some space. If there is no other space, discard the load, which frees the space of public.big_stg: "${command}".`;
  expect(withKeptChunks(full, { done: 1, of: 3 }, undefined, big)).toMatchObject({
    message: 'no space; 1 of 3 chunks are kept',
    next: `${frees('increp reset big')} The next run continues with the remaining chunks.`,
  });
  // The chunk that was rolled back takes space, too.
  expect(withKeptChunks(full, { done: 0, of: 3 }, undefined, big)).toMatchObject({
    message: 'no space',
    next: frees('increp reset big'),
  });
  expect(withKeptChunks(full, { done: 1, of: 3 }, again, big)).toMatchObject({
    next: 'Free some space on that server, then continue with the remaining chunks: "increp sync --full-refresh". A sync without --full-refresh, for example by cron, discards the kept chunks. If there is no other space, discard the load, which frees the space of public.big_stg: "increp sync big".',
  });
  expect(withKeptChunks(full, { done: 0, of: 3 }, again, big)).toMatchObject({
    next: expect.stringMatching(
      /^Free some space on that server, then run the load again: "increp sync --full-refresh"\. If/,
    ) as string,
  });
  expect(withKeptChunks(full, { done: 0, of: 0 }, undefined, big)).toBe(full);
});
