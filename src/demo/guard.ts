/**
 * A small shell process that outlives this process by a moment. It creates a directory and holds a pipe from this
 * process. When the pipe closes, because the work is done or the process was killed, it stops the server and removes
 * the directory.
 */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { IncrepError } from '../errors.ts';
import { fileFault } from '../system-fault.ts';
import { SERVER_ENVIRONMENT } from './postgres-binaries.ts';
import type { ServerUser } from './server-user.ts';

// The guard waits for initdb, which ends within a second. Without its files, initdb would leave shared memory behind.
// INT is a fast shutdown of the server. QUIT is an immediate shutdown that still releases shared memory; KILL does
// not.
const SCRIPT = /* sh */ `
  mkdir -m 700 -- "$1" 2>&1 || exit 1
  echo ready
  exec >/dev/null
  initdb= server=
  while read -r word pid; do
    case $word in
      initdb) initdb=$pid ;;
      server) server=$pid ;;
      keep) exit 0 ;;
      stop) break ;;
    esac
  done
  runs() { [ -n "$1" ] && kill -0 "$1" 2>/dev/null; }
  await_end() {
    tries=$2
    while runs "$1" && [ $tries -gt 0 ]; do sleep 0.05; tries=$((tries - 1)); done
  }
  await_end "$initdb" 400
  for step in INT:80 QUIT:20 KILL:40; do
    if runs "$server"; then kill -s \${step%:*} "$server"; await_end "$server" \${step#*:}; fi
  done
  tries=20
  until rm -rf -- "$1" 2>/dev/null || [ $tries -eq 0 ]; do sleep 0.1; tries=$((tries - 1)); done
`;

export interface Guard {
  /** Names the process to wait for (initdb) or to stop (server); undefined after it has ended. */
  watch(kind: 'initdb' | 'server', pid: number | undefined): void;
  /** Stops the server, removes the directory, and waits for both. */
  release(): Promise<void>;
  /** Leaves everything as it is. */
  dismiss(): Promise<void>;
}

/** The directory must not exist yet; `user` will own it. */
export async function startGuard(directory: string, user: ServerUser | undefined): Promise<Guard> {
  // A session of its own, so that Ctrl-C in the terminal does not reach it.
  const child = spawn('/bin/sh', ['-c', SCRIPT, 'increp-server-guard', directory], {
    ...user,
    detached: true,
    cwd: '/',
    env: SERVER_ENVIRONMENT,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  let problem = '';
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', (error) => {
      problem = fileFault(error);
      resolve();
    });
  });
  // A guard that was killed cannot be written to. Its owner continues without it.
  child.stdin.on('error', () => undefined);
  const answer = await text(child.stdout).catch(String);
  if (answer.trim() !== 'ready') throw cannotGuard(directory, answer.trim() || problem);
  child.unref();
  const finish = async (word: string) => {
    child.ref();
    child.stdin.end(`${word}\n`);
    await ended;
  };
  return {
    watch: (kind, pid) => void (child.stdin.writable && child.stdin.write(`${kind} ${pid ?? ''}\n`)),
    release: () => finish('stop'),
    dismiss: () => finish('keep'),
  };
}

const cannotGuard = (directory: string, problem: string) =>
  new IncrepError('NOT_SUPPORTED', {
    what: `increp cannot create the directory ${directory} for a server: ${problem}`,
    next: 'Set TMPDIR to an existing directory with free space.',
  });
