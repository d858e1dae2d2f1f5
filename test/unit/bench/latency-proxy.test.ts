import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { latencyProxy } from '../../bench/latency-proxy.ts';

async function startEcho() {
  const server = createServer((socket) => socket.pipe(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => void server.close(),
  };
}

async function echoed(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  let heard = '';
  while (heard.length < text.length) heard += String((await once(socket, 'data'))[0]);
  return heard;
}

test.each([0, 4])(
  'at a distance of %d ms bytes arrive whole and in order, and round trips are counted',
  async (ms) => {
    await using echo = await startEcho();
    await using proxy = await latencyProxy(echo, ms);
    const socket = connect(proxy);
    const long = Array.from({ length: 50_000 }, (_, index) => index).join(' ');
    for (const text of ['one', 'two', long]) expect(await echoed(socket, text)).toBe(text);
    // The long text comes back while it is still being sent, so that it may count more than once.
    expect(proxy.roundTrips).toBeGreaterThanOrEqual(3);
    socket.end();
    await once(socket, 'close');
  },
);

test('what is sent in one piece and answered is one round trip, whatever the connection', async () => {
  await using echo = await startEcho();
  await using proxy = await latencyProxy(echo, 0);
  for (const text of ['one', 'two', 'three']) {
    const socket = connect(proxy);
    expect(await echoed(socket, text)).toBe(text);
    expect(await echoed(socket, text)).toBe(text);
    socket.end();
    await once(socket, 'close');
  }
  expect(proxy.roundTrips).toBe(6);
});
