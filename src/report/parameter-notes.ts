/** Notes about connections, for `increp config`. Pure. */
import { bastionName } from '../config/connection/bastion.ts';
import type { ConnectionSettings } from '../config/settings.ts';

const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ');

/** Parameters of a connection URL that have no effect, or not on all connections. Undefined if there are none. */
export function parameterNote(
  { side, parameters: { ignored, onlyForDump } }: Pick<ConnectionSettings, 'side' | 'parameters'>,
  destination?: string,
): string | undefined {
  const place = destination === undefined ? side : `${side} ${destination}`;
  const variable = side === 'source' ? 'SOURCE_SCHEMA' : 'DEST_SCHEMA';
  const schema = ignored.some((name) => name === 'schema' || name === 'currentSchema');
  const advice = schema ? `; to name the schema of the tables, set ${variable}` : '';
  const dumped = onlyForDump.map(([name]) => name);
  const notes = [
    ...(ignored.length === 0 ? [] : [`increp ignores ${quoted(ignored)} in the connection URL${advice}`]),
    ...(dumped.length === 0
      ? []
      : [`only pg_dump uses ${quoted(dumped)}; the other connections use the TCP settings of this system`]),
  ];
  return notes.length === 0 ? undefined : `${place}: ${notes.join('. ')}`;
}

/** Undefined if increp connects directly. */
export const tunnelNote = (
  { side, bastion }: Pick<ConnectionSettings, 'side' | 'bastion'>,
  destination?: string,
): string | undefined =>
  bastion &&
  `${destination === undefined ? side : `${side} ${destination}`}: increp connects through the SSH tunnel of ${bastionName(bastion)} (${bastion.variable})`;
