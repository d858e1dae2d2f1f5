/** The settings of `serve` and `work`, which come from the environment alone. */
import type { Environment } from '../../environment.ts';
import { readConnection } from '../connection/connection.ts';
import { withSavedPassword } from '../connection/saved-passwords.ts';
import { choiceOf, type SettingsReading } from '../environment/reading.ts';
import { secretsOf } from '../environment/secrets.ts';
import { readNamedValues, type Value } from '../environment/values.ts';
import type { VariableName } from '../environment/variables.ts';
import { SERVICE_VARIABLES } from '../environment/variables.ts';
import { serviceError, type Problem } from '../problems.ts';
import type { ConnectionSettings, LogSettings } from '../settings.ts';

export interface ServiceSettings {
  readonly control: ConnectionSettings;
  readonly log: LogSettings;
  /** The secrets of hooks come from it. */
  readonly hookKey: string | undefined;
  /** The list grows when a password changes. */
  readonly secrets: readonly string[];
  readonly warnings: readonly string[];
}

const SHORTEST_KEY = 32;

const NAMES: readonly VariableName[] = [
  ...SERVICE_VARIABLES.map(({ name }) => name),
  'LOG_LEVEL',
  'LOG_FORMAT',
];

/** @throws IncrepError with all problems */
export async function readServiceSettings(
  directory: string,
  environment: Environment,
): Promise<ServiceSettings> {
  const problems: Problem[] = [];
  const report = (problem: Problem) => void problems.push(problem);
  const found = await readNamedValues(NAMES, { directory, environment, envFile: {}, report });
  const values = found as ReadonlyMap<VariableName, Value>;
  const secrets: string[] = [];
  const warnings: string[] = [];
  const warn = (message: string) => void warnings.push(message);
  const passwords = { printed: new Map(), learn: (password: string) => void secrets.push(password) };
  const reading: SettingsReading = {
    directory,
    values,
    environment,
    passwords,
    report,
    warn,
  };
  if (!values.has('SERVE_DATABASE_URL'))
    report({
      where: 'SERVE_DATABASE_URL',
      what: 'not set; it names the control database, such as postgresql://increp:secret@db.example.com/increp_control',
    });
  const connection = values.has('SERVE_DATABASE_URL')
    ? await readConnection(reading, 'SERVE_DATABASE')
    : undefined;
  const { learn } = passwords;
  const control = connection && (await withSavedPassword(connection, { environment, warn, learn }));
  const level = choiceOf(reading, 'LOG_LEVEL', ['trace', 'debug', 'info', 'warn', 'error', 'silent']);
  const format = choiceOf(reading, 'LOG_FORMAT', ['auto', 'pretty', 'json']);
  const secretNames = SERVICE_VARIABLES.filter(({ isSecret }) => isSecret).map(({ name }) => name);
  secrets.push(
    ...secretsOf(
      undefined,
      values,
      secretNames.flatMap((name) => values.get(name) ?? []),
    ),
  );
  if (control?.credential.known !== undefined) secrets.push(control.credential.known);
  const hookKey = values.get('SERVE_HOOK_KEY')?.text;
  if (hookKey !== undefined && hookKey.length < SHORTEST_KEY)
    report({
      where: 'SERVE_HOOK_KEY',
      what: `shorter than ${SHORTEST_KEY} characters; make one: openssl rand -hex 32`,
    });
  if (hookKey !== undefined) secrets.push(hookKey);
  if (problems.length > 0 || !control || !level || !format) throw serviceError(problems);
  return { control, log: { level, format }, hookKey, secrets, warnings };
}
