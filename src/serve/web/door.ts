/** The server of the HTTP application. */
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { IncrepError } from '../../errors.ts';
import { connectFault } from '../../system-fault.ts';
import type { ListenAddress, Pem } from './listen-address.ts';
import type { WebApp } from './web-app.ts';

export interface ServiceDoor extends AsyncDisposable {
  readonly url: string;
  /** For new connections. */
  readonly useCertificate: (tls: Pem) => void;
}

/** For the head of a request, and for all of it. An answer may take longer. */
const REQUEST_LIMIT = 10_000;

/** @throws IncrepError CONFIG_INVALID if the port is in use */
export async function openDoor({ host, port, tls }: ListenAddress, { hono }: WebApp): Promise<ServiceDoor> {
  const listener = getRequestListener(hono.fetch, { overrideGlobalObjects: false });
  const answer: RequestListener = (request, response) => void listener(request, response);
  const encrypted = tls && createTlsServer(contextOf(tls), answer);
  const server = encrypted ?? createServer(answer);
  server.headersTimeout = REQUEST_LIMIT;
  server.requestTimeout = REQUEST_LIMIT;
  await listen(server, { host, port });
  const { port: used } = server.address() as AddressInfo;
  return {
    url: `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${used}`,
    useCertificate: (renewed) => encrypted?.setSecureContext(contextOf(renewed)),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const contextOf = ({ cert, key }: Pem) => ({ cert, key, minVersion: 'TLSv1.2' }) as const;

async function listen(server: Server, { host, port }: Pick<ListenAddress, 'host' | 'port'>): Promise<void> {
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
