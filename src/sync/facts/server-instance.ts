/** Ensures that one server instance answers during the whole sync of a table. */
import { IncrepError } from '../../errors.ts';
import { isSameInstance, serverInstanceSchema, type ServerInstance } from '../../schema/state-record.ts';
import type { CopyFacts } from './facts.ts';

export const instanceOf = ({ servers: { source } }: Pick<CopyFacts, 'servers'>): ServerInstance => ({
  systemIdentifier: source.systemIdentifier,
  timeline: source.timeline,
  startedAt: source.startedAt,
});

/**
 * After a reconnect the address may lead to another server instance: after a restart or a failover, or behind a proxy.
 * The plan and the fence do not hold for its transactions and rows.
 * @param row the answer to `serverInstance`
 * @throws IncrepError SERVER_CHANGED
 */
export function ensureSameServer(planned: ServerInstance, row: unknown): void {
  if (isSameInstance(planned, serverInstanceSchema.parse(row))) return;
  throw new IncrepError('SERVER_CHANGED', {
    what: 'source: another server instance answers than at the start of the sync (a restart, a failover, or an address of several servers)',
    next: 'Run increp again. If this happens at every run, set SOURCE_HOST (or the host in SOURCE_URL) to the address of one server.',
  });
}
