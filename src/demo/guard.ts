/**
 * A small shell process that outlives us by a moment. It makes a directory and holds a pipe from us; when the pipe
 * closes, because we are done or because we were killed in whatever way, it ends what runs there and removes it.
 */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { IncrepError } from '../errors.ts';
import { SERVER_ENVIRONMENT } from './postgres-binaries.ts';
import type { ServerUser } from './server-user.ts';

// initdb is waited for: it is done within a second, and would leave shared memory if its files went from under it.
// INT is a fast shutdown of the server. QUIT is an immediate one that still gives shared memory back, KILL does not.
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
  /** Tells which process to wait for (initdb) or to end (server); undefined when it has ended by itself. */
  watch(kind: 'initdb' | 'server', pid: number | undefined): void;
  /** Ends the server, removes the directory, and waits for both. */
  release(): Promise<void>;
  /** Leaves everything as it is, for good. */
  dismiss(): Promise<void>;
}

/** The directory must not exist yet; `user` will own it. */
export async function startGuard(directory: string, user: ServerUser | undefined): Promise<Guard> {
  // Its own session, so that Ctrl-C in the terminal reaches us and not it.
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
      problem = error.message;
      resolve();
    });
  });
  // A guard that somebody has killed cannot be written to; its owner does without it.
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
    what: `no directory for a server can be made at ${directory}: ${problem}`,
    next: 'Set TMPDIR to a directory that exists and has room.',
  });
