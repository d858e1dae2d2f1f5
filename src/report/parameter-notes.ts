/** Notes about parameters of connection URLs that have no effect in increp. Pure. */
import type { ConnectionSettings } from '../config/settings.ts';

/** Undefined if all parameters have an effect. */
export function parameterNote(
  { side, parameters: { ignored } }: Pick<ConnectionSettings, 'side' | 'parameters'>,
  destination?: string,
): string | undefined {
  if (ignored.length === 0) return undefined;
  const place = destination === undefined ? side : `${side} ${destination}`;
  const variable = side === 'source' ? 'SOURCE_SCHEMA' : 'DEST_SCHEMA';
  const schema = ignored.some((name) => name === 'schema' || name === 'currentSchema');
  const advice = schema ? `; to name the schema of the tables, set ${variable}` : '';
  return `${place}: increp ignores ${ignored.map((name) => `"${name}"`).join(', ')} in the connection URL${advice}`;
}
