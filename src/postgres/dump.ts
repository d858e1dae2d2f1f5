/** Reads the rows of one table through pg_dump and pg_restore, in a snapshot of increp. */
import { join } from 'node:path';
import type { ConnectionSettings } from '../config/settings.ts';
import { serversOf } from '../config/connection/servers.ts';
import { IncrepError, type ErrorCode } from '../errors.ts';
import { printName, type TableName } from '../schema/names.ts';
import { qualified } from '../sql/identifiers.ts';
import { toolEnvironment } from './client-tools.ts';
import { readCopyBlock, type CopyBlock } from './dump-reader.ts';
import { SERVICE_FILE, withPassfile } from './passfile.ts';
import { RECOVERY_CONFLICT } from './server-verdicts.ts';
import { withRelay } from './tunnel/relay.ts';
import type { Tunnels } from './tunnel/tunnels.ts';
import { libpqTls } from './tls.ts';

export interface DumpRequest {
  readonly connection: ConnectionSettings;
  /** Undefined in a program without bastions. */
  readonly tunnels: Tunnels | undefined;
  /** For the connection to the bastion. */
  readonly connectSeconds: number;
  readonly table: TableName;
  /** The snapshot of pg_export_snapshot(), in a transaction that stays open. */
  readonly snapshot: string;
  /** These are excluded, because reading them needs more privileges than SELECT on the table. */
  readonly sequences: readonly TableName[];
  readonly lockTimeoutSeconds: number;
  /** The search path for pg_dump and pg_restore, in the format of PATH. */
  readonly searchPath: string;
  /** How long they may take to stop before they are killed. */
  readonly killDelaySeconds: number;
  /** The time limit of a password command. */
  readonly passwordSeconds: number;
  /** For PGOPTIONS. Settings of the role must not affect this session more than the sessions of increp. */
  readonly options: string;
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
  readonly signal: AbortSignal | undefined;
}

type UseRows<T> = (block: CopyBlock) => Promise<T>;

/**
 * Passes the rows as COPY text to `use`. Both children have ended when this returns. If the server refuses the
 * password, pg_dump starts once more with another one. @throws IncrepError DUMP_FAILED
 */
export async function withDump<T>(request: DumpRequest, use: UseRows<T>): Promise<T> {
  const { connection, passwordSeconds, signal } = request;
  const wait = { seconds: passwordSeconds, signal };
  const password = await connection.credential.current(wait);
  try {
    return await dumpWith(password, request, use);
  } catch (error) {
    const other = isRefusedLogin(error) ? await connection.credential.renewed(password, wait) : undefined;
    if (other === undefined) throw error;
    return dumpWith(other, request, use);
  }
}

/** The text after FATAL may be translated. pg_dump connects once, before it prints a row. */
const isRefusedLogin = (error: unknown): boolean =>
  error instanceof IncrepError &&
  /pg_dump.*connection to (server|database) .*failed: .*FATAL/s.test(error.message);

/** libpq gets a loopback port, so that it verifies the name of the server. It uses no TLS on a socket of the server. */
async function dumpWith<T>(password: string | undefined, request: DumpRequest, use: UseRows<T>): Promise<T> {
  const { connection, tunnels, connectSeconds, signal } = request;
  const wait = { seconds: connection.parameters.connectTimeoutSeconds ?? connectSeconds, signal };
  const route = await tunnels?.routeTo(connection, connection, wait);
  if (!route) return dumpFrom(connection, { password, request }, use);
  if (connection.host.startsWith('/')) {
    const socket = { ...connection, host: route.directory, port: route.number };
    return dumpFrom(socket, { password, request }, use);
  }
  return withRelay(route.path, ({ port, stopListening }) => {
    const loopback = { ...connection, hostAddress: '127.0.0.1', port };
    return dumpFrom(loopback, { password, request }, (block) => {
      stopListening();
      return use(block);
    });
  });
}

interface DumpStart {
  readonly password: string | undefined;
  readonly request: DumpRequest;
}

