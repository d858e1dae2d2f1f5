/** The addresses of one server, which are tried one after the other. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { ServerAddress } from '../config/settings.ts';

interface LookupLimit {
  /** 0 means no limit. */
  readonly seconds: number;
  readonly signal: AbortSignal | undefined;
}

/** [undefined] for a socket. A failed or late lookup is an error of the system, with the name. */
export async function addressesOf(
  { host, hostAddress }: Pick<ServerAddress, 'host' | 'hostAddress'>,
  { seconds, signal }: LookupLimit,
): Promise<readonly (string | undefined)[]> {
  if (hostAddress !== undefined) return [hostAddress];
  if (host.startsWith('/')) return [undefined];
  if (isIP(host) !== 0) return [host];
  const { promise: end, reject } = Promise.withResolvers<never>();
  const late = Object.assign(new Error('no answer'), { code: 'EAI_AGAIN', hostname: host });
  const timer = seconds > 0 ? setTimeout(() => reject(late), seconds * 1000) : undefined;
  const stop = () => reject(signal?.reason as Error);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    // In the order of the system, as in libpq.
    const found = await Promise.race([lookup(host, { all: true, order: 'verbatim' }), end]);
    return found.map(({ address }) => address);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
}
