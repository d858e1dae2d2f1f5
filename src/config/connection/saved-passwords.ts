/** Passwords from the password file of libpq, for connections without a password in the settings. */
import { changingCredential } from './credential.ts';
import { openPassfile, passwordIn, passwordLine, type PassfileText } from './passfile.ts';
import type { PasswordMemory } from '../environment/reading.ts';
import type { Warn } from '../problems.ts';
import type { Environment } from '../../environment.ts';
import type { Connections, ConnectionSettings, Credential, ServerAddress } from '../settings.ts';

interface Saved {
  readonly connections: Connections | undefined;
  /** By variable. */
  readonly origins: Readonly<Record<string, string>>;
}

const hasPassword = ({ credential }: ConnectionSettings): boolean =>
  credential.known !== undefined || credential.origin !== undefined;

interface PasswordSource {
  readonly environment: Environment;
  readonly learn: PasswordMemory['learn'];
}

/** Of one connection. The file is read again when the server refuses the password. */
function withPasswordsIn(
  connection: ConnectionSettings,
  file: PassfileText | undefined,
  { environment, learn }: PasswordSource,
): ConnectionSettings {
  const { passfile } = connection.parameters;
  const saved = (server: ServerAddress): Credential => {
    const login = { ...connection, ...server };
    const password = file && passwordIn(file, login);
    return changingCredential({
      origin: file ? `the password file ${file.path}` : 'the password file',
      first: password === undefined ? undefined : { password, at: performance.now() },
      read: async () => {
        const changed = await openPassfile(environment, () => undefined, passfile);
        return changed && passwordIn(changed, login);
      },
      learn: (found) => learn(found.password),
    });
  };
  const otherServers = connection.otherServers.map((server) => ({ ...server, credential: saved(server) }));
  const line = file && passwordLine(file, connection);
  return {
    ...connection,
    ...(line !== undefined && { passwordFrom: line }),
    credential: saved(connection),
    otherServers,
  };
}

/** For a connection that belongs to no pipeline. */
export async function withSavedPassword(
  connection: ConnectionSettings,
  { warn, ...source }: PasswordSource & { readonly warn: Warn },
): Promise<ConnectionSettings> {
  if (hasPassword(connection)) return connection;
  const file = await openPassfile(source.environment, warn, connection.parameters.passfile);
  return withPasswordsIn(connection, file, source);
}

/** The file is read only if a side has no password. A password in the settings always wins. */
export async function withSavedPasswords(
  connections: Connections | undefined,
  environment: Environment,
  warn: Warn,
  learn: PasswordMemory['learn'],
): Promise<Saved> {
  const several = connections?.destinations.map(({ connection }) => connection) ?? [];
  const sides = connections ? [connections.source, connections.destination, ...several] : [];
  const needed = sides.filter((connection) => !hasPassword(connection));
  const files = new Map<string | undefined, PassfileText | undefined>();
  for (const { parameters } of needed)
    if (!files.has(parameters.passfile))
      files.set(parameters.passfile, await openPassfile(environment, warn, parameters.passfile));
  if (!connections || files.size === 0) return { connections, origins: {} };
  const origins: Record<string, string> = {};
  const completed = (connection: ConnectionSettings): ConnectionSettings => {
    if (hasPassword(connection)) return connection;
    const file = files.get(connection.parameters.passfile);
    const filled = withPasswordsIn(connection, file, { environment, learn });
    const isFound = [filled, ...filled.otherServers].some(({ credential }) => credential.known !== undefined);
    const prefix = connection.side === 'source' ? 'SOURCE' : 'DEST';
    if (isFound && file) origins[`${prefix}_PASSWORD`] = `the password file ${file.path}`;
    return filled;
  };
  const { source, destination, destinations } = connections;
  return {
    connections: {
      source: completed(source),
      destination: completed(destination),
      destinations: destinations.map((each) => ({ ...each, connection: completed(each.connection) })),
    },
    origins,
  };
}
