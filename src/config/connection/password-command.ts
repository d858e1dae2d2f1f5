/** Runs the program that prints a password. */
import type { Environment } from '../../environment.ts';
import { formatDuration } from '../../duration.ts';
import { IncrepError } from '../../errors.ts';
import { redactor } from '../../redact.ts';
import type { VariableName } from '../environment/variables.ts';
import { startDirectory } from '../directory.ts';
import { SERVICE_VARIABLES, VARIABLES } from '../environment/variables.ts';
import type { CredentialWait } from '../settings.ts';

interface PasswordCommand {
  /** The variable, for messages. */
  readonly name: VariableName;
  readonly words: readonly string[];
  /** Relative paths start there. */
  readonly directory: string;
  readonly environment: Environment;
}

/** A password is short. More output means that the program is another one. */
const MOST_OUTPUT = 1_000_000;

/** The first line of its output. @throws IncrepError AUTHENTICATION_FAILED, or CONFIG_INVALID if it cannot start */
export async function runPasswordCommand(
  { name, words, directory, environment }: PasswordCommand,
  { seconds, signal }: CredentialWait,
): Promise<string> {
  const [program = '', ...rest] = words;
  const { execa } = await import('execa');
  // A group of its own, so that the programs that it starts can be stopped together with it.
  const child = execa(program, rest, {
    cwd: startDirectory(directory),
    env: withoutOwnSecrets(environment),
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
    maxBuffer: MOST_OUTPUT,
    detached: true,
  });
  let isLate = false;
  const stop = () => {
    if (child.pid !== undefined) killGroup(child.pid);
    // A program in another group may still hold these pipes open.
    child.stdout.destroy();
    child.stderr.destroy();
  };
  const timer = setTimeout(() => {
    isLate = true;
    stop();
  }, seconds * 1000);
  signal?.addEventListener('abort', stop, { once: true });
  if (signal?.aborted) stop();
  const result = await child;
  clearTimeout(timer);
  signal?.removeEventListener('abort', stop);
  signal?.throwIfAborted();
  const [password = ''] = result.stdout?.split(/\r?\n/) ?? [];
  const said = redactor([result.stdout ?? '', ...(result.stdout ?? '').split(/\r?\n/)])(result.stderr ?? '');
  const stderr = said.trim() === '' ? '' : `: ${said.trim().replaceAll(/\s*\n\s*/g, ' / ')}`;
  if (result.code === 'ENOENT' || result.code === 'EACCES')
    throw new IncrepError('CONFIG_INVALID', {
      what: `${name}: the program ${JSON.stringify(program)} ${result.code === 'ENOENT' ? 'does not exist' : 'cannot be executed'}`,
      next: `Write its full path in ${name}, or add its directory to PATH. Options of a shell need: sh -c '...'`,
    });
  const fault = isLate
    ? `did not end within ${formatDuration(seconds)}`
    : result.failed
      ? `failed (${result.signal ?? `exit code ${result.exitCode ?? 'unknown'}`})`
      : password === ''
        ? 'printed no password on the first line of its output'
        : undefined;
  if (fault === undefined && !password.includes('\0')) return password;
  throw new IncrepError('AUTHENTICATION_FAILED', {
    what: `${name}: ${JSON.stringify(program)} ${fault ?? 'printed a password with a NUL character'}${stderr}`,
    next: `Run the program of ${name} by hand, as the user of increp and in the directory of the pipeline. It must print the password as its first line, without a question.`,
  });
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // The group has ended.
  }
}

const OWN_SECRETS: ReadonlySet<string> = new Set(
  [...VARIABLES, ...SERVICE_VARIABLES].filter(({ isSecret }) => isSecret).map(({ name }) => name),
);

/** `CONNECTION_SHOP_URL` of a worker is as secret as `SOURCE_URL`. */
const isOwnSecret = (name: string): boolean =>
  OWN_SECRETS.has(name.replace(/^CONNECTION_.+(?=_[A-Z]+$)/, 'SOURCE'));

/** The program needs HOME and the variables of its own service, but no password of increp. */
export const withoutOwnSecrets = (environment: Environment): Record<string, string | undefined> =>
  Object.fromEntries(Object.entries(environment).filter(([name]) => !isOwnSecret(name)));
