/** A real sshd on a loopback port, with keys and a client configuration of its own. */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'vitest';
import { freePort } from '../../src/demo/embedded-server.ts';
import { waitUntil } from './activity.ts';
import { processTree } from './descendants.ts';
import { canTestTls } from './tls-test.ts';

/** Debian puts it where an ordinary user's PATH does not look. sshd starts itself again by this path. */
const SSHD = '/usr/sbin/sshd';

const hasSshd = (): boolean =>
  [SSHD, 'ssh'].every((program) => spawnSync(program, ['-V'], { stdio: 'ignore' }).error === undefined);

/** A machine without the packages openssh-server and openssh-client leaves these tests out; in the gate they would fail. */
export const testWithSshd = test.skipIf(!process.env['CI'] && !hasSshd());
export const canTestSsh = Boolean(process.env['CI']) || hasSshd();
/** The same for tests with certificates. */
export const testWithSshdAndTls = test.skipIf(!(canTestSsh && canTestTls));

interface SshdOptions {
  /** `PermitOpen` of sshd_config: the addresses to which the bastion connects. */
  readonly permitOpen?: string;
}

export interface Sshd extends AsyncDisposable {
  readonly port: number;
  readonly user: string;
  /** Keys, known_hosts and the client configuration `config`. */
  readonly directory: string;
  /** `user@127.0.0.1:port`. */
  readonly address: string;
  /** What SOURCE_SSH_COMMAND is set to. */
  readonly command: string;
  /** The number of logins so far. */
  readonly logins: () => number;
  /** Ends the sessions, as a broken network does. */
  readonly drop: () => Promise<void>;
  readonly stop: () => Promise<void>;
  readonly start: () => Promise<void>;
}

export async function startSshd({ permitOpen = 'any' }: SshdOptions = {}): Promise<Sshd> {
  const directory = await mkdtemp(join(tmpdir(), 'increp-sshd-'));
  const inside = (name: string) => join(directory, name);
  for (const name of ['host', 'user', 'stranger'])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', inside(name)]);
  const port = await freePort();
  await copyFile(inside('user.pub'), inside('authorized_keys'));
  const key = (await readFile(inside('host.pub'), 'utf8')).split(' ', 2).join(' ');
  await writeFile(inside('known_hosts'), `[127.0.0.1]:${port} ${key}\n`);
  await writeFile(inside('config'), clientConfiguration(directory));
  await writeFile(inside('sshd_config'), serverConfiguration(directory, port, permitOpen));
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  let log = '';
  let daemon: ChildProcess | undefined;
  const start = async () => {
    const child = spawn(SSHD, ['-D', '-e', '-f', inside('sshd_config')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let own = '';
    child.stderr.on('data', (chunk: Buffer) => {
      own += chunk.toString();
      log += chunk.toString();
    });
    await waitUntil('sshd listens', () => {
      if (child.exitCode !== null) throw new Error(`sshd ended: ${own}`);
      return Promise.resolve(own.includes('Server listening'));
    });
    daemon = child;
  };
  const drop = async () => {
    const tree = await processTree(daemon?.pid ?? 0);
    for (const { pid } of tree) if (pid !== daemon?.pid) endProcess(pid);
  };
  const stop = async () => {
    await drop();
    const child = daemon;
    daemon = undefined;
    if (!child || child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  };
  await start();
  const user = userInfo().username;
  return {
    port,
    user,
    directory,
    address: `${user}@127.0.0.1:${port}`,
    command: `ssh -F ${inside('config')}`,
    logins: () => log.split('Accepted publickey').length - 1,
    drop,
    stop,
    start,
    [Symbol.asyncDispose]: async () => {
      await stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

const clientConfiguration = (directory: string): string => `Host *
  IdentityFile ${join(directory, 'user')}
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile ${join(directory, 'known_hosts')}
  GlobalKnownHostsFile /dev/null
`;

const serverConfiguration = (directory: string, port: number, permitOpen: string): string => `
Port ${port}
ListenAddress 127.0.0.1
HostKey ${join(directory, 'host')}
AuthorizedKeysFile ${join(directory, 'authorized_keys')}
PidFile ${join(directory, 'pid')}
PermitOpen ${permitOpen}
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 100
KexAlgorithms curve25519-sha256
`;

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

/** The command lines of the processes that a tunnel consists of. */
export async function tunnelProcesses({ directory }: Sshd): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir('/proc')) {
    const line = /^\d+$/.test(name) ? await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '') : '';
    if (line.includes(directory) && line.includes('/increp-ssh-')) found.push(line.replaceAll('\0', ' '));
  }
  return found;
}

/** The directories of the sockets of running tunnels. */
export const tunnelDirectories = (commandLines: readonly string[]): string[] => [
  ...new Set(commandLines.flatMap((line) => /\S+\/increp-ssh-[\w-]+/.exec(line)?.[0] ?? [])),
];
