/** The servers of a connection: one, or several that are tried in order, as in libpq. Pure. */
import { throughWords } from './bastion.ts';
import type { ConnectionSettings, ServerAddress } from '../settings.ts';

type ServerList = Pick<ConnectionSettings, 'host' | 'port'> &
  Partial<Pick<ConnectionSettings, 'otherServers'>>;

export const serversOf = (settings: ConnectionSettings): readonly ServerAddress[] => {
  const { host, hostAddress, port, credential, otherServers } = settings;
  return [{ host, hostAddress, port, credential }, ...otherServers];
};

/** `one:5432/shop, schema public`: for a person. */
export const addressWords = (connection: ConnectionSettings): string =>
  `${serverNames(connection)}/${connection.database}, schema ${connection.schema}${throughWords(connection)}`;

/** `one:5432`, or `one:5432,two:5432`. */
export const serverNames = ({ host, port, otherServers = [] }: ServerList): string =>
  [{ host, port }, ...otherServers].map((each) => `${each.host}:${each.port}`).join(',');
