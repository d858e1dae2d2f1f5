/** Passwords from the password file of libpq, for connections without a password in the settings. */
import { openPassfile, passwordIn, type PassfileText } from './passfile.ts';
import type { Warn } from '../problems.ts';
import type { Environment } from '../../environment.ts';
import type { Connections, ConnectionSettings, ServerAddress } from '../settings.ts';

interface Saved {
  readonly connections: Connections | undefined;
  /** By variable. */
  readonly origins: Readonly<Record<string, string>>;
}

/** The file is read only if a side has no password. A password in the settings always wins. */
export async function withSavedPasswords(
  connections: Connections | undefined,
  environment: Environment,
  warn: Warn,
): Promise<Saved> {
  const several = connections?.destinations.map(({ connection }) => connection) ?? [];
  const sides = connections ? [connections.source, connections.destination, ...several] : [];
  const needed = sides.filter(({ password }) => password === undefined);
  const files = new Map<string | undefined, PassfileText | undefined>();
  for (const { parameters } of needed)
    if (!files.has(parameters.passfile))
      files.set(parameters.passfile, await openPassfile(environment, warn, parameters.passfile));
  if (!connections || files.size === 0) return { connections, origins: {} };
  const origins: Record<string, string> = {};
  const completed = (connection: ConnectionSettings): ConnectionSettings => {
    const file = files.get(connection.parameters.passfile);
    if (connection.password !== undefined || !file) return connection;
    const saved = (server: ServerAddress) => passwordIn(file, { ...connection, ...server });
    const password = passwordIn(file, connection);
    const otherServers = connection.otherServers.map((server) => ({ ...server, password: saved(server) }));
    if (password === undefined && otherServers.every((server) => server.password === undefined))
      return connection;
    const prefix = connection.side === 'source' ? 'SOURCE' : 'DEST';
    origins[`${prefix}_PASSWORD`] = `the password file ${file.path}`;
    return { ...connection, password, otherServers };
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
