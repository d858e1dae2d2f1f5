/** `sync-state/running.RUN.json` exists while a run is active. If the run is killed, the file completes the history. */
import { readlinkSync } from 'node:fs';
import { readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import type { Action, Listener, Phase, RunEvent } from '../events.ts';
import { giveToOwner, makeDirectory } from '../ownership.ts';
import { hasNoProcess } from '../process-here.ts';
import { phaseText } from '../report/phase-words.ts';
import { runRecordSchema, type RunRecord } from '../schema/run-record.ts';
import { appendHistory, readHistory, type NewRecord } from './history-file.ts';

/** No table's state has this name: a full stop in a table's name is encoded. */
export const RUNNING_FILE = /^running\.[\da-f-]{36}\.json$/;

/** A run writes its file this often, or at least sets its time, so that a killed run has a duration. */
const SIGN_OF_LIFE_MS = 1000;
/** A table that begins is written at once, if the file is older. */
const RECENT_MS = 100;
/** Without a sign of life for so long, a run on another machine counts as killed. */
const SILENT_MS = 600_000;

const activeTable = {
  table: z.string().nullable(),
  table_started_at: z.string().nullable().default(null),
  action: z.string(),
  phase: z.string().nullable(),
  /** Read in the committed chunks of a load. */
  rows_read: z.number().default(0),
  bytes: z.number().default(0),
};

const runningSchema = z.object({
  run_id: z.string(),
  pipeline: z.string(),
  started_at: z.string(),
  process: z.number(),
  host: z.string(),
  /** The namespace of the process ID: containers may share a host name. */
  namespace: z.string(),
  ...activeTable,
  /** The command of the run, if a sync without its flags does less. */
  repeat_command: z.string().nullable().default(null),
  /** Destination tables without changes. Their shared record is written at the end of the run. */
  quiet: z.array(z.string()).default([]),
  /** Destination tables that the run has not started yet. */
  waiting: z.array(z.string()).default([]),
  /** What the other jobs of the run sync at the same time. */
  others: z.array(z.object(activeTable)).default([]),
});
type RunningRun = Readonly<z.infer<typeof runningSchema>>;
type ActiveTable = Pick<RunningRun, keyof typeof activeTable>;
type ActiveRun = Omit<RunningRun, keyof typeof activeTable | 'quiet' | 'waiting' | 'others'>;

interface MarkOptions {
  /** The state directory. */
  readonly directory: string;
  readonly destinationNameOf: (table: string) => string;
}

/** Keeps the file of a run, and moves the files of killed runs to the history. Dispose it at the end of the run. */
export function markRunning({ directory, destinationNameOf }: MarkOptions): AsyncDisposable & {
  readonly listener: Listener;
} {
  let running: ActiveRun | undefined;
  let isChanged = true;
  let writtenAt = 0;
  let timer: NodeJS.Timeout | undefined;
  let writing = Promise.resolve();
  const pathOf = ({ run_id }: ActiveRun) => join(directory, `running.${run_id}.json`);
  // The file is not part of the sync. If it cannot be written, only the history lacks a killed run.
  const write = async () => {
    if (!running) return;
    const path = pathOf(running);
    isChanged = false;
    writtenAt = performance.now();
    const [first = BETWEEN_TABLES, ...others] = active.values();
    const content: RunningRun = { ...running, ...first, quiet, waiting: [...waiting], others };
    await writeFile(path, JSON.stringify(content), { mode: 0o600 })
      .then(() => giveToOwner(path))
      .catch(() => undefined);
  };
  const touch = async () => {
    const now = new Date();
    if (running) await utimes(pathOf(running), now, now).catch(() => undefined);
  };
  const quiet: string[] = [];
  const waiting = new Set<string>();
  /** The tables that are being synced, by their names. Without jobs, there is one at most. */
  const active = new Map<string, ActiveTable>();
  let hasJobs = false;
  const begin = (table: string, action: Action) => {
    waiting.delete(table);
    const before = active.get(table) ?? { ...BETWEEN_TABLES, table_started_at: new Date().toISOString() };
    if (!hasJobs) active.clear();
    active.set(table, { ...before, table, action, phase: null });
    isChanged = true;
    if (performance.now() - writtenAt > RECENT_MS) writing = writing.then(write);
  };
  const enter = (table: string, phase: Phase, read: ChunksRead) => {
    const [only = BETWEEN_TABLES] = active.values();
    const now = hasJobs ? active.get(table) : only;
    if (now) active.set(now.table ?? '', { ...now, phase, ...read });
    isChanged = true;
  };
  const end = (table: string) => {
    waiting.delete(table);
    if (hasJobs) active.delete(table);
    else active.clear();
    isChanged = true;
  };
  return {
    listener: async (event) => {
      if (event.type === 'run-started') {
        await recordKilled(directory).catch(() => undefined);
        running = { ...runOf(event), ...thisProcess() };
        hasJobs = event.jobs !== undefined;
        for (const table of event.tables) waiting.add(destinationNameOf(table));
        // The first run creates the directory.
        await makeDirectory(directory).catch(() => undefined);
        await write();
        timer = setInterval(() => {
          writing = writing.then(isChanged ? write : touch);
        }, SIGN_OF_LIFE_MS).unref();
      }
      if (event.type === 'table-planned') begin(destinationNameOf(event.table), event.action);
      if (event.type === 'phase-started') enter(destinationNameOf(event.table), event.phase, readIn(event));
      if (event.type === 'table-held') end(destinationNameOf(event.table));
      if (event.type === 'table-finished') {
        const table = destinationNameOf(event.outcome.name);
        if (event.outcome.isQuiet) quiet.push(table);
        end(table);
      }
    },
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      await writing;
      if (running) await rm(pathOf(running), { force: true }).catch(() => undefined);
    },
  };
}

