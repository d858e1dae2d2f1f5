// oxlint-disable typescript/no-unnecessary-type-parameters -- the caller says what the JSON is
/** A real HTTP server that records what it is sent and answers from a script. */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { expectNoSecret } from './canaries.ts';

export interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** The body as it came: what a signature is made over. */
  readonly rawBody: Buffer;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number;
  json<T = Record<string, unknown>>(): T;
}

export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Milliseconds before the answer. */
  readonly delay?: number;
}

/**
 * A status, a whole reply, or a misbehaviour: `hang` never answers, `endless` answers 200 with a body that does not
 * end, `reset` breaks the connection after the request.
 */
export type Answer = number | Reply | 'hang' | 'endless' | 'reset';

export interface WebhookServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly requests: readonly RecordedRequest[];
  /** Replaces the rest of the script; the last answer is for all that follow. */
  answerWith(...script: Answer[]): void;
  /** Fails after `timeout` milliseconds (10,000). */
  waitForRequests(count: number, timeout?: number): Promise<readonly RecordedRequest[]>;
}

/** `webhookServer(500, 500, 200)`: two failures, then all is well. 200 unless told. */
export async function webhookServer(...answers: Answer[]): Promise<WebhookServer> {
  const requests: RecordedRequest[] = [];
  let script = answers;
  const next = () => (script.length > 1 ? script.shift() : script[0]) ?? 200;
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    try {
      requests.push(await record(request));
      await give(next(), response);
    } catch {
      // The client went away in the middle of its request.
      response.destroy();
    }
  };
  const server = createServer((request, response) => {
    response.on('error', () => undefined);
    void serve(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  // As good as a password, and searched for like one.
  const token = randomBytes(12).toString('base64url');
  return {
    url: `http://127.0.0.1:${port}/hook/${token}`,
    port,
    requests,
    answerWith: (...replacement) => void (script = replacement),
    waitForRequests: async (count, timeout = 10_000) => {
      const deadline = Date.now() + timeout;
      while (requests.length < count) {
        if (Date.now() > deadline) throw new Error(`${requests.length} of ${count} requests came`);
        await sleep(5);
      }
      return requests;
    },
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      requests.forEach(({ rawBody }) => expectNoSecret(undefined, { 'a webhook': rawBody.toString('utf8') }));
    },
  };
}

async function record(request: IncomingMessage): Promise<RecordedRequest> {
  const rawBody = await buffer(request);
  return {
    method: request.method ?? '',
    path: request.url ?? '',
    headers: request.headers,
    rawBody,
    receivedAt: Date.now(),
    json: <T>() => JSON.parse(rawBody.toString('utf8')) as T,
  };
}

async function give(answer: Answer, response: ServerResponse): Promise<void> {
  if (answer === 'hang') return;
  if (answer === 'reset') return void response.socket?.resetAndDestroy();
  if (answer === 'endless') return pourEndlessly(response);
  const reply = typeof answer === 'number' ? { status: answer } : answer;
  if (reply.delay) await sleep(reply.delay);
  response.writeHead(reply.status, reply.headers).end(reply.body ?? '');
}

async function pourEndlessly(response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/plain' });
  while (!response.destroyed) {
    response.write('x'.repeat(1000));
    await sleep(5);
  }
}
