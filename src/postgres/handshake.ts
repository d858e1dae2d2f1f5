/** How far TLS came in one connection of the driver. */
import type { EventEmitter } from 'node:events';
import type pg from 'pg';

interface Handshake {
  /** From here on the server, not the handshake, decides. */
  readonly isDone: boolean;
}

/** To be called before the client connects. */
export function watchHandshake(client: pg.Client): Handshake {
  // The typings leave these out.
  const { connection } = client as unknown as { connection: EventEmitter & { stream: EventEmitter } };
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
