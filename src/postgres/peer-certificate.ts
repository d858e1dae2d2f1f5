/** Reads the certificate of a server, for an error that explains what is wrong with it. Nothing else is sent. */
import { once } from 'node:events';
import { connect as connectSocket, isIP } from 'node:net';
import { connect as connectTls, type PeerCertificate } from 'node:tls';

/** Length 8, and the number that requests TLS: docs "55.2.10. SSL Session Encryption". */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
const TIMEOUT_MS = 5000;

/** Undefined if the server shows none. */
export async function peerCertificate(
  host: string,
  port: number,
  {
    hostAddress = host,
    socketPath,
  }: { hostAddress?: string | undefined; socketPath?: string | undefined } = {},
): Promise<PeerCertificate | undefined> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const socket = connectSocket(socketPath === undefined ? { host: hostAddress, port } : { path: socketPath });
  try {
    await once(socket, 'connect', { signal });
    socket.write(SSL_REQUEST);
    const [answer] = (await once(socket, 'data', { signal })) as [Buffer];
    if (answer.toString() !== 'S') return undefined;
    // The certificate is only read. The connection is not used.
    const encrypted = connectTls({
      socket,
      rejectUnauthorized: false,
      ...(isIP(host) === 0 && { servername: host }),
    });
    encrypted.on('error', () => undefined);
    await once(encrypted, 'secureConnect', { signal });
    const certificate = encrypted.getPeerCertificate();
    encrypted.destroy();
    return certificate;
  } catch {
    return undefined;
  } finally {
    socket.destroy();
  }
}
