/** A connection that is gone, because its server is: a failover. */
import { setTimeout as sleep } from 'node:timers/promises';

/** The driver's own errors have no SQLSTATE; the others are of a server that ends or begins. */
export function isLost(error: unknown): boolean {
  const { code, message = '' } = error as { readonly code?: unknown; readonly message?: string };
  return (
    ['57P01', '57P02', '57P03', 'ECONNRESET', 'ECONNREFUSED', 'EPIPE'].includes(String(code)) ||
    (code === undefined && /^(Connection terminated|Client has encountered|Client was closed)/.test(message))
  );
}

/** Again, with a new connection, for as long as a failover takes. */
export async function evenIfLost<T>(work: () => Promise<T>, seconds = 20): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isLost(error) || performance.now() > deadline) throw error;
      await sleep(200);
    }
  }
}
