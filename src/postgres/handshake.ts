/** The progress of TLS in one connection of the driver. */
import type pg from 'pg';
import { connectionOf } from './driver.ts';

interface Handshake {
  /** Whether the server accepted the connection. */
  readonly isConnected: boolean;
  /** From here on, the server decides and not the handshake. */
  readonly isDone: boolean;
}

/** Call it before the client connects. */
export function watchHandshake(client: pg.Client): Handshake {
  const connection = connectionOf(client);
  let isConnected = false;
  let isDone = false;
  connection.stream.once('connect', () => (isConnected = true));
  connection.once('sslconnect', () => {
    connection.stream.once('secureConnect', () => (isDone = true));
  });
  return {
    get isConnected() {
      return isConnected;
    },
    get isDone() {
      return isDone;
    },
  };
}