/** @param connection with the address that pg_dump connects to */
async function dumpFrom<T>(
  connection: ConnectionSettings,
  { password, request }: DumpStart,
  use: UseRows<T>,
): Promise<T> {
  // Loading execa takes a tenth of a second, so it is loaded only for a dump.
  const { execa } = await import('execa');
  return withPassfile(password, serviceOf(connection), async ({ directory, path, forget }) => {
    const programs = toolEnvironment({ searchPath: request.searchPath, host: connection.host });
    const environment = {
      ...programs,
      ...libpqEnvironment(connection, directory, path),
      PGAPPNAME: request.applicationName,
      // The last value of a setting counts.
      PGOPTIONS: [connection.parameters.options ?? '', request.options].join(' ').trim(),
    };
    const restore = execa('pg_restore', ['--data-only', '--file=-'], childOptions(programs, request));
    // The pipe connects the children directly. The data of the dump does not pass through increp.
    const dump = execa('pg_dump', dumpArguments(request), {
      ...childOptions(environment, request),
      stdout: restore.stdin,
    });
    // With an open stdin, pg_restore would wait for input.
    restore.stdin.destroy();
    try {
      const block = await readCopyBlock(restore.stdout, request.table);
      // pg_dump has one connection.
      await forget();
      const result = await use(block);
      throwIfFailed(request, [await dump, await restore]);
      return result;
    } catch (error) {
      if (!(error instanceof IncrepError) || error.code !== 'DUMP_FAILED') throw error;
      // A failed child reports the reason when it ends. The rows are not read any further, so the other child ends
      // too.
      restore.stdout.destroy();
      throwIfFailed(
        request,
        [await dump, await restore].filter((child) => !isVictim(child)),
      );
      throw error;
    } finally {
      // A child without a reader would never end, and the wait below would not either.
      restore.stdout.destroy();
      [dump, restore].forEach((child) => child.kill());
      await Promise.all([dump, restore]);
    }
  });
}

/** @throws IncrepError with the stderr of the children, the one that failed first at the beginning */
function throwIfFailed({ table, connection, signal }: DumpRequest, children: readonly EndedChild[]): void {
  signal?.throwIfAborted();
  // `failed` of execa does not work here, because it also counts a pipe that was closed early.
  const failed = children.filter(({ exitCode }) => exitCode !== 0);
  // A child that could not write, or had nothing to read, failed because of the other child.
  const causes = failed.filter((child) => !isVictim(child) && !isStarved(child));
  const culprits = causes.length > 0 ? causes : failed;
  const [first] = culprits;
  if (!first) return;
  const said = culprits.map((child) => `${nameOf(child)} ${howItEnded(child)}`).join('; ');
  const code = codeOf(culprits.map(({ stderr }) => stderr).join('\n'));
  throw new IncrepError(code, {
    what: `dumping ${printName(table)} from the ${connection.side} ${connection.host}:${connection.port}/${connection.database}: ${said}`,
    next:
      code === 'SERVER_CHANGED'
        ? 'The address leads to several servers, and pg_dump reached another one than increp. Name one server, or set "initial_load" to "copy" for this table.'
        : 'Fix the reported problem. Or set "initial_load" to "copy" for this table, which does not need pg_dump.',
    cause: first.cause,
  });
}

/** Messages of libpq. They are not translated, because the children run without a locale. */
const CONNECTION_LOSS =
  /server closed the connection|could not (receive data from|send data to) server|terminating connection|no connection to the server|Connection (refused|reset|timed out)/i;

const CANCELLED = /canceling statement due to (user request|statement timeout)/;

/** The snapshot stays open while pg_dump runs, so a server without it is another server. */
const NO_SNAPSHOT = /invalid snapshot identifier|snapshot "[^"]*" does not exist/;

const TOO_MANY = /too many (connections|clients)|remaining connection slots are reserved/i;

function codeOf(said: string): ErrorCode {
  if (NO_SNAPSHOT.test(said)) return 'SERVER_CHANGED';
  if (TOO_MANY.test(said)) return 'TOO_MANY_CONNECTIONS';
  if (RECOVERY_CONFLICT.test(said)) return 'CONFLICT';
  if (CANCELLED.test(said)) return 'TIMEOUT';
  return CONNECTION_LOSS.test(said) ? 'CONNECTION_LOST' : 'DUMP_FAILED';
}

interface EndedChild {
  readonly signal?: string | undefined;
  readonly exitCode?: number | undefined;
  readonly command: string;
  readonly stderr: string;
  readonly cause?: unknown;
}

