/** Errors of ssh, with its own words and the hop that failed. */
import { formatDuration } from '../../duration.ts';
import { IncrepError, reworded, type DatabaseSide } from '../../errors.ts';
import { bastionName, sshCommand } from '../../config/connection/bastion.ts';
import type { Bastion } from '../../config/settings.ts';

export interface EndedSsh {
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** Of the operating system, if the process could not be started. */
  readonly systemCode: string | undefined;
  /** The last lines of its stderr. */
  readonly lines: readonly string[];
}

interface SshPlace {
  readonly side: DatabaseSide;
  readonly bastion: Bastion;
}

/** The words of ssh without its frames and its introduction to a changed key. */
function wordsOfSsh({ exitCode, signal, systemCode, lines }: EndedSsh): string {
  const telling = lines.filter((line) => !/^@+$|^(IT IS POSSIBLE|Someone could|It is also)/.test(line));
  const said = telling.slice(-MOST_LINES).join(' / ').slice(-MOST_CHARACTERS);
  return (
    said ||
    (signal === undefined ? `exit code ${exitCode ?? systemCode ?? 'unknown'}` : `killed by ${signal}`)
  );
}

const MOST_LINES = 12;
const MOST_CHARACTERS = 1500;

interface Advice {
  readonly says: RegExp;
  /** False if a retry cannot help. */
  readonly isTransient?: false;
  readonly next: (bastion: Bastion) => string;
}

const byHand = (bastion: Bastion): string => sshCommand(bastion, [], ['exit']);

const VERDICTS: readonly Advice[] = [
  {
    says: /REMOTE HOST IDENTIFICATION HAS CHANGED|Host key for .* has changed/,
    isTransient: false,
    next: () =>
      'The host key differs from the one in known_hosts. Ask the administrator of that host whether it was replaced. Only then remove the old key with the command that ssh names, and accept the new one.',
  },
  {
    says: /Host key verification failed|host key is known for/,
    isTransient: false,
    next: (bastion) =>
      `increp accepts only hosts in known_hosts. To accept the key after you compared its fingerprint, run as the user of increp: ${byHand(bastion)}`,
  },
  {
    says: /Permission denied|Too many authentication failures|No supported authentication methods|sign_and_send_pubkey/,
    isTransient: false,
    next: (bastion) =>
      `increp cannot type a password or a passphrase. Use a key without one, or an agent (SSH_AUTH_SOCK). To test the login, run as the user of increp: ${byHand(bastion).replace(/^ssh /, 'ssh -o BatchMode=yes ')}`,
  },
  {
    says: /Bad owner or permissions|Bad configuration option|bad configuration options|Can't open user config file|Bad (local )?forwarding specification|unknown option|keyword .* (extra arguments|missing argument)/i,
    isTransient: false,
    next: ({ variable }) =>
      `Correct ~/.ssh/config or ${variable}_COMMAND. If the path of the socket is too long, set TMPDIR to a shorter directory.`,
  },
  {
    says: /cannot listen to port|Address already in use|Could not request local forwarding/i,
    isTransient: false,
    next: () =>
      'Remove LocalForward from the Host in ~/.ssh/config that increp uses, or give increp a Host of its own.',
  },
];

/** @param lateAfter the time limit in seconds, if it was exceeded */
export function loginError(place: SshPlace, ended: EndedSsh, lateAfter: number | undefined): IncrepError {
  const { side, bastion } = place;
  const [program = 'ssh'] = bastion.command;
  const commandVariable = `${bastion.variable}_COMMAND`;
  if (ended.exitCode === 127 || ended.exitCode === 126)
    return new IncrepError('CONFIG_INVALID', {
      what: `${bastion.variable}: the program ${JSON.stringify(program)} cannot be started: ${wordsOfSsh(ended)}`,
      next: `Install the OpenSSH client (Debian: apt-get install openssh-client), or write the path of the program in ${commandVariable}.`,
    });
  const words = wordsOfSsh(ended);
  const said =
    lateAfter === undefined
      ? words
      : `no login within ${formatDuration(lateAfter)}${ended.lines.length > 0 ? `: ${words}` : ''}`;
  const verdict = VERDICTS.find(({ says }) => ended.lines.some((line) => says.test(line)));
  return new IncrepError('SSH_FAILED', {
    what: `${side}: the SSH tunnel through ${bastionName(bastion)} cannot be opened: ${said}`,
    next:
      verdict?.next(bastion) ??
      `Check ${bastion.variable}, and that this machine can reach that host. To test it, run as the user of increp: ${byHand(bastion)}`,
    ...(verdict?.isTransient === false && { isTransient: false }),
  });
}

/** The reason of the last connection that the bastion did not open, if it is among the last lines. */
export function refusalIn(lines: readonly string[], last: number): string | undefined {
  for (const line of lines.slice(Math.max(0, lines.length - last)).toReversed()) {
    const [, reason] = /^channel \d+: open failed: (.*)/.exec(line) ?? [];
    if (reason !== undefined) return reason;
  }
  return undefined;
}

/** -W of ssh has no form for a socket. */
const adviceFor = (bastion: Bastion, target: string): string =>
  `Check host and port, that the server is running, and that the bastion can reach it.${target.startsWith('/') ? '' : ` To test it: ${sshCommand(bastion, ['-W', target])}`}`;

/** The bastion is reached, but it does not open a connection to the database. */
export function refusalError(
  { side, bastion }: SshPlace,
  {
    reason,
    target,
    database,
  }: { readonly reason: string; readonly target: string; readonly database: string },
): IncrepError {
  const name = bastionName(bastion);
  const what = `${side} ${target}/${database}: the bastion ${name} cannot connect to ${target}: ${reason}`;
  if (reason.startsWith('administratively prohibited'))
    return new IncrepError('SSH_FAILED', {
      what,
      next: `Allow it in sshd_config of the bastion (AllowTcpForwarding, PermitOpen; for a socket AllowStreamLocalForwarding). Also check "permitopen" and "restrict" in authorized_keys.`,
      isTransient: false,
    });
  return new IncrepError('CONNECTION_FAILED', {
    what,
    next: `The login at the bastion works. ${adviceFor(bastion, target)}`,
  });
}

/** The tunnel ended, and the connection with it. */
export const lost = (error: IncrepError, bastion: Bastion, ended: EndedSsh): IncrepError =>
  reworded(error, {
    what: `${error.message}; the SSH tunnel through ${bastionName(bastion)} ended: ${wordsOfSsh(ended)}`,
    next: 'Check the network to the bastion, and the log of its sshd. Then run increp again; it continues where the last run ended.',
    cause: error.cause,
  });

/** The bastion says nothing, so the database does not answer it, or closes the connection. */
export const unanswered = (error: IncrepError, bastion: Bastion, target: string): IncrepError =>
  reworded(error, {
    what: `${error.message} (through the bastion ${bastionName(bastion)})`,
    next: `The login at the bastion works. ${adviceFor(bastion, target)}`,
    cause: error.cause,
  });
