/** One run per table at a time, by a lock that ends with its transaction, so that a dead holder leaves nothing. */
import type pg from 'pg';
import { z } from 'zod';
import { IncrepError } from '../errors.ts';
import { sleep } from '../retry.ts';
import { printName } from '../schema/names.ts';
import { lockHolder, readGeneration, tryLock } from '../sql/state.ts';
import type { TableFacts } from './facts.ts';

const POLL_SECONDS = 0.5;
/** A killed run's backend lives on until it notices, at most a second later: nobody is sent away because of it. */
const DYING_HOLDER_SECONDS = 2;

export interface Patience {
  /** How long to wait for a holder that is alive. */
  readonly waitSeconds: number;
  readonly signal: AbortSignal | undefined;
}

/** @throws IncrepError RUN_LOCKED */
export async function lockTable(
  client: pg.ClientBase,
  { destinationName }: Pick<TableFacts, 'destinationName'>,
  patience: Patience,
): Promise<void> {
  const deadline = performance.now() + Math.max(patience.waitSeconds, DYING_HOLDER_SECONDS) * 1000;
  for (;;) {
    const { rows } = await client.query<{ taken: boolean }>(tryLock(destinationName));
    if (rows[0]?.taken === true) return;
    if (performance.now() >= deadline) throw await lockedBy(client, destinationName);
    await sleep(POLL_SECONDS, patience.signal);
  }
}

const holderRow = z.object({
  pid: z.number().nullable(),
  application: z.string().nullable(),
  host: z.string().nullable(),
  since: z.date().nullable(),
});

async function lockedBy(client: pg.ClientBase, table: TableFacts['destinationName']): Promise<IncrepError> {
  const holder = holderRow.optional().parse((await client.query(lockHolder(table))).rows[0]);
  return new IncrepError('RUN_LOCKED', {
    what: `${printName(table)} is being synced by another run${holder ? `: ${describe(holder)}` : ''}`,
    next: 'Wait for it, or run with --wait-lock 5m. If it hangs, end it: its lock goes with it.',
  });
}

const describe = ({ pid, application, host, since }: z.infer<typeof holderRow>): string =>
  [
    application ?? 'an unknown program',
    ...(host === null ? [] : [`from ${host}`]),
    ...(since === null ? [] : [`since ${since.toISOString()}`]),
    `(backend ${pid ?? 'unknown'} of the destination)`,
  ].join(' ');

/** Facts are gathered before the lock is taken; another run may have committed in between. @throws IncrepError */
export async function ensureUnmoved(
  client: pg.ClientBase,
  { destinationName, saved }: TableFacts,
): Promise<void> {
  const { rows } = await client.query<{ generation: string }>(readGeneration(destinationName.schema), [
    destinationName.table,
  ]);
  const [now, planned] = [
    rows[0]?.generation,
    saved.kind === 'record' ? String(saved.record.generation) : undefined,
  ];
  // A row that is missing while the file serves is as it was planned.
  if (now === undefined || now === planned) return;
  throw new IncrepError('SHAPE_MOVED', {
    what: `${printName(destinationName)} was synced by another run in the meantime`,
    next: 'increp plans the table anew by itself.',
  });
}
