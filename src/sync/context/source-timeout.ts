/** Queries the source within a short time, because `status` must answer quickly. */
import { IncrepError } from '../../errors.ts';
import { Database } from '../../postgres/database.ts';
import type { RunContext } from './run-context.ts';

/**
 * `renew` starts the time again, after the source has answered. @throws IncrepError CONNECTION_FAILED after that time, or
 * the error of `use`
 */
export async function withSourceTimeout<T>(
  context: RunContext,
  use: (source: Database, renew: () => void) => Promise<T>,
): Promise<T> {
  const { settings, timing } = context;
  const tooLate = new AbortController();
  const timer = setTimeout(() => tooLate.abort(slow(context)), timing.statusSourceTimeout * 1000);
  const signal = AbortSignal.any([tooLate.signal, ...(context.signal ? [context.signal] : [])]);
  await using source = new Database(settings.source, {
    ...settings,
    tunnels: context.source.tunnels,
    signal,
    timing,
  });
  try {
    return await use(source, () => void timer.refresh());
  } finally {
    clearTimeout(timer);
  }
}

const slow = ({ source, timing }: RunContext): IncrepError =>
  new IncrepError('CONNECTION_FAILED', {
    what: `source ${source.endpoint.address} did not answer within ${timing.statusSourceTimeout} s`,
    next: 'To skip the source, use --no-source.',
  });
