/** One run per table at a time. The advisory lock ends with its transaction, so a dead run leaves no lock behind. */
import type pg from 'pg';
import * as z from 'zod';
import { hostname } from 'node:os';
import { IncrepError } from '../../errors.ts';
import { hasNoProcess } from '../../process-here.ts';
import { sleep } from '../../backoff.ts';
import { formatSeconds } from '../../format.ts';
import type { Transaction } from '../../postgres/database.ts';
import { printName } from '../../schema/names.ts';
import { endLostHolder, lockHolder, readGeneration, tryLock } from '../../sql/state.ts';
import type { Timing } from '../../timing.ts';
import type { TableFacts } from '../facts/facts.ts';
import { generationOf } from '../facts/saved-state.ts';

export interface LockWait {
  readonly timing: Pick<Timing, 'tableLockPoll' | 'tableLockGrace'>;
  /** How long to wait for another run. */
  readonly waitSeconds: number;
  /** The limit of all waits. It also limits the grace for a holder that is about to end. */
  readonly atMostSeconds?: number;
  readonly signal: AbortSignal | undefined;
  /** When the run started (a time of `performance.now`). Other runs can read it as long as the lock is held. */
  readonly startedAt: number;
  /** The programs of earlier runs that were lost, such as a frozen worker. Their sessions must not hold the table any more. */
  readonly lostPrograms?: readonly string[] | undefined;
  /** Called once, if there is a wait, with a description of the other run. */
  readonly onWait?: (holder: string) => Promise<void>;
}

/** Statements for the message with BEGIN. They take the lock and read whether the facts still hold. */
export const lockingStatements = (
  { stateName }: Pick<TableFacts, 'stateName'>,
  { startedAt }: Pick<LockWait, 'startedAt'>,
): string[] => [tryLock(stateName, secondsSince(startedAt)), readGeneration(stateName)];

const secondsSince = (startedAt: number): number => (performance.now() - startedAt) / 1000;

/**
 * Continues with the answers to the locking statements, which began the transaction. Returns false if another run had the
 * lock: then other answers that came with them are outdated. Meanwhile the transaction locks nothing that the other run may
 * need, such as the staging table. @throws IncrepError RUN_LOCKED, SCHEMA_CHANGED
 */
export async function holdTable(
  client: pg.ClientBase,
  facts: TableFacts,
  { answers: [lock, state], restart }: Pick<Transaction, 'answers' | 'restart'>,
  lockWait: LockWait,
): Promise<boolean> {
  if (lock && state && isTaken(lock)) {
    ensureUnmoved(facts, state);
    return true;
  }
  await restart();
  await lockTable(client, facts, lockWait);
  ensureUnmoved(facts, await client.query(readGeneration(facts.stateName)));
  return false;
}

const isTaken = ({ rows }: pg.QueryResult): boolean => z.object({ taken: z.boolean() }).parse(rows[0]).taken;

type LockedTable = Pick<TableFacts, 'stateName'> & Partial<Pick<TableFacts, 'stagingName'>>;

/** @throws IncrepError RUN_LOCKED */
export async function lockTable(
  client: pg.ClientBase,
  { stateName, stagingName }: LockedTable,
  lockWait: LockWait,
): Promise<void> {
  const { waitSeconds, atMostSeconds = Infinity, timing, lostPrograms = [] } = lockWait;
  const wait = Math.min(Math.max(waitSeconds, timing.tableLockGrace), atMostSeconds);
  const deadline = performance.now() + wait * 1000;
  for (let isReported = false; ; isReported = true) {
    if (isTaken(await client.query(tryLock(stateName, secondsSince(lockWait.startedAt))))) return;
    if (lostPrograms.length > 0) await client.query(endLostHolder(stateName, stagingName, lostPrograms));
    if (performance.now() >= deadline) throw lockedBy(stateName, await holderOf(client, stateName));
    if (!isReported) await lockWait.onWait?.(await otherRun(client, stateName));
    await sleep(Math.min(timing.tableLockPoll, (deadline - performance.now()) / 1000), lockWait.signal);
  }
}

const blockerRow = z.object({
  pid: z.number(),
  application: z.string().nullable(),
  user: z.string().nullable(),
});

/** The session of a run. */
export const runSession = z.object({
  pid: z.number().nullable(),
  application: z.string().nullable(),
  host: z.string().nullable(),
  /** Since its transaction began. Each attempt of a run begins one. */
  seconds: z.number().nullable(),
  /** Since the run started. Null for other programs. */
  runSeconds: z.number().nullable(),
  /** A session that its session waits for. */
  blocker: blockerRow.nullable(),
});
type RunSession = Readonly<z.infer<typeof runSession>>;

const holderRow = runSession.extend({
  /** Its commit waits for the confirmation of a synchronous standby. */
  waitsForStandby: z.boolean(),
});

interface NamedHolder extends Readonly<z.infer<typeof holderRow>> {
  readonly text: string;
  /** How to end the run. */
  readonly end: string;
}

