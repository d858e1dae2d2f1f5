/** The progress of TLS in one connection of the driver. */
import type pg from 'pg';
import { connectionOf } from './driver.ts';

interface Handshake {
  /** From here on, the server decides and not the handshake. */
  readonly isDone: boolean;
}

/** Call it before the client connects. */
export function watchHandshake(client: pg.Client): Handshake {
  const connection = connectionOf(client);
  let isDone = false;
  connection.once('sslconnect', () => {
    connection.stream.once('secureConnect', () => (isDone = true));
  });
  return {
    get isDone() {
      return isDone;
    },
  };
}
