/** A real HTTP server that answers as it is told and remembers what it was sent. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly headers: IncomingHttpHeaders;
  /** As it came over the wire. */
  readonly body: string;
}

export type Answer = (response: ServerResponse) => void;

export const answer =
  (status: number, headers: Record<string, string> = {}): Answer =>
  (response) =>
    void response.writeHead(status, headers).end('thanks');

/** Answers in the order given; the last answer is given again and again. */
export async function endpoint(...answers: Answer[]) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const reply = answers[Math.min(received.length, answers.length - 1)];
      const body = Buffer.concat(chunks).toString('utf8');
      received.push({ method: request.method, path: request.url, headers: request.headers, body });
      reply?.(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    received,
    origin: `http://127.0.0.1:${port}`,
    url: `http://127.0.0.1:${port}/services/T0KEN?key=T0KEN`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A URL on a port where nobody listens. */
export async function refusedUrl(): Promise<string> {
  await using closed = await endpoint();
  return closed.url;
}
