/** What the file of a killed run adds to the history. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { appendHistory } from '../../../src/state/history-file.ts';
import { markRunning, RUNNING_FILE, unfinishedRuns } from '../../../src/state/running-runs.ts';
import { outcome } from '../report/outcomes.ts';

const killedRuns = async (directory: string, pipeline: string) =>
  (await unfinishedRuns(directory, pipeline)).killed;
const activeRuns = async (directory: string) => (await unfinishedRuns(directory, 'shop')).active;

/** The process that wrote the file seems to have ended. */
async function endProcess(directory: string): Promise<void> {
  const [name = ''] = (await readdir(directory)).filter((each) => RUNNING_FILE.test(each));
  const path = join(directory, name);
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  const running = { ...JSON.parse(await readFile(path, 'utf8')), process: pid };
  await writeFile(path, JSON.stringify(running));
}

test('a killed run has its tables without changes, the table that it synced, and the tables that it did not start', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'increp-running-'));
  try {
    await using mark = markRunning({ directory, destinationNameOf: (table) => table });
    const startedAt = new Date(Date.now() - 3_600_000);
    const tables = ['quiet', 'done', 'orders', 'events', 'others'];
    const run = { runId: '01234567-89ab-cdef-0123-456789abcdef', pipeline: 'shop', startedAt, tables };
    await mark.listener({ type: 'run-started', ...run });
    const planned = (table: string) =>
      mark.listener({
        ...{ type: 'table-planned', table, action: 'incremental', reasons: [], estimatedRows: undefined },
      });
    await mark.listener({ type: 'table-finished', outcome: outcome({ name: 'quiet', isQuiet: true }) });
    await planned('done');
    await mark.listener({ type: 'table-finished', outcome: outcome({ name: 'done' }) });
    await planned('orders');
    const chunks = { done: 2, of: 3, rowsRead: 200, bytes: 4000 };
    await mark.listener({ type: 'phase-started', table: 'orders', phase: 'copy', chunks });
    await mark.listener({ type: 'phase-started', table: 'orders', phase: 'fence' });
    await planned('orders');
    const rewritten = async () => readFile(join(directory, `running.${run.runId}.json`), 'utf8');
    await expect.poll(rewritten, { timeout: 5000 }).toContain('"rows_read":200');
    expect(await activeRuns(directory)).toEqual(new Set([run.runId]));
    await endProcess(directory);
    expect(await activeRuns(directory)).toEqual(new Set());
    const [quiet, killed] = await killedRuns(directory, 'shop');
    expect(quiet).toMatchObject({ table_name: null, status: 'ok', tables: ['quiet'] });
    expect(killed).toMatchObject({
      ...{ table_name: 'orders', was_killed: true, tables: ['events', 'others'] },
      ...{ rows_read: 200, bytes: 4000 },
      error_hint: expect.stringContaining('The next "increp sync" continues from there.'),
    });
    // The time of the table, not of the run.
    expect(killed?.duration_s).toBeLessThan(60);
    // The file may be older than the history.
    const finished = ['orders', 'events'].map((table_name) => ({
      ...{ run_id: run.runId, pipeline: 'shop', started_at: startedAt.toISOString(), table_name },
    }));
    await appendHistory(directory, finished);
    const [, later] = await killedRuns(directory, 'shop');
    expect(later).toMatchObject({ table_name: null, was_killed: true, tables: ['others'] });
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('a run that was killed in its first second, which is the first run, has the table that it synced', async () => {
  const parent = await mkdtemp(join(tmpdir(), 'increp-running-'));
  const directory = join(parent, 'sync-state');
  vi.useFakeTimers({ toFake: ['setInterval'] });
  try {
    await using mark = markRunning({ directory, destinationNameOf: (table) => table });
    const run = { runId: '01234567-89ab-cdef-0123-456789abcdef', pipeline: 'shop', tables: ['a', 'b'] };
    await mark.listener({ type: 'run-started', ...run, startedAt: new Date() });
    await setTimeout(150);
    await mark.listener({
      ...{ type: 'table-planned', table: 'a', action: 'initial', reasons: [], estimatedRows: undefined },
    });
    const written = async () => readFile(join(directory, `running.${run.runId}.json`), 'utf8');
    await expect.poll(written, { timeout: 5000 }).toContain('"table":"a"');
    await endProcess(directory);
    expect(await killedRuns(directory, 'shop')).toMatchObject([{ table_name: 'a', tables: ['b'] }]);
  } finally {
    vi.useRealTimers();
    await rm(parent, { recursive: true });
  }
});

test('of several jobs, each table that was being synced has a record', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'increp-running-'));
  try {
    await using mark = markRunning({ directory, destinationNameOf: (table) => table });
    const tables = ['done', 'held', 'orders', 'events', 'others'];
    const run = { runId: '01234567-89ab-cdef-0123-456789abcdef', pipeline: 'shop', tables, jobs: 4 };
    await mark.listener({ type: 'run-started', ...run, startedAt: new Date() });
    for (const table of tables.slice(0, 4))
      await mark.listener({
        ...{ type: 'table-planned', table, action: 'incremental', reasons: [], estimatedRows: undefined },
      });
    await mark.listener({ type: 'table-finished', outcome: outcome({ name: 'done' }) });
    await mark.listener({ type: 'table-held', table: 'held' });
    await mark.listener({ type: 'phase-started', table: 'orders', phase: 'copy' });
    await mark.listener({ type: 'phase-started', table: 'events', phase: 'merge' });
    const rewritten = async () => readFile(join(directory, `running.${run.runId}.json`), 'utf8');
    await expect.poll(rewritten, { timeout: 5000 }).toContain('"phase":"merge"');
    await endProcess(directory);
    const killed = await killedRuns(directory, 'shop');
    expect(killed).toMatchObject([
      { table_name: 'events', tables: [], error_message: expect.stringContaining('of events (merging)') },
      {
        table_name: 'orders',
        tables: ['others'],
        error_message: expect.stringContaining('of orders (copying)'),
      },
    ]);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('a killed full refresh names its phase in words, and the sync that would discard it', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'increp-running-'));
  try {
    await using mark = markRunning({ directory, destinationNameOf: (table) => table });
    const run = { runId: '01234567-89ab-cdef-0123-456789abcdef', pipeline: 'shop', tables: ['orders'] };
    const repeatCommand = 'increp sync --full-refresh';
    await mark.listener({ type: 'run-started', ...run, startedAt: new Date(), repeatCommand });
    await mark.listener({
      ...{ type: 'table-planned', table: 'orders', reasons: [], estimatedRows: undefined },
      action: 'full-refresh',
    });
    await mark.listener({ type: 'phase-started', table: 'orders', phase: 'deletes' });
    const rewritten = async () => readFile(join(directory, `running.${run.runId}.json`), 'utf8');
    await expect.poll(rewritten, { timeout: 5000 }).toContain('"phase":"deletes"');
    await endProcess(directory);
    const [killed] = await killedRuns(directory, 'shop');
    expect(killed?.error_message).toContain('the load of orders (comparing keys for deleted rows):');
    expect(killed?.error_hint).toContain(
      'A load in chunks continues after the last complete chunk, unless a sync without --full-refresh discards it before. Run again: "increp sync --full-refresh".',
    );
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('a run that waited before its first table until it was killed has the time that it took', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'increp-running-'));
  try {
    await using mark = markRunning({ directory, destinationNameOf: (table) => table });
    const run = { runId: '01234567-89ab-cdef-0123-456789abcdef', pipeline: 'shop', tables: ['orders'] };
    await mark.listener({ type: 'run-started', ...run, startedAt: new Date() });
    const { mtimeMs } = await stat(join(directory, `running.${run.runId}.json`));
    const touched = async () => (await stat(join(directory, `running.${run.runId}.json`))).mtimeMs;
    await expect.poll(touched, { timeout: 5000 }).toBeGreaterThan(mtimeMs + 500);
    await endProcess(directory);
    const [killed] = await killedRuns(directory, 'shop');
    expect(killed).toMatchObject({ table_name: null, was_killed: true, tables: ['orders'] });
    expect(killed?.duration_s).toBeGreaterThan(0.5);
  } finally {
    await rm(directory, { recursive: true });
  }
});
