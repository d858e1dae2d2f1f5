/** `sync-state/history.jsonl`: the local history of runs. The history in the destination lacks the runs that could not reach it. */
import { open, readFile, rename, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { continuesFromCursor } from '../events.ts';
import { giveToOwner } from '../ownership.ts';
import { hasCode } from '../system-fault.ts';
import { lockFile } from './file-lock.ts';
import { isToCome } from '../schema/clock-error.ts';
import { runRecordSchema, type RunRecord } from '../schema/run-record.ts';

/** No state file has these names: state files end in `.json` or `.txt`, and a full stop in the name of a table is encoded. */
const NEWEST = 'history.jsonl';
const OLDER = 'history.1.jsonl';
export const HISTORY_FILES = [NEWEST, OLDER] as const;

/** Bytes. Two such files hold some weeks of runs for ten tables every five minutes, and a day of runs for two hundred tables. */
const ROTATE_AT = 8_000_000;

/** A record before it is written. Fields with their default values may be missing. */
export type NewRecord = Pick<RunRecord, 'run_id' | 'pipeline' | 'started_at'> & Partial<RunRecord>;

/**
 * Appends one line for each record. All lines go out in one write, so that the lines of two runs do not mix. If a crash
 * interrupts the write, only the last lines are lost.
 */
export async function appendHistory(directory: string, records: readonly NewRecord[]): Promise<void> {
  const path = join(directory, NEWEST);
  const lines = records.map((record) => `${JSON.stringify(shortened(record))}\n`).join('');
  await rotate(directory, Buffer.byteLength(lines));
  const file = await open(path, 'a+', 0o600);
  try {
    const text = (await isTorn(file)) ? `\n${lines}` : lines;
    await file.appendFile(text);
  } finally {
    await file.close();
  }
  // Only after the write: another run that rotates the file meanwhile would lose the line.
  await giveToOwner(path).catch(() => undefined);
}

/** The rename replaces the older file. A run that has the file open continues to write into the renamed file. */
async function rotate(directory: string, more: number): Promise<void> {
  const path = join(directory, NEWEST);
  if (!(await isFull(path, more))) return;
  const unlock = await lockFile(path);
  try {
    // Another run may have rotated meanwhile. Then the file is new and small, and must not replace the full older file.
    if (await isFull(path, more)) await rename(path, join(directory, OLDER));
  } finally {
    await unlock();
  }
}

async function isFull(path: string, more: number): Promise<boolean> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  return size + more > ROTATE_AT && size > 0;
}

/** Whether the last line is incomplete. */
async function isTorn(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat();
  if (size === 0) return false;
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer.toString() !== '\n';
}

const DEFAULTS = new Map<string, unknown>(
  Object.entries(runRecordSchema.parse({ run_id: '', pipeline: '', started_at: '' })),
);

/** Fields that are left out if a table had no changes, to save space. `history` prints the numbers, so they stay. */
const OMITTED_WHEN_QUIET = new Set(['reason', 'cursor_before', 'cursor_after']);

/** Shortens a record: most lines in the file are about tables without changes. */
function shortened(record: NewRecord): object {
  const isQuiet =
    record.status === 'ok' &&
    continuesFromCursor(record.action) &&
    !(record.rows_inserted || record.rows_updated || record.rows_deleted);
  const isLeftOut = (key: string, value: unknown) =>
    value === DEFAULTS.get(key) ||
    (Array.isArray(value) && value.length === 0) ||
    (isQuiet && OMITTED_WHEN_QUIET.has(key));
  return Object.fromEntries(Object.entries(record).filter(([key, value]) => !isLeftOut(key, value)));
}

/** The records of one pipeline, oldest first. Incomplete lines and other text are skipped. @throws the error of the file system */
export async function readHistory(
  directory: string,
  pipeline: string,
  now = new Date(),
): Promise<RunRecord[]> {
  const [older, newest] = await Promise.all([
    linesOf(join(directory, OLDER)),
    linesOf(join(directory, NEWEST)),
  ]);
  const records = [...older, ...newest].flatMap((line) => {
    const record = recordOf(line);
    return record?.pipeline === pipeline ? [record] : [];
  });
  return withoutFuture(records, now);
}

/**
 * The clock of this machine was ahead when a record with a time to come was written. It gets the time at which the run after it
 * began, so that the order of the file remains. A run writes its tables in the order of their ends.
 */
function withoutFuture(records: readonly RunRecord[], now: Date): RunRecord[] {
  const beginnings = new Map<string, string>();
  for (const { run_id, started_at } of records) {
    const before = beginnings.get(run_id);
    if (before === undefined || Date.parse(started_at) < Date.parse(before))
      beginnings.set(run_id, started_at);
  }
  let after = now.toISOString();
  return records
    .toReversed()
    .map((record) => {
      if (isToCome(record.started_at, now)) return { ...record, started_at: after };
      after = beginnings.get(record.run_id) ?? record.started_at;
      return record;
    })
    .toReversed();
}

async function linesOf(path: string): Promise<string[]> {
  try {
    return (await readFile(path, 'utf8')).split('\n');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

function recordOf(line: string): RunRecord | undefined {
  if (line === '') return undefined;
  try {
    return runRecordSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
