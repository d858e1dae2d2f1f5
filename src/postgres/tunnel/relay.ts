/**
 * A loopback port in front of the socket of a tunnel, for pg_dump: libpq uses no TLS on a socket, and would not verify the
 * name of the server. increp holds the port, so no other program can take it while the tunnel is opened again.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

interface Relay {
  readonly port: number;
  /** Accepts no more connections. */
  readonly stopListening: () => void;
}

export async function withRelay<T>(path: string, use: (relay: Relay) => Promise<T>): Promise<T> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const far = connect({ path });
    for (const [one, other] of [
      [client, far],
      [far, client],
    ] as const) {
      sockets.add(one);
      one.once('close', () => sockets.delete(one));
      one.on('error', () => other.destroy());
      one.pipe(other);
    }
  });
  server.listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    return await use({ port, stopListening: () => void server.close() });
  } finally {
    server.close();
    sockets.forEach((socket) => socket.destroy());
  }
}
