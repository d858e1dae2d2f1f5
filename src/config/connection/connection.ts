/**
 * The connection of one side. Every field is explicit, because a value that pg or libpq guesses could name the wrong
 * server.
 */
import type { UrlParts } from './connection-url.ts';
import { parseConnectionUrl, SEVERAL_HOSTS } from './connection-url.ts';
import { IDENTIFIER, isIdentifier } from '../tables/identifiers.ts';
import { show } from '../problems.ts';
import type { SettingsReading } from '../environment/reading.ts';
import { isSet, refuse, required, textOf } from '../environment/reading.ts';
import type { ConnectionSettings } from '../settings.ts';
import { readTls } from './tls.ts';
import { NO_PARAMETERS } from './url-parameters.ts';
import type { AddressField, Prefix, VariableName } from '../environment/variables.ts';

type Address = Pick<ConnectionSettings, 'host' | 'port' | 'user' | 'password' | 'database'>;

const ADDRESS_FIELDS: readonly AddressField[] = ['HOST', 'PORT', 'USERNAME', 'PASSWORD', 'DB'];

/** Undefined if a problem was reported. */
export async function readConnection(
  reading: SettingsReading,
  prefix: Prefix,
): Promise<ConnectionSettings | undefined> {
  const hasUrl = isSet(reading, `${prefix}_URL`);
  const url = hasUrl ? readUrl(reading, prefix) : undefined;
  const address = hasUrl ? url && addressOfUrl(reading, prefix, url) : addressOfVariables(reading, prefix);
  const schema = readSchema(reading, prefix);
  const tls = await readTls(reading, prefix, url?.tls ?? {});
  if (!address || schema === undefined || !tls) return undefined;
  const isSchemaGiven = isSet(reading, `${prefix}_SCHEMA`);
  const side = prefix === 'SOURCE' ? 'source' : 'destination';
  const parameters = url?.parameters ?? NO_PARAMETERS;
  for (const name of url?.repeated ?? [])
    reading.warn(`${prefix}_URL: ${name} occurs twice; the last value is used, as in psql`);
  if (parameters.channelBinding === 'require' && tls.mode === 'disable')
    reading.warn(
      `${prefix}_URL: channel_binding=require has no effect with sslmode=disable; set sslmode=require, or remove channel_binding`,
    );
  return { side, ...address, schema, isSchemaGiven, tls, parameters };
}

function readUrl(reading: SettingsReading, prefix: Prefix): UrlParts | undefined {
  const name: VariableName = `${prefix}_URL`;
  const extra = ADDRESS_FIELDS.map((field): VariableName => `${prefix}_${field}`).filter((field) =>
    isSet(reading, field),
  );
  const twice = `set together with ${extra.join(', ')}; use either the URL or the individual variables`;
  const parsed = parseConnectionUrl(textOf(reading, name) ?? '');
  const faults = [...('faults' in parsed ? parsed.faults : []), ...(extra.length > 0 ? [twice] : [])];
  if (faults.length > 0) refuse(reading, name, { what: faults.join('; also ') });
  return 'faults' in parsed ? undefined : parsed;
}

function addressOfUrl(reading: SettingsReading, prefix: Prefix, url: UrlParts): Address | undefined {
  const host = checkHost(reading, `${prefix}_URL`, url.host);
  const port = checkPort(reading, `${prefix}_URL`, url.port || (textOf(reading, `${prefix}_PORT`) ?? ''));
  if (host === undefined || port === undefined) return undefined;
  return { host, port, user: url.user, password: url.password, database: url.database };
}

function addressOfVariables(reading: SettingsReading, prefix: Prefix): Address | undefined {
  const host = checkHost(reading, `${prefix}_HOST`, required(reading, `${prefix}_HOST`));
  const port = checkPort(reading, `${prefix}_PORT`, required(reading, `${prefix}_PORT`));
  const user = required(reading, `${prefix}_USERNAME`);
  const database = checkDatabase(reading, `${prefix}_DB`, required(reading, `${prefix}_DB`));
  if (host === undefined || port === undefined || user === undefined || database === undefined)
    return undefined;
  return { host, port, user, password: textOf(reading, `${prefix}_PASSWORD`), database };
}

/** A URL in the wrong variable may contain a password, so no message shows it. */
const looksLikeUrl = (text: string) => text.includes('://') || text.includes('@');

function checkHost(
  reading: SettingsReading,
  name: VariableName,
  host: string | undefined,
): string | undefined {
  if (host === undefined || host.startsWith('/')) return host;
  if (looksLikeUrl(host)) {
    return refuse(reading, name, { what: 'looks like a URL; set it to the host alone' });
  }
  if (/^[^:]*:\d*$/.test(host)) {
    return refuse(reading, name, {
      what: `${show(host)} contains a port; move it to the variable for the port`,
    });
  }
  if (/^[\w.:-]+(,[\w.:-]+)+$/.test(host)) return refuse(reading, name, { what: SEVERAL_HOSTS });
  if (!/[\s/,]/.test(host)) return host;
  const allowed = 'one host name, one address, or the absolute path of a socket directory';
  return refuse(reading, name, { what: `${show(host)} is not a host`, allowed });
}

function checkPort(
  reading: SettingsReading,
  name: VariableName,
  text: string | undefined,
): number | undefined {
  if (text === undefined) return undefined;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535) return port;
  return refuse(reading, name, { what: `${show(text)} is not a port`, allowed: '1 to 65535' });
}

function checkDatabase(
  reading: SettingsReading,
  name: VariableName,
  text: string | undefined,
): string | undefined {
  if (text === undefined || !text.includes('://')) return text;
  return refuse(reading, name, { what: 'looks like a URL; set it to the name of the database alone' });
}

/** The schema of the destination defaults to the name of the source schema. */
function readSchema(reading: SettingsReading, prefix: Prefix): string | undefined {
  const name = isSet(reading, `${prefix}_SCHEMA`) ? (`${prefix}_SCHEMA` as const) : 'SOURCE_SCHEMA';
  const schema = textOf(reading, name);
  if (schema === undefined || isIdentifier(schema)) return schema;
  // A wrong SOURCE_SCHEMA is reported once, for the source.
  return name.startsWith(prefix)
    ? refuse(reading, name, { what: `${show(schema)} is not a schema`, allowed: IDENTIFIER })
    : undefined;
}
