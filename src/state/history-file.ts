/** `sync-state/history.jsonl`: the history of runs beside the destination's, which has none of when it was away. */
import { randomBytes } from 'node:crypto';
import { appendFile, open, readFile, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../replace-file.ts';
import { runRecordSchema, type RunRecord } from '../schema/run-record.ts';

/** No state of a table has these names: it ends in `.json` or `.txt`, and a full stop in its name is encoded. */
const NEWEST = 'history.jsonl';
const OLDER = 'history.1.jsonl';
export const HISTORY_FILES = [NEWEST, OLDER] as const;

/** Bytes. Two such files hold weeks of ten tables every five minutes, and a day of two hundred. */
const ROTATE_AT = 8_000_000;

/** A line before it is written: what is usual is left out. */
export type NewRecord = Pick<RunRecord, 'run_id' | 'pipeline' | 'started_at'> & Partial<RunRecord>;

/**
 * Adds a line for each. They go out in one write, so that the lines of two runs do not mix; of a write that was broken
 * off by a crash only the end is lost.
 */
export async function appendHistory(directory: string, records: readonly NewRecord[]): Promise<void> {
  const path = join(directory, NEWEST);
  const lines = records.map((record) => `${JSON.stringify(leanOf(record))}\n`).join('');
  await rotate(directory, Buffer.byteLength(lines));
  const file = await open(path, 'a+', 0o600);
  try {
    const text = (await isTorn(file)) ? `\n${lines}` : lines;
    await file.appendFile(text);
  } finally {
    await file.close();
  }
}

/** The renaming replaces the file before the last. Who has it open meanwhile writes on into the renamed one. */
async function rotate(directory: string, more: number): Promise<void> {
  const path = join(directory, NEWEST);
  if (!(await isFull(path, more))) return;
  // Another run may have done so since: what is small is new, and must not replace what was full.
  const aside = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  if (await isFull(aside, more)) return rename(aside, join(directory, OLDER));
  await appendFile(path, await readFile(aside), { mode: 0o600 });
  await rm(aside);
}

async function isFull(path: string, more: number): Promise<boolean> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  return size + more > ROTATE_AT && size > 0;
}

/** Whether the last line lacks its end. */
async function isTorn(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat();
  if (size === 0) return false;
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer.toString() !== '\n';
}

const USUAL = new Map<string, unknown>(
  Object.entries(runRecordSchema.parse({ run_id: '', pipeline: '', started_at: '' })),
);

/** What is not worth its room when nothing has happened. */
const DULL = new Set(['reason', 'rows_read', 'rows_unchanged', 'bytes', 'cursor_before', 'cursor_after']);

/** Hundreds of tables without news every few minutes: it is their lines that fill the file. */
function leanOf(record: NewRecord): object {
  const isQuiet =
    record.status === 'ok' &&
    (record.action === 'incremental' || record.action === 'append') &&
    !(record.rows_inserted || record.rows_updated || record.rows_deleted);
  const isLeftOut = (key: string, value: unknown) =>
    value === USUAL.get(key) || (Array.isArray(value) && value.length === 0) || (isQuiet && DULL.has(key));
  return Object.fromEntries(Object.entries(record).filter(([key, value]) => !isLeftOut(key, value)));
}

/** Oldest first, of one pipeline. What is torn or not ours is passed over. @throws what the file system says */
export async function readHistory(directory: string, pipeline: string): Promise<RunRecord[]> {
  const [older, newest] = await Promise.all([
    linesOf(join(directory, OLDER)),
    linesOf(join(directory, NEWEST)),
  ]);
  return [...older, ...newest].flatMap((line) => {
    const record = recordOf(line);
    return record?.pipeline === pipeline ? [record] : [];
  });
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
