/** Parts of the driver that its type definitions leave out. */
import type { EventEmitter } from 'node:events';
import { Socket } from 'node:net';
import { Readable, Writable } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type pg from 'pg';

/** It emits an event for each message of the server. */
type Connection = EventEmitter & { readonly stream: Socket };

interface Internals {
  readonly connection: Connection;
  /** False while a statement is running. */
  readonly readyForQuery: boolean;
  readonly processID: number | null;
  ['_getActiveQuery'](): unknown;
}

const internals = (client: pg.ClientBase): Internals => client as unknown as Internals;

type QueryArguments = readonly [text: string, values?: unknown[]];

/** A client that can only query. */
export const rowsOnly = (query: (...statement: QueryArguments) => Promise<pg.QueryResult>): pg.ClientBase =>
  ({ query }) as unknown as pg.ClientBase;

export const connectionOf = (client: pg.ClientBase): Connection => internals(client).connection;

export const socketOf = (client: pg.ClientBase): Socket => connectionOf(client).stream;

export const backendOf = (client: pg.ClientBase): number => internals(client).processID ?? 0;

/**
 * A socket that connects to this path, whatever the driver asks for. With a path as its host, the driver would send
 * the path in the TLS handshake.
 */
export function socketTo(path: string): Socket {
  const socket = new Socket();
  const connectSocket = socket.connect.bind(socket) as (options: { path: string }) => Socket;
  socket.connect = () => connectSocket({ path });
  return socket;
}

/** The socket of a client whose server refused TLS. */
export interface RefusedTls {
  /** Undefined if the server did not refuse. The listeners of the client are removed. */
  readonly take: () => Socket | undefined;
}

/** How a server answers if it has no TLS: docs "55.2.10. SSL Session Encryption". */
const REFUSAL = Buffer.from('N');

/**
 * As libpq, increp continues without TLS on the connection where the server refused it. The driver would end the connection.
 * Call it before the client connects.
 */
export function watchRefusal(client: pg.ClientBase): RefusedTls {
  const socket = socketOf(client);
  const own = new Map(socket.eventNames().map((event) => [event, socket.rawListeners(event)]));
  let isRefused = false;
  socket.once('data', (answer: Buffer) => {
    isRefused = answer.equals(REFUSAL);
    if (isRefused) socket.end = () => socket;
  });
  return {
    take: () => {
      if (!isRefused || socket.destroyed) return undefined;
      Reflect.deleteProperty(socket, 'end');
      for (const event of socket.eventNames())
        for (const listener of socket.rawListeners(event))
          if (!own.get(event)?.includes(listener)) socket.removeListener(event, listener as () => void);
      return socket;
    },
  };
}

/** The driver begins when a socket reports that it is connected. */
export function connectedSocket(socket: Socket): Socket {
  socket.connect = () => {
    process.nextTick(() => socket.emit('connect'));
    return socket;
  };
  return socket;
}

export interface Encryption {
  /** For example "TLSv1.3". */
  readonly protocol: string;
  readonly cipher: string;
}

/** The encryption of this connection, also if a pooler is in between; undefined if there is none. */
export function encryptionOf(client: pg.ClientBase): Encryption | undefined {
  const socket = socketOf(client);
  if (!(socket instanceof TLSSocket)) return undefined;
  return { protocol: socket.getProtocol() ?? 'TLS', cipher: socket.getCipher().standardName };
}

/** Grows with every byte that is sent or received. */
export function bytesMoved(client: pg.ClientBase): number {
  const socket = socketOf(client);
  return socket.bytesRead + socket.bytesWritten - socket.writableLength;
}

/** Whether increp waits for the server: for an answer, for rows, or for room for rows. */
export function isServersTurn(client: pg.ClientBase): boolean {
  if (internals(client).readyForQuery) return false;
  const query = internals(client)['_getActiveQuery']();
  if (query instanceof Readable) return wantsMore(query);
  if (query instanceof Writable) return query.writableLength > 0 || query.writableEnded;
  return true;
}

/** A stream with a full buffer waits for its reader, not for its source. */
export const wantsMore = (stream: Readable): boolean => stream.readableLength < stream.readableHighWaterMark;

const COPY_OUT_RESPONSE = 0x48;
const ERROR_RESPONSE = 0x45;
/** A message that a COPY stream passes over. */
const NOTICE_RESPONSE = 0x4e;

type Submitted = Readable & { submit(connection: { query(text: string): void }): void };

/**
 * Sends statements directly before a COPY TO, without waiting for their answers. The stream would take the first answer for
 * the end of the rows. If a statement fails, the COPY fails too: they share a transaction, and the connection is closed then.
 */
export function sendBefore<Stream extends Submitted>(statements: string, stream: Stream): Stream {
  let code = 0;
  let hasBegun = false;
  Object.defineProperty(stream, '_code', {
    get: () => code,
    set: (received: number) => {
      hasBegun ||= received === COPY_OUT_RESPONSE;
      code = hasBegun || received === ERROR_RESPONSE ? received : NOTICE_RESPONSE;
    },
  });
  const submit = stream.submit.bind(stream);
  stream.submit = (connection) => {
    connection.query(statements);
    submit(connection);
  };
  return stream;
}
