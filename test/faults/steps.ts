/** The steps of a sync, as the two servers hear of them: a fault is put in front of each. */
import type { Side } from '../support/pair.ts';
import type { Trigger } from '../support/proxy.ts';

export const JOBS = ['first load by copy', 'first load by pg_dump', 'swap', 'incremental'] as const;
export type Job = (typeof JOBS)[number];

export interface Step {
  readonly side: Side;
  readonly phase: string;
  /** What is on the wire when the step begins. */
  readonly trigger: Omit<Trigger, 'fault'>;
  readonly jobs: readonly Job[];
  /** The middle of a statement, so that the backend can be cancelled there. */
  readonly isStreaming?: true;
}

const FIRST: readonly Job[] = ['first load by copy', 'first load by pg_dump'];
const LOADS: readonly Job[] = [...FIRST, 'swap'];
const BYTES = 400_000;

/** Fires when increp sends this text, if told only after another one. */
export const sent = (seen: string, after?: string): Step['trigger'] => ({
  from: 'client',
  seen,
  ...(after !== undefined && { after }),
});

export const STEPS: readonly Step[] = [
  { side: 'source', phase: 'connect', trigger: { from: 'client', afterBytes: 0 }, jobs: JOBS },
  { side: 'source', phase: 'facts', trigger: sent('pg_postmaster_start_time'), jobs: JOBS },
  { side: 'source', phase: 'fence', trigger: sent('pg_snapshot_xmin'), jobs: JOBS },
  { side: 'source', phase: 'snapshot', trigger: sent('REPEATABLE READ'), jobs: JOBS },
  {
    side: 'source',
    phase: 'copy',
    // Not in what pg_dump reads of the catalogs, which is long too.
    trigger: { from: 'server', afterBytes: BYTES, after: 'note note' },
    jobs: JOBS,
    isStreaming: true,
  },
  { side: 'source', phase: 'deletes', trigger: sent('AS digest'), jobs: ['incremental'] },
  { side: 'source', phase: 'letting go', trigger: sent('COMMIT', 'REPEATABLE READ'), jobs: JOBS },
  { side: 'destination', phase: 'connect', trigger: { from: 'client', afterBytes: 0 }, jobs: JOBS },
  { side: 'destination', phase: 'facts', trigger: sent('pg_postmaster_start_time'), jobs: JOBS },
  { side: 'destination', phase: 'own tables', trigger: sent('CREATE TABLE IF NOT EXISTS'), jobs: FIRST },
  { side: 'destination', phase: 'lock', trigger: sent('pg_try_advisory_xact_lock'), jobs: JOBS },
  { side: 'destination', phase: 'rehearsal', trigger: sent('SAVEPOINT increp_rehearsal'), jobs: ['swap'] },
  { side: 'destination', phase: 'staging', trigger: sent('TABLE "public"."orders_stg"'), jobs: LOADS },
  {
    side: 'destination',
    phase: 'copy',
    trigger: { from: 'client', afterBytes: BYTES },
    jobs: JOBS,
    isStreaming: true,
  },
  { side: 'destination', phase: 'index', trigger: sent('ADD CONSTRAINT', 'FROM STDIN'), jobs: LOADS },
  { side: 'destination', phase: 'swap', trigger: sent('RENAME TO', 'FROM STDIN'), jobs: LOADS },
  {
    side: 'destination',
    phase: 'merge',
    trigger: sent('ONLY "public"."orders" t'),
    jobs: ['incremental'],
  },
  { side: 'destination', phase: 'deletes', trigger: sent('AS digest'), jobs: ['incremental'] },
  { side: 'destination', phase: 'commit', trigger: sent('_increp_state" AS state'), jobs: JOBS },
  { side: 'destination', phase: 'history', trigger: sent('INSERT INTO "public"."_increp_runs"'), jobs: JOBS },
];

/** A step of a single session. */
export type LoneStep = Omit<Step, 'jobs'>;
