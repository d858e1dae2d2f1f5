/**
 * Questions about silent sessions, each over another connection to the server. Sessions of several jobs fall silent
 * together, so questions that come while a connection is open share it. One question follows the other.
 */
import pg from 'pg';
import { socketOf } from './driver.ts';

interface SharedConnection {
  readonly client: Promise<pg.Client>;
  questions: number;
  turn: Promise<unknown>;
}

export class Asides {
  #open: SharedConnection | undefined;

  async ask<T>(
    connectAside: () => Promise<pg.Client>,
    question: (client: pg.Client) => Promise<T>,
  ): Promise<T> {
    const shared = (this.#open ??= { client: connectAside(), questions: 0, turn: Promise.resolve() });
    shared.questions += 1;
    try {
      const client = await shared.client;
      const answer = shared.turn.then(() => question(client));
      shared.turn = answer.catch((error: unknown) => {
        // The connection is silent too, so the next questions must not wait for their answers one after the other.
        if (!(error instanceof pg.DatabaseError)) socketOf(client).destroy();
      });
      return await answer;
    } finally {
      shared.questions -= 1;
      if (shared.questions === 0) {
        this.#open = undefined;
        await shared.client.then((client) => socketOf(client).destroy()).catch(() => undefined);
      }
    }
  }
}
