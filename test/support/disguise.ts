/**
 * A proxy that makes a real server look like another product: it replaces the value of version() by a recorded answer,
 * and hides relations and functions by another name of the same length in the queries. For connections without TLS.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { Target } from './proxy.ts';

interface Disguise {
  readonly version?: string | undefined;
  /** Names that the server does not know any more. */
  readonly hidden?: readonly string[];
}

export interface DisguisedServer extends AsyncDisposable, Target {
  /** Everything that clients have sent, as text. */
  readonly heard: string;
}

const HOST = '127.0.0.1';

export async function disguise(target: Target, { version, hidden = [] }: Disguise): Promise<DisguisedServer> {
  const open = new Set<Socket>();
  let heard = '';
  const listener = createServer((client) => {
    const server = connect(target);
    const rewrite = version === undefined ? (chunk: Buffer) => chunk : rewriter(version);
    client.on('data', (chunk: Buffer) => {
      heard += chunk.toString('latin1');
      server.write(hidden.reduce(hide, chunk));
    });
    server.on('data', (chunk: Buffer) => client.write(rewrite(chunk)));
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      open.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        open.delete(one);
        other.destroySoon();
      });
    }
  });
  listener.listen(0, HOST);
  await once(listener, 'listening');
  return {
    host: HOST,
    port: (listener.address() as AddressInfo).port,
    get heard() {
      return heard;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
}

const hide = (chunk: Buffer, name: string): Buffer =>
  Buffer.from(chunk.toString('latin1').replaceAll(name, `no${name.slice(2)}`), 'latin1');

const DATA_ROW = 'D'.charCodeAt(0);
const HEADER = 5;

/** The values of rows that are the version of a real server. A message may arrive in several pieces. */
function rewriter(version: string): (chunk: Buffer) => Buffer {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    // The answer to a request for TLS is no message.
    if (rest.length === 0 && chunk.toString() === 'N') return chunk;
    rest = Buffer.concat([rest, chunk]);
    const done: Buffer[] = [];
    while (rest.length >= HEADER) {
      const size = rest.readInt32BE(1) + 1;
      if (rest.length < size) break;
      const message = rest.subarray(0, size);
      done.push(message[0] === DATA_ROW ? withVersion(message, version) : message);
      rest = rest.subarray(size);
    }
    return Buffer.concat(done);
  };
}

function withVersion(row: Buffer, version: string): Buffer {
  const count = row.readInt16BE(HEADER);
  const parts = [row.subarray(HEADER, HEADER + 2)];
  let at = HEADER + 2;
  for (let column = 0; column < count; column += 1) {
    const length = row.readInt32BE(at);
    const value = row.subarray(at + 4, at + 4 + Math.max(0, length));
    const isVersion = value.toString('latin1').startsWith('PostgreSQL ');
    const sent = isVersion ? Buffer.from(version) : value;
    const head = Buffer.alloc(4);
    head.writeInt32BE(length < 0 ? length : sent.length);
    parts.push(head, sent);
    at += 4 + value.length;
  }
  const body = Buffer.concat(parts);
  const header = Buffer.from([DATA_ROW, 0, 0, 0, 0]);
  header.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
}
