/** A distance between increp and a server: every piece of data arrives later, and round trips are counted. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface LatencyProxy extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** How often a client has sent something and then heard something, over all connections. */
  readonly roundTrips: number;
}

const HOST = '127.0.0.1';

/** `milliseconds`: of a round trip, half in each direction. */
export async function latencyProxy(
  target: { host: string; port: number },
  milliseconds: number,
): Promise<LatencyProxy> {
  const open = new Set<Socket>();
  let roundTrips = 0;
  const listener = createServer({ noDelay: true }, (client) => {
    const server = connect({ ...target, noDelay: true });
    let isAnswerDue = false;
    client.on('data', () => (isAnswerDue = true));
    server.on('data', () => {
      if (isAnswerDue) roundTrips += 1;
      isAnswerDue = false;
    });
    carry(client, server, milliseconds / 2);
    carry(server, client, milliseconds / 2);
    for (const socket of [client, server]) {
      open.add(socket);
      socket.on('close', () => open.delete(socket));
    }
  });
  listener.listen(0, HOST);
  await once(listener, 'listening');
  return {
    host: HOST,
    port: (listener.address() as AddressInfo).port,
    get roundTrips() {
      return roundTrips;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
}

/** Each piece on its own, unlike a queue in which each waits for those before it. Timers of one length keep order. */
function carry(from: Socket, to: Socket, milliseconds: number): void {
  const later = (work: () => void) => (milliseconds > 0 ? void setTimeout(work, milliseconds) : work());
  from.on('data', (chunk: Buffer) => later(() => void (to.writable && to.write(chunk))));
  from.on('end', () => later(() => void to.end()));
  from.on('error', () => to.destroy());
}
