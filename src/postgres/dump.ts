/** One table's rows through pg_dump and pg_restore, on a snapshot of ours. */
import type { ConnectionSettings } from '../config/settings.ts';
import { IncrepError, type ErrorCode } from '../errors.ts';
import { printName, type TableName } from '../schema/names.ts';
import { qualified } from '../sql/identifiers.ts';
import { readCopyBlock, type CopyBlock } from './dump-reader.ts';
import { withPassfile } from './passfile.ts';
import { RECOVERY_CONFLICT } from './server-errors.ts';
import { libpqTls } from './tls.ts';

export interface DumpRequest {
  readonly connection: ConnectionSettings;
  readonly table: TableName;
  /** pg_export_snapshot() of a transaction that stays open meanwhile. */
  readonly snapshot: string;
  /** Left out: reading them needs a privilege that SELECT on the table does not give. */
  readonly sequences: readonly TableName[];
  readonly lockTimeoutSeconds: number;
  /** Where pg_dump and pg_restore are, as PATH has it. */
  readonly searchPath: string;
  /** How long they may take to stop before they are killed. */
  readonly killDelaySeconds: number;
  /** For PGOPTIONS: what is set on the role must trouble this session no more than ours. */
  readonly options: string;
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
  readonly signal: AbortSignal | undefined;
}

/** Gives `use` the rows as COPY text. Both children have ended when this returns. @throws IncrepError DUMP_FAILED */
export async function withDump<T>(request: DumpRequest, use: (block: CopyBlock) => Promise<T>): Promise<T> {
  // A tenth of a second that only a dump is worth.
  const { execa } = await import('execa');
  return withPassfile(request.connection.password, async ({ directory, path, forget }) => {
    const environment = {
      PATH: request.searchPath,
      ...libpqEnvironment(request.connection, directory, path),
      PGAPPNAME: request.applicationName,
      PGOPTIONS: request.options,
    };
    const restore = execa(
      'pg_restore',
      ['--data-only', '--file=-'],
      childOptions({ PATH: request.searchPath }, request),
    );
    // The end of the pipe itself: what goes from one to the other does not pass through us.
    const dump = execa('pg_dump', dumpArguments(request), {
      ...childOptions(environment, request),
      stdout: restore.stdin,
    });
    // Else pg_restore would wait for what we have to say.
    restore.stdin.destroy();
    try {
      const block = await readCopyBlock(restore.stdout, request.table);
      // pg_dump has its one connection.
      await forget();
      const result = await use(block);
      throwIfFailed(request, [await dump, await restore]);
      return result;
    } catch (error) {
      if (!(error instanceof IncrepError) || error.code !== 'DUMP_FAILED') throw error;
      // A child that broke off says why when it has ended. Nobody reads on, so one that goes on ends as well.
      restore.stdout.destroy();
      throwIfFailed(
        request,
        [await dump, await restore].filter((child) => !isVictim(child)),
      );
      throw error;
    } finally {
      // What nobody reads any more would never end, and neither would the wait below.
      restore.stdout.destroy();
      [dump, restore].forEach((child) => child.kill());
      await Promise.all([dump, restore]);
    }
  });
}

/** @throws IncrepError with what the children wrote to stderr, the one that failed first in front */
function throwIfFailed({ table, connection, signal }: DumpRequest, children: readonly Ended[]): void {
  signal?.throwIfAborted();
  // Not what execa calls failed: that the one end of the pipe was let go is no failure.
  const failed = children.filter(({ exitCode }) => exitCode !== 0);
  // Who could not write any more, or got nothing to read, is the victim of the other.
  const causes = failed.filter((child) => !isVictim(child) && !isStarved(child));
  const culprits = causes.length > 0 ? causes : failed;
  const [first] = culprits;
  if (!first) return;
  const said = culprits.map((child) => `${nameOf(child)} ${howItEnded(child)}`).join('; ');
  throw new IncrepError(codeOf(culprits.map(({ stderr }) => stderr).join('\n')), {
    what: `dumping ${printName(table)} from the ${connection.side} ${connection.host}:${connection.port}/${connection.database}: ${said}`,
    next: 'Mend what it says, or set initial_load: "copy" for this table, which does not need pg_dump.',
    cause: first.cause,
  });
}

/** libpq's words. They are not translated, because the children are given no locale. */
const CONNECTION_LOSS =
  /server closed the connection|could not (receive data from|send data to) server|terminating connection|no connection to the server|Connection (refused|reset|timed out)/i;

const CANCELLED = /canceling statement due to (user request|statement timeout)/;

const TOO_MANY = /too many (connections|clients)|remaining connection slots are reserved/i;

function codeOf(said: string): ErrorCode {
  if (TOO_MANY.test(said)) return 'TOO_MANY_CONNECTIONS';
  if (RECOVERY_CONFLICT.test(said)) return 'CONFLICT';
  if (CANCELLED.test(said)) return 'TIMEOUT';
  return CONNECTION_LOSS.test(said) ? 'CONNECTION_LOST' : 'DUMP_FAILED';
}

interface Ended {
  readonly signal?: string | undefined;
  readonly exitCode?: number | undefined;
  readonly command: string;
  readonly stderr: string;
  readonly cause?: unknown;
}

const isVictim = ({ stderr, signal }: Ended): boolean =>
  signal === 'SIGPIPE' || /broken pipe|could not write/i.test(stderr);

const isStarved = ({ stderr }: Ended): boolean => /input file is too short|: end of file/.test(stderr);

const nameOf = ({ command }: Ended): string => command.split(' ', 1)[0] ?? command;

const howItEnded = ({ signal, exitCode, stderr }: Ended): string =>
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

/** `home` is empty but for the passfile. */
export function libpqEnvironment(
  connection: ConnectionSettings,
  home: string,
  passfile: string,
): Record<string, string> {
  const { tls, parameters } = connection;
  return {
    HOME: home,
    PGHOST: connection.host,
    PGPORT: String(connection.port),
    PGUSER: connection.user,
    PGDATABASE: connection.database,
    PGPASSFILE: passfile,
    PGCLIENTENCODING: 'UTF8',
    PGCONNECT_TIMEOUT: String(parameters.connectTimeoutSeconds ?? 10),
    ...(parameters.channelBinding !== undefined &&
      tls.mode !== 'disable' && { PGCHANNELBINDING: parameters.channelBinding }),
    ...(parameters.sslNegotiation === 'direct' && { PGSSLNEGOTIATION: 'direct' }),
    PGTARGETSESSIONATTRS: parameters.targetSession,
    ...libpqTls(tls, home),
  };
}

/** `--table` takes a pattern; what stands in double quotes there is taken as it is. */
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
