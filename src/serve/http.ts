/** The address of the service for probes and Prometheus. It answers on loopback only. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { IncrepError } from '../errors.ts';
import { connectFault } from '../system-fault.ts';

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export interface ServiceAnswers {
  /** Undefined if the service can work. Otherwise why not. */
  readonly notReady: () => Promise<string | undefined>;
  readonly metrics: () => Promise<string>;
}

/** @throws IncrepError USAGE, CONFIG_INVALID */
export function readListenAddress(text: string): ListenAddress {
  const [, bracketed, plain, port = ''] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? '';
  if (host === '' || Number(port) > 65_535)
    throw new IncrepError('USAGE', {
      what: `--listen: "${text}" is not a host and a port`,
      next: 'Write --listen 127.0.0.1:7420.',
    });
  if (!LOOPBACK.test(host))
    throw new IncrepError('CONFIG_INVALID', {
      what: `--listen ${text}: only this machine may reach the service, because it has no tokens yet`,
      next: 'Listen on 127.0.0.1. To reach the service from another machine, use a tunnel: ssh -L 7420:127.0.0.1:7420 HOST',
    });
  return { host, port: Number(port) };
}

const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|::1|localhost)$/;

/** A page of another site could lead its own name here, so only these names are answered. */
const isOwnHost = (host = ''): boolean =>
  LOOPBACK.test(host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1'));

export interface ServiceDoor extends AsyncDisposable {
  readonly url: string;
}

/** @throws IncrepError CONFIG_INVALID if the port is in use */
export async function openDoor({ host, port }: ListenAddress, answers: ServiceAnswers): Promise<ServiceDoor> {
  const server = createServer((request, response) => {
    void answer(request, answers)
      .catch(() => ({ status: 500, text: 'error\n' }))
      .then((result) => send(response, result));
  });
  server.headersTimeout = 10_000;
  server.requestTimeout = 10_000;
  await listen(server, { host, port });
  const { port: used } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${used}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

async function answer(request: IncomingMessage, answers: ServiceAnswers): Promise<Answer> {
  if (!isOwnHost(request.headers.host)) return { status: 421, text: 'unknown host\n' };
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return { status: 405, text: 'method not allowed\n' };
  switch ((request.url ?? '').replace(/\?.*$/, '')) {
    case '/healthz':
      return { status: 200, text: 'ok\n' };
    case '/readyz': {
      const why = await answers.notReady();
      return why === undefined ? { status: 200, text: 'ready\n' } : { status: 503, text: `${why}\n` };
    }
    case '/metrics':
      return { status: 200, text: await answers.metrics() };
    default:
      return { status: 404, text: 'not found\n' };
  }
}

function send(response: ServerResponse, { status, text }: Answer): void {
  response.writeHead(status, {
    'content-type': 'text/plain; version=0.0.4; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(text);
}

async function listen(server: Server, { host, port }: ListenAddress): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        new IncrepError('CONFIG_INVALID', {
          what: `the service cannot listen on ${host}:${port}: ${connectFault(error)}`,
          next: 'Stop the program that uses the port, or choose another one with --listen.',
        }),
      ),
    );
    server.listen(port, host, resolve);
  });
}
