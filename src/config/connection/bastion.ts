/** The SSH server through which the connections of one side go, from `SOURCE_SSH` and `SOURCE_SSH_COMMAND`. */
import { readCommand, shellWord } from '../../shell-word.ts';
import type { SettingsReading } from '../environment/reading.ts';
import { isSet, refuse, textOf } from '../environment/reading.ts';
import type { ConnectionPrefix, VariableName } from '../environment/variables.ts';
import type { Bastion, ServerAddress } from '../settings.ts';

/** The word of ssh for "no proxy". */
export const NO_BASTION = 'none';

const HOST = /^(?:\[[\da-f:.]+(?:%[\w.-]+)?\]|[\p{L}\p{N}_][\p{L}\p{N}._-]*)$/iu;
const USER = /^[^\s:/-][^\s:/]*$/;

type ReadAddress = Pick<Bastion, 'user' | 'host' | 'port'> | { readonly fault: string };

/** Everything before the last @ is the user, as in ssh. No fault repeats the text, which may contain a password. */
export function readBastionAddress(text: string): ReadAddress {
  const address = text.replace(/^ssh:\/\/([^/]*)\/?$/i, '$1');
  const at = address.lastIndexOf('@');
  const user = at === -1 ? undefined : address.slice(0, at);
  const [, host = '', port] = /^(\[.*\]|[^:]*)(?::(\d+))?$/.exec(address.slice(at + 1)) ?? [];
  if (address.includes(','))
    return {
      fault: 'names several hosts; for several hops, set ProxyJump in ~/.ssh/config, and name one host',
    };
  if (user?.includes(':'))
    return {
      fault:
        'contains a colon before the @; increp uses no password for ssh, but keys, an agent or a certificate',
    };
  if (user !== undefined && !USER.test(user)) return { fault: `does not name a user of the form ${FORM}` };
  if (!HOST.test(host))
    return { fault: `does not name a host of the form ${FORM}; write an IPv6 address in brackets` };
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535))
    return { fault: 'contains a port that is not from 1 to 65535' };
  return {
    user,
    host: host.replace(/^\[(.*)\]$/, '$1'),
    port: port === undefined ? undefined : Number(port),
  };
}

const FORM = 'USER@HOST:PORT, HOST or a Host of ~/.ssh/config';

/** ssh would replace these in a path. */
const SPECIAL_IN_PATH = /[%$:\\[\]]/;

/** Undefined if the side has no bastion. Null if a problem was reported. */
export function readBastion(
  reading: SettingsReading,
  prefix: ConnectionPrefix,
  servers: readonly Pick<ServerAddress, 'host'>[],
): Bastion | undefined | null {
  const [name, commandName] = [`${prefix}_SSH`, `${prefix}_SSH_COMMAND`] as const;
  const report = (variable: VariableName, what: string) => refuse(reading, variable, { what }) ?? null;
  const text = textOf(reading, name)?.trim();
  if (text === undefined)
    return isSet(reading, commandName)
      ? report(commandName, `has no effect without ${name}; set that variable, or remove this one`)
      : undefined;
  if (text.toLowerCase() === NO_BASTION) return undefined;
  const address = readBastionAddress(text);
  if ('fault' in address) return report(name, address.fault);
  const command = readCommand(textOf(reading, commandName) ?? 'ssh');
  if ('fault' in command) return report(commandName, command.fault);
  const [ours] = command.words.flatMap((word) => OURS.exec(word)?.[0] ?? OUR_LETTERS.exec(word)?.[0] ?? []);
  if (ours !== undefined) return report(commandName, `contains ${ours}, which increp sets itself; remove it`);
  if (servers.some(({ host }) => host.startsWith('/') && SPECIAL_IN_PATH.test(host)))
    return report(name, `cannot reach a socket directory with one of % $ : \\ [ ] in its path`);
  return { ...address, command: command.words, variable: name };
}

/** A tunnel without a check of the host key would lead to any server. The other options make it end with the run. */
const OURS =
  /StrictHostKeyChecking|BatchMode|ExitOnForwardFailure|ForkAfterAuthentication|ControlMaster|ControlPath|ClearAllForwardings/i;
/** -f and -M, alone or behind other options without a value. */
const OUR_LETTERS = /^-[46AaCGgKkNnqsTtVvXxYy]*[fM]\w*$/;

/** What ssh forwards to: `HOST:PORT`, or the path of a socket at the bastion. */
export const serverTarget = ({ host, hostAddress, port }: Omit<ServerAddress, 'credential'>): string => {
  if (host.startsWith('/')) return `${host}/.s.PGSQL.${port}`;
  const name = hostAddress ?? host;
  return `${name.includes(':') ? `[${name}]` : name}:${port}`;
};

/** `deploy@bastion.example.com:22`, for messages. */
export const bastionName = ({ user, host, port }: Pick<Bastion, 'user' | 'host' | 'port'>): string =>
  [
    user === undefined ? '' : `${user}@`,
    host.includes(':') ? `[${host}]` : host,
    port === undefined ? '' : `:${port}`,
  ].join('');

/** `, through deploy@bastion.example.com`, behind the name of a server. Empty for a direct connection. */
export const throughWords = ({ bastion }: { readonly bastion: Bastion | undefined }): string =>
  bastion ? `, through ${bastionName(bastion)}` : '';

/** The words of a command that logs in there, before other options. */
export const sshWords = ({ command, port }: Bastion): readonly string[] => [
  ...command,
  ...(port === undefined ? [] : ['-p', String(port)]),
];

export const sshLogin = ({ user, host }: Bastion): string => (user === undefined ? host : `${user}@${host}`);

/** A command for the user, quoted for a shell. */
export const sshCommand = (
  bastion: Bastion,
  options: readonly string[],
  remote: readonly string[] = [],
): string => [...sshWords(bastion), ...options, sshLogin(bastion), ...remote].map(shellWord).join(' ');
