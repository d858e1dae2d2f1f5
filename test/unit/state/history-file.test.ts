/** `history.jsonl`, in every state in which a crash, a hand or a full file can leave it. */
import { appendFile, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { appendHistory, readHistory, type NewRecord } from '../../../src/state/history-file.ts';

async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'increp-history-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

const record = (id: number, more: Partial<NewRecord> = {}): NewRecord => ({
  run_id: `run-${id}`,
  pipeline: 'shop',
  table_name: 'orders',
  status: 'ok',
  action: 'incremental',
  started_at: at(id),
  duration_s: 0.5,
  ...more,
});

const at = (second: number) => new Date(second * 1000).toISOString();

const idsIn = async (directory: string) => (await readHistory(directory, 'shop')).map(({ run_id }) => run_id);

test('what was written is read, oldest first, and only its owner may read it', async () => {
  const directory = await newDirectory();
  const full = {
    ...record(2, { rows_inserted: 3, rows_read: 4, bytes: 99, cursor_after: '7', warnings: ['mind'] }),
    reason: 'r',
  };
  await appendHistory(directory, [record(1)]);
  await appendHistory(directory, [full, record(3, { status: 'failed', error_code: 'TIMEOUT' })]);
  expect(await readHistory(directory, 'shop')).toMatchObject([
    { run_id: 'run-1', table_name: 'orders', status: 'ok', rows_read: 0, warnings: [], error_code: null },
    full,
    { status: 'failed', error_code: 'TIMEOUT', sqlstate: null },
  ]);
  expect((await stat(join(directory, 'history.jsonl'))).mode & 0o777).toBe(0o600);
});

test('a table without news takes one short line, with the numbers of the destination', async () => {
  const directory = await newDirectory();
  const dull = { rows_read: 1, rows_unchanged: 1, bytes: 140, cursor_before: '1', cursor_after: '1' };
  await appendHistory(directory, [record(1, { ...dull, reason: 'the cursor is known' })]);
  expect(await readFile(join(directory, 'history.jsonl'), 'utf8')).toBe(
    '{"run_id":"run-1","pipeline":"shop","table_name":"orders","started_at":"1970-01-01T00:00:01.000Z","duration_s":0.5,"rows_read":1,"rows_unchanged":1,"bytes":140}\n',
  );
});

test('nothing is there yet', async () => {
  expect(await readHistory(join(await newDirectory(), 'nowhere'), 'shop')).toEqual([]);
});

test('a line that was torn is passed over, and the next one begins on its own', async () => {
  const directory = await newDirectory();
  const path = join(directory, 'history.jsonl');
  await appendHistory(directory, [record(1), record(2)]);
  await truncate(path, (await stat(path)).size - 20);
  expect(await idsIn(directory)).toEqual(['run-1']);
  await appendHistory(directory, [record(3)]);
  expect(await idsIn(directory)).toEqual(['run-1', 'run-3']);
  // After the crash of a machine a file may end in zeros.
  await appendFile(path, '\0'.repeat(100));
  await appendHistory(directory, [record(4)]);
  expect(await idsIn(directory)).toEqual(['run-1', 'run-3', 'run-4']);
});

test('lines of others are passed over: another pipeline, no record, not JSON', async () => {
  const directory = await newDirectory();
  const lines = ['{}', '[]', 'null', '', 'hello', '{"run_id":5,"pipeline":"shop"}'];
  await writeFile(join(directory, 'history.jsonl'), `${lines.join('\n')}\n`);
  await appendHistory(directory, [record(1, { pipeline: 'other' }), record(2)]);
  expect(await idsIn(directory)).toEqual(['run-2']);
});

test('it never takes more than two files of 8 MB, and loses the oldest only', async () => {
  const directory = await newDirectory();
  const [large, runs] = ['x'.repeat(999_000), 40];
  for (let run = 1; run <= runs; run += 1)
    await appendHistory(directory, [record(run, { status: 'failed', error_message: large })]);
  expect((await readdir(directory)).toSorted()).toEqual(['history.1.jsonl', 'history.jsonl']);
  const sizes = await Promise.all(
    ['history.1.jsonl', 'history.jsonl'].map(async (name) => (await stat(join(directory, name))).size),
  );
  for (const size of sizes) expect(size).toBeLessThanOrEqual(8_000_000);
  const kept = await idsIn(directory);
  expect(kept.length).toBeGreaterThanOrEqual(8);
  expect(kept).toEqual(
    Array.from({ length: kept.length }, (_, index) => `run-${runs - kept.length + 1 + index}`),
  );
});

test('runs that write at the same moment do not tear each other', async () => {
  const directory = await newDirectory();
  const ids = Array.from({ length: 50 }, (_, index) => index);
  await Promise.all(ids.map((id) => appendHistory(directory, [record(id), record(id, { table_name: 'b' })])));
  expect(await idsIn(directory)).toHaveLength(100);
});

test('several runs that find the file full at the same moment lose no line of it', async () => {
  for (let time = 0; time < 5; time += 1) {
    const directory = await newDirectory();
    const full = Array.from({ length: 3 }, (_, id) =>
      record(id, { rows_inserted: 1, reason: 'x'.repeat(2_700_000) }),
    );
    await appendHistory(directory, full);
    await Promise.all(Array.from({ length: 8 }, (_, id) => appendHistory(directory, [record(10 + id)])));
    const found = (await idsIn(directory)).toSorted();
    expect(found).toEqual(
      ['run-0', 'run-1', 'run-2', ...Array.from({ length: 8 }, (_, id) => `run-${10 + id}`)].toSorted(),
    );
    expect((await readdir(directory)).toSorted()).toEqual(['history.1.jsonl', 'history.jsonl']);
  }
});

test('records of a clock that was ahead keep their place among the others', async () => {
  const directory = await newDirectory();
  const ahead = { started_at: '2099-01-01T00:00:00.000Z' };
  await appendHistory(directory, [
    record(1),
    record(2, ahead),
    record(3, ahead),
    record(4),
    record(5, ahead),
  ]);
  const now = new Date(6000);
  const read = await readHistory(directory, 'shop', now);
  expect(read.map(({ run_id, started_at }) => [run_id, Date.parse(started_at) / 1000])).toEqual([
    ['run-1', 1],
    ['run-2', 4],
    ['run-3', 4],
    ['run-4', 4],
    ['run-5', 6],
  ]);
});

test('a failure of a clock that was ahead is older than each table of the run after it', async () => {
  const directory = await newDirectory();
  const failure = { started_at: '2099-01-01T00:00:00.000Z', status: 'failed' } as const;
  const quiet = { table_name: null, tables: ['carts'] };
  await appendHistory(directory, [record(1, failure), record(3), { ...record(3, quiet), started_at: at(2) }]);
  const [failed] = await readHistory(directory, 'shop');
  expect(failed?.started_at).toBe(at(2));
});