/** Undefined if the other run has just ended. */
async function holderOf(
  client: pg.ClientBase,
  table: TableFacts['stateName'],
): Promise<NamedHolder | undefined> {
  const holder = holderRow.optional().parse((await client.query(lockHolder(table))).rows[0]);
  return holder && { ...describeRun(holder), ...holder };
}

const lockedBy = (table: TableFacts['stateName'], holder: NamedHolder | undefined): IncrepError =>
  holder?.waitsForStandby === true ? lockedByCommit(table, holder) : lockedByRun(table, holder);

/** Ending that backend would not help: its commit is already durable and only waits for a standby. */
const lockedByCommit = (table: TableFacts['stateName'], { text }: NamedHolder): IncrepError =>
  new IncrepError('RUN_LOCKED', {
    what: `the last sync of ${printName(table)} cannot end: its commit waits for a synchronous standby of the destination: ${text}`,
    next: 'Start that standby, or remove it from synchronous_standby_names at the destination. Then run there: SELECT pg_reload_conf()',
  });

/** Seconds. */
const NEW_RUN = 60;

/** Ending a run that waits for another session would not help. */
function lockedByRun(table: TableFacts['stateName'], holder: NamedHolder | undefined): IncrepError {
  const { text, end = '', seconds = null, runSeconds = null, blocker } = holder ?? {};
  const what = `${printName(table)} is being synced by another run${text === undefined ? '' : `: ${text}`}`;
  if (blocker)
    return new IncrepError('RUN_LOCKED', {
      what,
      next: `Wait for pid ${blocker.pid}; a sync with --wait-lock 5m does so. Or end that session; run at the destination: SELECT pg_terminate_backend(${blocker.pid})`,
    });
  const wait = 'Wait for that run; a sync with --wait-lock 5m does so.';
  // A run that has just begun does not hang.
  const age = runSeconds ?? seconds;
  const isNew = age !== null && age < NEW_RUN;
  return new IncrepError('RUN_LOCKED', {
    what,
    next: isNew ? wait : `${wait} If that run hangs, end it${end}.`,
  });
}

function describeBlocker({ pid, application, user }: z.infer<typeof blockerRow>): string {
  const who = [...(application ? [`(${application})`] : []), ...(user === null ? [] : [`of ${user}`])];
  return ['; that run waits for a lock of', `pid ${pid}`, ...who, 'at the destination'].join(' ');
}

async function otherRun(client: pg.ClientBase, table: TableFacts['stateName']): Promise<string> {
  const holder = await holderOf(client, table);
  return `another run${holder ? `: ${holder.text}` : ''}`;
}

/** Describes the process if the session belongs to increp (`programName`): a run whose backend is terminated connects again. */
export function describeRun({
  pid,
  application,
  host,
  seconds,
  runSeconds,
  blocker,
}: RunSession): Pick<NamedHolder, 'text' | 'end'> {
  const [, pipeline, process, machine] = /^increp (.+) (\d+)@(\S+)/.exec(application ?? '') ?? [];
  const isGone = machine === hostname() && hasNoProcess(Number(process));
  const age =
    runSeconds !== null
      ? [`started ${formatSeconds(runSeconds)} ago`]
      : seconds !== null
        ? [`in its transaction for ${formatSeconds(seconds)}`]
        : [];
  const waits = blocker ? describeBlocker(blocker) : '';
  const details = `${[...age, `backend ${pid ?? 'unknown'} of the destination`].join(', ')}${waits}`;
  const terminate = pid === null ? '' : `run at the destination: SELECT pg_terminate_backend(${pid})`;
  const terminateOnly = terminate === '' ? '' : `; ${terminate}`;
  if (pipeline === undefined)
    return {
      text: `${application ?? 'an unknown program'}${host === null ? '' : ` from ${host}`}, ${details}`,
      end: terminateOnly,
    };
  return {
    text: isGone
      ? `process ${process} on host ${machine} (pipeline ${pipeline}) has ended; its work still ends or rolls back, ${details}`
      : `process ${process} on host ${machine} (pipeline ${pipeline}), ${details}`,
    end: isGone
      ? terminateOnly
      : `: kill ${process} on host ${machine}${terminate === '' ? '' : `. If that process is gone, ${terminate}`}`,
  };
}

/** Another run may have committed after the facts were gathered and before the lock. @throws IncrepError */
function ensureUnmoved({ destinationName, saved }: TableFacts, { rows }: pg.QueryResult): void {
  const state = z.object({ generation: z.string(), isReset: z.boolean() }).optional().parse(rows[0]);
  // Without a row the plan used the state file, and that still holds: a reset would have left a row.
  if (state === undefined) return;
  if (state.generation === String(generationOf(saved)) && state.isReset === (saved.kind === 'none')) return;
  throw new IncrepError('SCHEMA_CHANGED', {
    what: `${printName(destinationName)} was synced by another run, or reset, in the meantime`,
    next: 'Run increp again.',
  });
}