const BETWEEN_TABLES: ActiveTable = {
  table: null,
  table_started_at: null,
  action: 'skipped',
  phase: null,
  rows_read: 0,
  bytes: 0,
};

type ChunksRead = Partial<Pick<ActiveTable, 'rows_read' | 'bytes'>>;

const readIn = ({ chunks }: Extract<RunEvent, { type: 'phase-started' }>): ChunksRead =>
  chunks ? { rows_read: chunks.rowsRead ?? 0, bytes: chunks.bytes ?? 0 } : {};

const runOf = (event: Extract<RunEvent, { type: 'run-started' }>) => ({
  run_id: event.runId,
  pipeline: event.pipeline,
  started_at: event.startedAt.toISOString(),
  repeat_command: event.repeatCommand ?? null,
});

const thisProcess = () => ({ process: process.pid, host: hostname(), namespace: namespaceHere() });

function namespaceHere(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

interface UnfinishedRuns {
  /** The records of runs of this pipeline that were killed and are not in the history yet. */
  readonly killed: readonly RunRecord[];
  /** The IDs of the runs that have not ended. */
  readonly active: ReadonlySet<string>;
}

export async function unfinishedRuns(directory: string, pipeline: string): Promise<UnfinishedRuns> {
  const { killed, active } = await readRunning(directory);
  return {
    killed: killed
      .flatMap(({ records }) => records.map((record) => runRecordSchema.parse(record)))
      .filter((record) => record.pipeline === pipeline),
    active,
  };
}

async function recordKilled(directory: string): Promise<void> {
  for (const { path, records } of (await readRunning(directory)).killed) {
    // Of several runs that find the file, one can remove it.
    await rm(path);
    await appendHistory(directory, records);
  }
}

interface KilledRun {
  readonly path: string;
  readonly records: readonly NewRecord[];
}

async function readRunning(
  directory: string,
): Promise<{ readonly killed: readonly KilledRun[]; readonly active: ReadonlySet<string> }> {
  const names = (await readdir(directory).catch(() => [])).filter((name) => RUNNING_FILE.test(name));
  const found = await Promise.all(
    names.map(async (name) => ({ name, killed: await readKilled(join(directory, name)) })),
  );
  return {
    killed: found.flatMap(({ killed }) => killed ?? []),
    active: new Set(
      found.flatMap(({ name, killed }) => (killed ? [] : [name.slice('running.'.length, -'.json'.length)])),
    ),
  };
}

/** Undefined if the run is active, or if the file is gone or incomplete. */
async function readKilled(path: string): Promise<KilledRun | undefined> {
  try {
    const { mtimeMs } = await stat(path);
    const running = runningSchema.parse(JSON.parse(await readFile(path, 'utf8')));
    const isSilent = Date.now() - mtimeMs > SILENT_MS;
    if (!isSilent && !hasEnded(running)) return undefined;
    return { path, records: recordsOf(await upToDate(running, dirname(path)), mtimeMs) };
  } catch {
    return undefined;
  }
}

/** The file may be a second old. Tables that finished meanwhile have records in the history. */
async function upToDate(running: RunningRun, directory: string): Promise<RunningRun> {
  const records = await readHistory(directory, running.pipeline).catch(() => []);
  const hasFinished = new Set(
    records.filter(({ run_id }) => run_id === running.run_id).map(({ table_name }) => table_name),
  );
  const [first = BETWEEN_TABLES, ...others] = [running, ...running.others].filter(
    ({ table }) => !hasFinished.has(table),
  );
  const { table, table_started_at, action, phase, rows_read, bytes } = first;
  return {
    ...running,
    ...{ table, table_started_at, action, phase, rows_read, bytes, others },
    waiting: running.waiting.filter((name) => !hasFinished.has(name)),
  };
}

/** Only the process IDs of this machine can be checked. */
function hasEnded({ process: id, host, namespace }: RunningRun): boolean {
  const here = thisProcess();
  return host === here.host && namespace === here.namespace && hasNoProcess(id);
}

/** What the run itself could not write: the tables without changes, what it was syncing, and its end. */
function recordsOf(running: RunningRun, lastSign: number): NewRecord[] {
  const { run_id, pipeline, started_at, quiet, waiting, others } = running;
  return [
    ...(quiet.length > 0 ? [{ run_id, pipeline, started_at, table_name: null, tables: quiet }] : []),
    ...others.map((other) => ({ ...killedRecord(running, other, lastSign), tables: [] })),
    { ...killedRecord(running, running, lastSign), tables: waiting },
  ];
}

function killedRecord(running: RunningRun, active: ActiveTable, lastSign: number): NewRecord {
  const { run_id, pipeline, started_at } = running;
  const { table, table_started_at, action, phase, rows_read, bytes } = active;
  const work = LOADS.includes(action) ? 'load' : 'sync';
  const place =
    table === null ? '' : ` during the ${work} of ${table}${phase === null ? '' : ` (${phaseText(phase)})`}`;
  const startedAt = table_started_at ?? started_at;
  return {
    ...{ run_id, pipeline, started_at: startedAt, table_name: table, action, rows_read, bytes },
    status: 'failed',
    duration_s: Math.max(0, (lastSign - Date.parse(startedAt)) / 1000),
    error_code: 'INTERRUPTED',
    error_message: `process ${running.process} on host ${running.host} ended without a report${place}: it was killed, or stopped by a second Ctrl-C`,
    error_hint: `Work that was not committed was rolled back. ${continuation(running, action)} If it happens again, look for "out of memory" in the log of that machine.`,
    was_killed: true,
  };
}

const LOADS: readonly string[] = ['initial', 'reset', 'full-refresh'] satisfies Action[];

function continuation({ repeat_command: command }: RunningRun, action: string): string {
  const isLoad = LOADS.includes(action);
  if (command !== null)
    return `${isLoad ? `A load in chunks continues after the last complete chunk${action === 'full-refresh' ? ', unless a sync without --full-refresh discards it before' : ''}. ` : ''}Run again: "${command}".`;
  return isLoad
    ? 'The next "increp sync" starts the load again, or continues after the last complete chunk.'
    : 'The next "increp sync" continues from there.';
}
