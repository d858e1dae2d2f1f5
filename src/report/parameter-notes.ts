/** Notes about parameters of connection URLs that have no effect, or not on all connections. Pure. */
import type { ConnectionSettings } from '../config/settings.ts';

const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ');

/** Undefined if all parameters have an effect on all connections. */
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
