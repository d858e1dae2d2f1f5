/** Errors of the operating system and of Node in plain English. */

const FILE_FAULTS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENOENT: 'no such file or directory',
  ENOTDIR: 'a part of the path is not a directory',
  EISDIR: 'it is a directory, not a file',
  EEXIST: 'it already exists',
  ENOTEMPTY: 'the directory is not empty',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space is left on the disk',
  EDQUOT: 'the disk quota is used up',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'too many symbolic links',
  EXDEV: 'it is on another file system',
  EBUSY: 'it is in use',
  EIO: 'the disk reports an error',
};

/** These need no name of a host, so they are right for any connection. */
const NETWORK_FAULTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  EADDRINUSE: 'the port is in use',
  EADDRNOTAVAIL: 'this machine has no such address',
  ECONNRESET: 'the connection was closed by the other side',
  ECONNABORTED: 'the connection was closed by this machine',
  EPIPE: 'the connection was closed by the other side',
  ETIMEDOUT: 'no answer',
  EHOSTUNREACH: 'no route to the host',
  EHOSTDOWN: 'the host is down',
  ENETUNREACH: 'no route to the network',
  ENETDOWN: 'the network is down',
  ENOTFOUND: 'the name cannot be resolved',
  EAI_AGAIN: 'the name cannot be resolved at the moment',
  UND_ERR_CONNECT_TIMEOUT: 'no answer',
  UND_ERR_HEADERS_TIMEOUT: 'no answer',
  UND_ERR_BODY_TIMEOUT: 'no answer',
  UND_ERR_SOCKET: 'the connection was closed by the other side',
  ERR_STREAM_PREMATURE_CLOSE: 'the connection was closed by the other side',
  ERR_STREAM_DESTROYED: 'the connection was closed',
  EPROTO: 'the TLS handshake failed',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate is for another host',
  CERT_HAS_EXPIRED: 'the certificate has expired',
  CERT_NOT_YET_VALID: 'the certificate is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'the certificate is issued by an unknown authority',
  UNABLE_TO_GET_ISSUER_CERT: 'the certificate is issued by an unknown authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'the certificate is issued by an unknown authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the certificate is issued by an unknown authority',
};

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Why a file or directory cannot be used. An unknown error keeps its own message. */
export const fileFault = (error: unknown): string => FILE_FAULTS[codeOf(error)] ?? messageOf(error);

/** Why a connection failed. The message of the error may contain a secret, so it is not used. */
export function networkFault(error: unknown): string | undefined {
  const code = codeOf(error);
  return NETWORK_FAULTS[code] ?? (/^ERR_(TLS|SSL|OSSL)/.test(code) ? NETWORK_FAULTS['EPROTO'] : undefined);
}

interface SystemError extends Error {
  readonly code?: unknown;
  readonly address?: unknown;
  readonly port?: unknown;
  readonly hostname?: unknown;
}

/** Why no connection to a server came about, with the address that was tried. Undefined for any other error. */
export function connectFault(error: SystemError): string | undefined {
  const { address, port, hostname } = error;
  const fault = networkFault(error);
  if (typeof hostname === 'string' && fault !== undefined)
    return fault.replace('the name', `the name ${hostname}`);
  if (typeof address !== 'string') return fault;
  if (address.startsWith('/')) return socketFault(codeOf(error), address);
  const place = `${address.includes(':') ? `[${address}]` : address}:${String(port)}`;
  if (fault === 'connection refused') return `${fault}: nothing listens on ${place}`;
  return fault && `${fault} (${place})`;
}

function socketFault(code: string, path: string): string | undefined {
  if (code === 'ENOENT') return `the socket ${path} does not exist`;
  if (code === 'ECONNREFUSED') return `connection refused: no server listens on the socket ${path}`;
  const fault = FILE_FAULTS[code] ?? NETWORK_FAULTS[code];
  return fault && `${fault}: the socket ${path}`;
}

/** Whether it is a file system error with one of these codes. */
export const hasCode = (error: unknown, ...codes: readonly string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code));