const isVictim = ({ stderr, signal }: EndedChild): boolean =>
  signal === 'SIGPIPE' || /broken pipe|could not write/i.test(stderr);

const isStarved = ({ stderr }: EndedChild): boolean => /input file is too short|: end of file/.test(stderr);

const nameOf = ({ command }: EndedChild): string => command.split(' ', 1)[0] ?? command;

const howItEnded = ({ signal, exitCode, stderr }: EndedChild): string =>
  (signal === undefined ? `ended with ${exitCode ?? 'no exit code'}` : `was killed by ${signal}`) +
  (stderr.trim() === '' ? '' : `: ${stderr.trim().replaceAll(/\s*\n\s*/g, ' / ')}`);

const childOptions = (
  env: Record<string, string>,
  { signal, killDelaySeconds }: Pick<DumpRequest, 'signal' | 'killDelaySeconds'>,
) =>
  ({
    env,
    extendEnv: false,
    reject: false,
    buffer: { stdout: false, stderr: true },
    maxBuffer: { stderr: 100_000 },
    forceKillAfterDelay: killDelaySeconds * 1000,
    ...(signal && { cancelSignal: signal }),
  }) as const;

/**
 * Parameters that have no variable, and parameters that an older libpq must not ignore. In a service file, an unknown
 * parameter is an error.
 */
export function serviceOf({ tls, parameters }: ConnectionSettings): string[] {
  const { requireAuth, sslNegotiation, keepAliveIdleSeconds, onlyForDump } = parameters;
  const lines = [
    ...(tls.keyPassword === undefined ? [] : [`sslpassword=${tls.keyPassword}`]),
    ...(requireAuth ? [`require_auth=${requireAuth.join(',')}`] : []),
    ...(sslNegotiation === 'direct' ? ['sslnegotiation=direct'] : []),
    ...(keepAliveIdleSeconds === 0 ? ['keepalives=0'] : []),
    ...(keepAliveIdleSeconds ? [`keepalives_idle=${keepAliveIdleSeconds}`] : []),
    ...onlyForDump.map(([name, value]) => `${name}=${value.trim()}`),
  ];
  return lines.length === 0 ? [] : [`[${SERVICE}]`, ...lines];
}

const SERVICE = 'increp';

/** `home` is empty except for the passfile. */
export function libpqEnvironment(
  connection: ConnectionSettings,
  home: string,
  passfile: string,
): Record<string, string> {
  const { tls, parameters } = connection;
  const servers = serversOf(connection);
  return {
    HOME: home,
    PGHOST: servers.map(({ host }) => host).join(','),
    ...(servers.some(({ hostAddress }) => hostAddress !== undefined) && {
      PGHOSTADDR: servers.map(({ hostAddress = '' }) => hostAddress).join(','),
    }),
    PGPORT: servers.map(({ port }) => port).join(','),
    PGUSER: connection.user,
    PGDATABASE: connection.database,
    PGPASSFILE: passfile,
    PGCLIENTENCODING: 'UTF8',
    PGCONNECT_TIMEOUT: String(parameters.connectTimeoutSeconds ?? 10),
    ...(parameters.channelBinding !== undefined && { PGCHANNELBINDING: parameters.channelBinding }),
    ...(parameters.minTls && { PGSSLMINPROTOCOLVERSION: parameters.minTls }),
    ...(parameters.maxTls && { PGSSLMAXPROTOCOLVERSION: parameters.maxTls }),
    PGSSLSNI: parameters.isHostSent ? '1' : '0',
    ...(serviceOf(connection).length > 0 && { PGSERVICEFILE: join(home, SERVICE_FILE), PGSERVICE: SERVICE }),
    PGTARGETSESSIONATTRS: parameters.targetSession,
    ...libpqTls(tls, home),
  };
}

/** `--table` takes a pattern. A name in double quotes is taken literally. */
const dumpArguments = ({ table, snapshot, sequences, lockTimeoutSeconds }: DumpRequest): string[] => [
  '--format=custom',
  '--compress=0',
  '--data-only',
  '--strict-names',
  '--no-password',
  `--lock-wait-timeout=${lockTimeoutSeconds * 1000}`,
  `--snapshot=${snapshot}`,
  `--table=${qualified(table)}`,
  ...sequences.map((sequence) => `--exclude-table-data=${qualified(sequence)}`),
];
