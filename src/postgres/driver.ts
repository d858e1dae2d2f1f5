/** What the driver knows and its typings leave out. */
import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { Readable, Writable } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type pg from 'pg';

/** It tells of each message of the server. */
type Connection = EventEmitter & { readonly stream: Socket };

interface Internals {
  readonly connection: Connection;
  /** False from the sending of a statement to the end of its answer. */
  readonly readyForQuery: boolean;
  readonly processID: number | null;
  ['_getActiveQuery'](): unknown;
}

const internals = (client: pg.ClientBase): Internals => client as unknown as Internals;

export const connectionOf = (client: pg.ClientBase): Connection => internals(client).connection;

export const socketOf = (client: pg.ClientBase): Socket => connectionOf(client).stream;

export const backendOf = (client: pg.ClientBase): number => internals(client).processID ?? 0;

export interface Encryption {
  /** As in "TLSv1.3". */
  readonly protocol: string;
  readonly cipher: string;
}

/** Of our own connection, to a pooler too; undefined where it is not encrypted. */
export function encryptionOf(client: pg.ClientBase): Encryption | undefined {
  const socket = socketOf(client);
  if (!(socket instanceof TLSSocket)) return undefined;
  return { protocol: socket.getProtocol() ?? 'TLS', cipher: socket.getCipher().standardName };
}

/** Grows with every byte that has left us or reached us. */
export function bytesMoved(client: pg.ClientBase): number {
  const socket = socketOf(client);
  return socket.bytesRead + socket.bytesWritten - socket.writableLength;
}

/** Whether the next move is the server's: an answer, rows that we would take, room for rows that we have. */
export function isServersTurn(client: pg.ClientBase): boolean {
  if (internals(client).readyForQuery) return false;
  const query = internals(client)['_getActiveQuery']();
  if (query instanceof Readable) return wantsMore(query);
  if (query instanceof Writable) return query.writableLength > 0 || query.writableEnded;
  return true;
}

/** A stream that is full waits for its reader, and not for where its data comes from. */
export const wantsMore = (stream: Readable): boolean => stream.readableLength < stream.readableHighWaterMark;
