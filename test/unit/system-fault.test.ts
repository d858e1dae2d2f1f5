/** Errors of the operating system reach the user in plain English, without the words of Node. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { lookup } from 'node:dns/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { serverError } from '../../src/postgres/server-errors.ts';
import { connectFault, fileFault, networkFault } from '../../src/system-fault.ts';

const NODE_WORDS = /\bE[A-Z]{3,}|getaddrinfo|syscall|ERR_|Error:/;

const ENDPOINT = {
  side: 'source',
  address: 'db.example.com:5432/shop',
  door: '-h db.example.com -p 5432',
  login: '',
  role: 'reader',
} as const;

const failureOf = (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: Error) => error,
  );

const connectError = (options: { host: string; port: number } | { path: string }): Promise<Error> =>
  new Promise((resolve, reject) => {
    const socket = connect(options);
    socket.once('error', resolve);
    socket.once('connect', () => reject(new Error('it did not fail')));
  });

async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}

test('a refused connection names the address', async () => {
  const port = await closedPort();
  const error = await connectError({ host: '127.0.0.1', port });
  expect(connectFault(error)).toBe(`connection refused: nothing listens on 127.0.0.1:${port}`);
  expect(serverError(error, ENDPOINT, true)).toMatchObject({
    code: 'CONNECTION_FAILED',
    message: `source db.example.com:5432/shop: connection refused: nothing listens on 127.0.0.1:${port}`,
  });
});

test('an address of IPv6 stands in brackets', () => {
  const error = Object.assign(new Error('connect ECONNREFUSED ::1:5432'), {
    code: 'ECONNREFUSED',
    address: '::1',
    port: 5432,
  });
  expect(connectFault(error)).toBe('connection refused: nothing listens on [::1]:5432');
});

test('a name that cannot be resolved is named', async () => {
  const error = Object.assign(new Error('getaddrinfo ENOTFOUND db.example.com'), {
    code: 'ENOTFOUND',
    hostname: 'db.example.com',
  });
  expect(serverError(error, ENDPOINT, true).message).toBe(
    'source db.example.com:5432/shop: the name db.example.com cannot be resolved',
  );
  const real = await failureOf(lookup('no-such-host.invalid'));
  expect(connectFault(real)).toContain('the name no-such-host.invalid cannot be resolved');
});

test('a socket that does not exist is named', async () => {
  const error = await connectError({ path: '/nowhere/.s.PGSQL.5432' });
  expect(connectFault(error)).toBe('the socket /nowhere/.s.PGSQL.5432 does not exist');
});

test('several addresses of one name are told together, each once', () => {
  const refused = (address: string) =>
    Object.assign(new Error(`connect ECONNREFUSED ${address}:5432`), {
      code: 'ECONNREFUSED',
      address,
      port: 5432,
    });
  const error = Object.assign(
    new AggregateError([refused('::1'), refused('127.0.0.1'), refused('127.0.0.1')]),
    { code: 'ECONNREFUSED' },
  );
  expect(serverError(error, ENDPOINT, true).message).toBe(
    'source db.example.com:5432/shop: connection refused: nothing listens on [::1]:5432; ' +
      'connection refused: nothing listens on 127.0.0.1:5432',
  );
});

test.each([
  ['read ECONNRESET', 'ECONNRESET', 'the connection was closed by the other side'],
  ['write EPIPE', 'EPIPE', 'the connection was closed by the other side'],
  ['Connection terminated unexpectedly', undefined, 'the connection was closed by the other side'],
  ['Client has encountered a connection error and is not queryable', undefined, 'the connection was closed'],
  ['timeout expired', undefined, 'no answer in time'],
])('"%s" of a running session is told in plain words', (message, code, plain) => {
  const error = serverError(Object.assign(new Error(message), { code }), ENDPOINT);
  expect(error).toMatchObject({
    code: 'CONNECTION_LOST',
    message: `source db.example.com:5432/shop: ${plain}`,
  });
});

test('a file error says why, without the path and the system call of Node', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'increp-fault-'));
  try {
    expect(fileFault(await failureOf(readFile(directory)))).toBe('it is a directory, not a file');
    expect(fileFault(await failureOf(readFile(join(directory, 'missing'))))).toBe(
      'no such file or directory',
    );
    await writeFile(join(directory, 'file'), '');
    expect(fileFault(await failureOf(readFile(join(directory, 'file', 'below'))))).toBe(
      'a part of the path is not a directory',
    );
  } finally {
    await rm(directory, { recursive: true });
  }
  expect(fileFault(Object.assign(new Error('EACCES: permission denied, open'), { code: 'EACCES' }))).toBe(
    'permission denied',
  );
  expect(fileFault(new Error('it is something else'))).toBe('it is something else');
});

test('a failed delivery has no message of Node, because that may repeat the URL', () => {
  for (const code of ['ECONNREFUSED', 'ENOTFOUND', 'ERR_SSL_WRONG_VERSION_NUMBER', 'UND_ERR_SOCKET']) {
    const fault = networkFault(Object.assign(new Error(`${code} https://hooks/secret`), { code }));
    expect(fault).toBeDefined();
    expect(fault).not.toMatch(NODE_WORDS);
    expect(fault).not.toContain('secret');
  }
  expect(networkFault(new Error('https://hooks/secret'))).toBeUndefined();
});
