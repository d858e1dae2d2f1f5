/** One process of ssh that forwards local sockets. It ends with increp, also if increp is killed. */
import { randomUUID } from 'node:crypto';
import { access, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { sshLogin, sshWords } from '../../config/connection/bastion.ts';
import { startDirectory } from '../../config/directory.ts';
import { withoutOwnSecrets } from '../../config/connection/password-command.ts';
import type { Bastion } from '../../config/settings.ts';
import { searchPathOf, type Environment } from '../../environment.ts';
import { IncrepError, type DatabaseSide } from '../../errors.ts';
import { loginError, type EndedSsh } from './ssh-errors.ts';

export interface SshRequest {
  readonly side: DatabaseSide;
  readonly bastion: Bastion;
  /** `HOST:PORT` or the path of a socket, as the bastion sees them. */
  readonly targets: readonly string[];
  /** Relative paths in the command start there. */
  readonly directory: string;
  readonly environment: Environment;
  /** 0 means no limit. */
  readonly connectSeconds: number;
  readonly loginSeconds: number;
  readonly keepAliveSeconds: number;
  readonly killDelaySeconds: number;
  /** Ends the attempt. */
  readonly signal: AbortSignal;
}

export interface SshProcess {
  /** Mode 0700. */
  readonly directory: string;
  /** The number of a socket is its place in `targets`, from 1. */
  readonly socketPath: (number: number) => string;
  /** The last lines of its stderr. */
  readonly lines: readonly string[];
  /** The number of all lines so far. */
  readonly lineCount: number;
  readonly hasEnded: boolean;
  readonly ended: Promise<EndedSsh>;
  readonly stop: () => Promise<void>;
}

/**
 * The arguments are the directory of the sockets and the command. They are never part of the script. stdin is a pipe
 * that only increp holds. The kernel closes it when increp ends, however it ends: then the whole group of processes
 * ends, ssh and its ProxyCommand included. The signal is repeated, because a process that has just started may still
 * ignore it.
 */
const GUARD = `
umask 077
mkdir "$1" || exit
directory=$1
shift
exec 3<&0
trap '' TERM
(trap - TERM; exec "$@") 3<&- </dev/null &
ssh=$!
(
  read -r _ <&3
  tries=40
  while kill -0 "$ssh" && [ $tries -gt 0 ]; do kill -TERM 0; sleep 0.05; tries=$((tries - 1)); done
  rm -rf "$directory"
  kill -KILL 0
) >/dev/null 2>&1 </dev/null &
watcher=$!
exec 3<&-
wait "$ssh"
status=$?
rm -rf "$directory"
kill -KILL "$watcher"
exit "$status"
`;

const POLL_MS = 20;
const MOST_LINES = 40;

/** libpq, which finds a socket by its directory and port, requires this name. */
const socketName = (number: number): string => `.s.PGSQL.${number}`;

/**
 * ssh in the background would outlive increp. Its versions before 8.7 do not know the option, neither here nor in
 * ~/.ssh/config.
 */
const IN_FOREGROUND = ['ForkAfterAuthentication=no'];

/** Resolves when ssh listens on all sockets. @throws IncrepError SSH_FAILED, or CONFIG_INVALID without the program */
export async function startSsh(request: SshRequest): Promise<SshProcess> {
  try {
    return await startWith(IN_FOREGROUND, request);
  } catch (error) {
    const isUnknown =
      error instanceof IncrepError && /command-line.*forkafterauthentication/i.test(error.message);
    if (!isUnknown) throw error;
    return startWith([], request);
  }
}

async function startWith(more: readonly string[], request: SshRequest): Promise<SshProcess> {
  const { execa } = await import('execa');
  const directory = join(tmpdir(), `increp-ssh-${randomUUID().slice(0, 13)}`);
  const socketPath = (number: number) => join(directory, socketName(number));
  const child = execa('sh', ['-c', GUARD, 'increp-ssh', directory, ...wordsOf(request, more, socketPath)], {
    cwd: startDirectory(request.directory),
    env: {
      ...withoutOwnSecrets(request.environment),
      PATH: searchPathOf(request.environment),
      // No program answers a question. BatchMode has no effect on the ssh of a ProxyJump.
      SSH_ASKPASS_REQUIRE: 'never',
    },
    extendEnv: false,
    reject: false,
    buffer: false,
    stdin: 'pipe',
    stdout: 'ignore',
    // Its own session: Ctrl-C does not reach it, and it has no terminal to ask a question.
    detached: true,
  });
  const heard = hear(child.stderr);
  let hasEnded = false;
  const ended = child.then(({ exitCode, signal, code }): EndedSsh => {
    hasEnded = true;
    return { exitCode, signal, systemCode: code, lines: heard.lines };
  });
  child.stdin.on('error', () => undefined);
  const stop = async () => {
    child.stdin.destroy();
    const tooLate = setTimeout(() => killGroup(child.pid), request.killDelaySeconds * 1000);
    await ended;
    clearTimeout(tooLate);
    await rm(directory, { recursive: true, force: true });
  };
  const running: SshProcess = {
    directory,
    socketPath,
    lines: heard.lines,
    get lineCount() {
      return heard.count;
    },
    get hasEnded() {
      return hasEnded;
    },
    ended,
    stop,
  };
  const limit = request.connectSeconds === 0 ? Infinity : request.connectSeconds + request.loginSeconds;
  const isReady = await untilListening(running, request, limit);
  if (isReady) return running;
  const isLate = !hasEnded;
  await stop();
  throw loginError(request, await ended, isLate ? limit : undefined);
}

function wordsOf(
  request: SshRequest,
  more: readonly string[],
  socketPath: (number: number) => string,
): string[] {
  const { bastion, targets, connectSeconds, keepAliveSeconds } = request;
  const options = [
    'BatchMode=yes',
    'ExitOnForwardFailure=yes',
    'StrictHostKeyChecking=yes',
    // A shared connection of the user would outlive the run, or end in the middle of it.
    'ControlMaster=no',
    'ControlPath=none',
    `ServerAliveInterval=${keepAliveSeconds}`,
    'ServerAliveCountMax=3',
    ...(connectSeconds === 0 ? [] : [`ConnectTimeout=${Math.ceil(connectSeconds)}`]),
    // On this level, ssh says why the bastion cannot open a connection.
    'LogLevel=INFO',
    ...more,
  ];
  const path = (number: number) => socketPath(number).replaceAll('%', '%%');
  return [
    ...sshWords(bastion),
    '-N',
    '-T',
    ...options.flatMap((option) => ['-o', option]),
    ...targets.flatMap((target, index) => ['-L', `${path(index + 1)}:${target}`]),
    '--',
    sshLogin(bastion),
  ];
}

/** False if ssh has ended, or if the time is over. */
async function untilListening(
  ssh: SshProcess,
  { targets, signal }: SshRequest,
  seconds: number,
): Promise<boolean> {
  const end = performance.now() + seconds * 1000;
  let wasThere = false;
  while (!ssh.hasEnded && !signal.aborted && performance.now() < end) {
    const paths = targets.map((_, index) => ssh.socketPath(index + 1));
    const isThere = await areThere(paths);
    // A socket is there a moment before ssh listens on it. Where the system does not tell, it must be found twice.
    if (isThere && ((await areListening(paths)) ?? wasThere)) return true;
    wasThere = isThere;
    await Promise.race([delay(POLL_MS), ssh.ended]);
  }
  return false;
}

/** The flag __SO_ACCEPTCON in the column Flags. */
const LISTENS = '00010000';

/** From the sockets of Linux (proc(5)). Undefined on other systems. */
async function areListening(paths: readonly string[]): Promise<boolean | undefined> {
  const table = await readFile('/proc/net/unix', 'utf8').catch(() => undefined);
  const lines = table?.split('\n');
  return (
    lines &&
    paths.every((path) => lines.some((line) => line.endsWith(` ${path}`) && line.split(/\s+/)[3] === LISTENS))
  );
}

const areThere = (paths: readonly string[]): Promise<boolean> =>
  Promise.all(paths.map((path) => access(path))).then(
    () => true,
    () => false,
  );

interface Heard {
  readonly lines: string[];
  count: number;
}

/** Keeps the last lines, without characters that control a terminal. */
function hear(stderr: NodeJS.ReadableStream): Heard {
  const heard: Heard = { lines: [], count: 0 };
  let rest = '';
  stderr.setEncoding('utf8');
  const add = (line: string) => {
    const text = line
      .replaceAll(/\p{Cc}/gu, ' ')
      .trim()
      .slice(0, 500);
    if (text === '' || /^debug\d: /.test(text)) return;
    heard.count += 1;
    heard.lines.push(text);
    if (heard.lines.length > MOST_LINES) heard.lines.shift();
  };
  stderr.on('data', (chunk: string) => {
    const lines = (rest + chunk).slice(-100_000).split('\n');
    rest = lines.pop() ?? '';
    lines.forEach(add);
  });
  stderr.on('end', () => add(rest));
  return heard;
}

function killGroup(leader: number | undefined): void {
  try {
    if (leader !== undefined) process.kill(-leader, 'SIGKILL');
  } catch {
    // The group has ended.
  }
}
