/** Which names lead to this service, and which requests come from its own pages. Pure. */

export interface OwnAddress {
  /** Whether the name of a Host header, without a port, belongs to this service. */
  readonly isOwnName: (name: string) => boolean;
  /** The scheme that browsers see. */
  readonly scheme: 'http' | 'https';
  /** Behind a proxy, which may change the Host header: the origin that browsers see. */
  readonly origin: string | undefined;
}

export const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|::1|localhost)$/;

/** A page of another site could lead its own name to this address. */
export const nameOf = (host = ''): string => host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');

interface RequestOrigin {
  readonly method: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** The header Sec-Fetch-Site. */
  readonly site: string | undefined;
}

const SAFE = ['GET', 'HEAD', 'OPTIONS'];
export const isSafe = (method: string): boolean => SAFE.includes(method);

/**
 * False for a request that a page of another site makes with the cookie of the user. Browsers send both headers with each
 * unsafe request, so a request without them comes from no browser, and has no reason to use a cookie.
 */
export function isOwnRequest(
  { method, host, origin, site }: RequestOrigin,
  { scheme, origin: own = `${scheme}://${host}` }: Pick<OwnAddress, 'scheme' | 'origin'>,
): boolean {
  if (isSafe(method)) return true;
  if (site !== undefined && site !== 'same-origin') return false;
  if (origin !== undefined) return origin === own;
  return site === 'same-origin';
}
