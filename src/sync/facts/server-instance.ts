/** Whether one and the same server instance answers from the beginning of a table's sync to its end. */
import { IncrepError } from '../../errors.ts';
import { isSameInstance, serverInstanceSchema, type ServerInstance } from '../../schema/state-record.ts';
import type { CopyFacts } from './facts.ts';

export const instanceOf = ({ servers: { source } }: Pick<CopyFacts, 'servers'>): ServerInstance => ({
  systemIdentifier: source.systemIdentifier,
  timeline: source.timeline,
  startedAt: source.startedAt,
});

/**
 * After a reconnect the address may lead to another server: a restart, a failover, a proxy. Its transactions, and its rows,
 * are not those that the plan and the fence are about. `row` answers `serverLife`. @throws IncrepError SERVER_CHANGED
 */
export function ensureSameServer(planned: ServerInstance, row: unknown): void {
  if (isSameInstance(planned, serverInstanceSchema.parse(row))) return;
  throw new IncrepError('SERVER_CHANGED', {
    what: 'source: another server instance answers than a moment ago (a restart, a failover, or an address that leads to several servers)',
    next: 'Run increp again. If this happens at every run, set SOURCE_HOST to the address of one server.',
  });
}
