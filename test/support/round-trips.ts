/** Counts how often a command waits for the servers, as on a slow network. It measures no time. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { Pair } from './pair.ts';
import { goThrough } from './chunked.ts';

const SIDES = ['source', 'destination'] as const;

/** Milliseconds without any data, after which increp and the servers have nothing more to say. */
const SILENCE = 150;
/** The same while a server owes an answer, which takes long on a busy machine. The end of a connection has no answer. */
const LONG_SILENCE = 3000;

/**
 * Round trips one after the other; what is under way at the same time counts once. What increp sends to either server is
 * held until everything is silent. Then all of it passes.
 */
export async function countWaits(pair: Pair, work: () => Promise<unknown>): Promise<number> {
  let count = 0;
  let held: { readonly client: Socket; readonly pass: () => void }[] = [];
  const owed = new Set<Socket>();
  let timer: NodeJS.Timeout | undefined;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(release, owed.size > 0 ? LONG_SILENCE : SILENCE);
  };
  const open = new Set<Socket>();
  const release = () => {
    const passing = held;
    held = [];
    if (passing.length > 0) count += 1;
    for (const { client, pass } of passing) {
      owed.add(client);
      pass();
    }
    if (passing.length > 0) wait();
  };
  const listeners = await Promise.all(
    SIDES.map(async (side) => {
      const { host, port } = pair.login(side, 'increp');
      const listener = createServer({ noDelay: true }, (client) => {
        const server = connect({ host, port, noDelay: true });
        const later = (pass: () => void) => {
          held.push({ client, pass });
          wait();
        };
        client.on('data', (data) => later(() => server.write(data)));
        client.on('end', () => later(() => server.end()));
        server.on('data', (data) => {
          owed.delete(client);
          wait();
          client.write(data);
        });
        server.on('end', () => client.end());
        for (const socket of [client, server]) {
          open.add(socket);
          socket
            .on('error', () => undefined)
            .on('close', () => {
              open.delete(socket);
              owed.delete(client);
            });
        }
      });
      listener.listen(0, '127.0.0.1');
      await once(listener, 'listening');
      await goThrough(pair, side, { host: '127.0.0.1', port: (listener.address() as AddressInfo).port });
      return listener;
    }),
  );
  try {
    await work();
  } finally {
    clearTimeout(timer);
    for (const socket of open) socket.destroy();
    for (const listener of listeners) listener.close();
    await Promise.all(listeners.map((listener) => once(listener, 'close')));
    for (const side of SIDES) await goThrough(pair, side, pair.login(side, 'increp'));
  }
  return count;
}
