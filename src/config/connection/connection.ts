/**
 * The connection of one side. Every field is explicit, because a value that pg or libpq guesses could name the wrong
 * server.
 */
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import type { UrlParts } from './connection-url.ts';
import { parseConnectionUrl } from './connection-url.ts';
import { IDENTIFIER, isIdentifier } from '../tables/identifiers.ts';
import { show } from '../problems.ts';
import type { SettingsReading } from '../environment/reading.ts';
import { isSet, refuse, required, textOf } from '../environment/reading.ts';
import type { ConnectionSettings, Credential, ServerAddress, SessionParameters } from '../settings.ts';
import type { Conninfo } from './conninfo.ts';
import { readBastion } from './bastion.ts';
import { passwordPlace, readCredential } from './credential.ts';
import { readTls } from './tls.ts';
import { valueWithService } from './service-file.ts';
import { sessionFault, sessionParameters } from './url-parameters.ts';
import type { AddressField, ConnectionPrefix, SessionField, VariableName } from '../environment/variables.ts';

type Address = ServerAddress & Pick<ConnectionSettings, 'otherServers' | 'user' | 'database'>;

/** A password may accompany a URL, so it is not among the fields that a URL replaces. */
const URL_FIELDS: readonly AddressField[] = ['HOST', 'PORT', 'USERNAME', 'DB'];
const ADDRESS_FIELDS: readonly AddressField[] = [...URL_FIELDS, 'PASSWORD'];

const SIDES = { SOURCE: 'source', DEST: 'destination', SERVE_DATABASE: 'control database' } as const;

/** Undefined if a problem was reported. */
export async function readConnection(
  given: SettingsReading,
  prefix: ConnectionPrefix,
): Promise<ConnectionSettings | undefined> {
  const reading = await withService(given, `${prefix}_URL`);
  const hasUrl = isSet(reading, `${prefix}_URL`);
  const url = hasUrl ? readUrl(reading, prefix) : undefined;
  const credential = readCredential(reading, prefix, url?.password);
  const address = hasUrl
    ? url && addressOfUrl(reading, prefix, url, credential)
    : addressOfVariables(reading, prefix, credential);
  const schema = readSchema(reading, prefix);
  const tls = await readTls(reading, prefix, url?.tls ?? {});
  const servers = address ? [address, ...address.otherServers] : [];
  const bastion = readBastion(reading, prefix, servers);
  if (!address || schema === undefined || !tls || bastion === null) return undefined;
  const isSchemaGiven = isSet(reading, `${prefix}_SCHEMA`);
  const side = SIDES[prefix];
  const parameters = readSession(reading, prefix, url?.session);
  if (!parameters) return undefined;
  for (const name of url?.repeated ?? [])
    reading.warn(`${prefix}_URL: ${name} occurs twice; the last value is used, as in psql`);
  if (parameters.channelBinding === 'require' && (tls.mode === 'disable' || address.host.startsWith('/')))
    return refuse(
      reading,
      isSet(reading, `${prefix}_CHANNEL_BINDING`) ? `${prefix}_CHANNEL_BINDING` : `${prefix}_URL`,
      {
        what: 'channel_binding=require needs TLS, which sslmode=disable and sockets do not have; set sslmode=require, or remove channel_binding',
      },
    );
  const passwordFrom = passwordPlace(reading, prefix);
  return {
    ...{ side, ...address, schema, isSchemaGiven, tls, bastion, parameters },
    ...(hasUrl && { urlFrom: `${prefix}_URL` }),
    ...(passwordFrom !== undefined && { passwordFrom }),
  };
}

async function withService(reading: SettingsReading, name: VariableName): Promise<SettingsReading> {
  const value = reading.values.get(name);
  if (!value) return reading;
  const values = new Map(reading.values).set(name, await valueWithService(value, reading));
  return { ...reading, values };
}

const SESSION_FIELDS: readonly SessionField[] = [
  'CONNECT_TIMEOUT',
  'CHANNEL_BINDING',
  'REQUIRE_AUTH',
  'TARGET_SESSION_ATTRS',
];

/** The parameters of the URL, and variables for those that the URL does not have. */
function readSession(
  reading: SettingsReading,
  prefix: ConnectionPrefix,
  inUrl: Conninfo = new Map(),
): SessionParameters | undefined {
  const session = new Map(inUrl);
  let isValid = true;
  for (const field of SESSION_FIELDS) {
    const name: VariableName = `${prefix}_${field}`;
    const parameter = field.toLowerCase();
    const value = reading.values.get(name)?.text;
    if (value === undefined) continue;
    const faults = inUrl.has(parameter)
      ? [`set together with ${parameter} in ${prefix}_URL; remove one of them`]
      : (sessionFault(parameter, value) ?? []);
    for (const what of faults) refuse(reading, name, { what });
    isValid &&= faults.length === 0;
    session.set(parameter, value);
  }
  const parameters = sessionParameters(session);
  const { passfile } = parameters;
  return isValid
    ? { ...parameters, passfile: passfile === undefined ? undefined : resolve(reading.directory, passfile) }
    : undefined;
}

function readUrl(reading: SettingsReading, prefix: ConnectionPrefix): UrlParts | undefined {
  const name: VariableName = `${prefix}_URL`;
  const extra = URL_FIELDS.map((field): VariableName => `${prefix}_${field}`).filter((field) =>
    isSet(reading, field),
  );
  const twice = `set together with ${extra.join(', ')}; use either the URL or the individual variables`;
  const value = reading.values.get(name);
  const parsed =
    value?.fault === undefined ? parseConnectionUrl(value?.text ?? '') : { faults: [value.fault] };
  const faults = [...('faults' in parsed ? parsed.faults : []), ...(extra.length > 0 ? [twice] : [])];
  if (faults.length > 0) refuse(reading, name, { what: faults.join('; also ') });
  return 'faults' in parsed ? undefined : parsed;
}

function addressOfUrl(
  reading: SettingsReading,
  prefix: ConnectionPrefix,
  url: UrlParts,
  credential: Credential | undefined,
): Address | undefined {
  const { user, database } = url;
  const name: VariableName = `${prefix}_URL`;
  const servers = readServers(reading, { host: name, port: name }, credential, {
    hosts: url.host,
    hostAddresses: url.hostAddress,
    ports: url.port || (textOf(reading, `${prefix}_PORT`) ?? ''),
  });
  return servers && { ...servers, user, database };
}

function addressOfVariables(
  reading: SettingsReading,
  prefix: ConnectionPrefix,
  credential: Credential | undefined,
): Address | undefined {
  // A URL is the shorter way to set all of them.
  if (!ADDRESS_FIELDS.some((field) => isSet(reading, `${prefix}_${field}`))) {
    required(reading, `${prefix}_URL`);
    return undefined;
  }
  const hosts = required(reading, `${prefix}_HOST`);
  const ports = required(reading, `${prefix}_PORT`);
  const user = required(reading, `${prefix}_USERNAME`);
  const database = checkDatabase(reading, `${prefix}_DB`, required(reading, `${prefix}_DB`));
  const names = { host: `${prefix}_HOST`, port: `${prefix}_PORT` } as const;
  const servers =
    hosts === undefined || ports === undefined
      ? undefined
      : readServers(reading, names, credential, { hosts, hostAddresses: '', ports });
  if (!servers || user === undefined || database === undefined) return undefined;
  return { ...servers, user, database };
}

interface WrittenServers {
  readonly hosts: string;
  /** Empty if there are none. */
  readonly hostAddresses: string;
  readonly ports: string;
}

/** Lists with commas, by the rules of libpq: one port for all hosts, or one for each. */
function readServers(
  reading: SettingsReading,
  names: Readonly<Record<'host' | 'port', VariableName>>,
  credential: Credential | undefined,
  written: WrittenServers,
): (ServerAddress & Pick<ConnectionSettings, 'otherServers'>) | undefined {
  const hosts =
    written.hosts.startsWith('/') && !written.hosts.includes(',/')
      ? [written.hosts]
      : written.hosts.split(',');
  const addresses = written.hostAddresses === '' ? [] : written.hostAddresses.split(',');
  const ports = written.ports.split(',');
  if (ports.length > 1 && ports.length !== hosts.length)
    return refuse(reading, names.port, { what: `there are ${ports.length} ports for ${hosts.length} hosts` });
  if (addresses.length > 0 && addresses.length !== hosts.length)
    return refuse(reading, names.host, {
      what: `there are ${addresses.length} addresses (hostaddr) for ${hosts.length} hosts`,
    });
  const servers = hosts.map((text, index): ServerAddress | undefined => {
    const host = checkHost(reading, names.host, text || addresses[index] || '');
    const hostAddress = checkAddress(reading, names.host, addresses[index] || undefined);
    const port = checkPort(reading, names.port, ports[ports.length === 1 ? 0 : index] || '5432');
    if (host === undefined || port === undefined || hostAddress === null || !credential) return undefined;
    return { host, hostAddress, port, credential };
  });
  const [first, ...others] = servers.filter((server) => server !== undefined);
  return first && others.length === servers.length - 1 ? { ...first, otherServers: others } : undefined;
}

/** Null if a problem was reported. */
function checkAddress(
  reading: SettingsReading,
  name: VariableName,
  text: string | undefined,
): string | undefined | null {
  if (text === undefined || isIP(text) !== 0) return text;
  refuse(reading, name, { what: '"hostaddr" is not an IP address; to name a host, use "host"' });
  return null;
}

/** A URL in the wrong variable may contain a password, so no message shows it. */
const looksLikeUrl = (text: string) => text.includes('://') || text.includes('@');

/** Undefined for a host, an address or the directory of a socket. */
export function hostFault(host: string): 'URL' | 'port' | 'other' | undefined {
  if (host.startsWith('/')) return undefined;
  if (looksLikeUrl(host)) return 'URL';
  if (/^[^:]*:\d*$/.test(host)) return 'port';
  return host === '' || /[\s/,]/.test(host) ? 'other' : undefined;
}

function checkHost(
  reading: SettingsReading,
  name: VariableName,
  host: string | undefined,
): string | undefined {
  const fault = host === undefined ? undefined : hostFault(host);
  if (fault === undefined) return host;
  if (fault === 'URL') {
    return refuse(reading, name, { what: 'looks like a URL; set it to the host alone' });
  }
  if (fault === 'port') {
    return refuse(reading, name, {
      what: `${show(host)} contains a port; move it to the variable for the port`,
    });
  }
  const allowed =
    'a host name, an address or the absolute path of a socket directory; or several, separated by commas';
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
function readSchema(reading: SettingsReading, prefix: ConnectionPrefix): string | undefined {
  const name = isSet(reading, `${prefix}_SCHEMA`) ? (`${prefix}_SCHEMA` as const) : 'SOURCE_SCHEMA';
  const schema = textOf(reading, name);
  if (schema === undefined || isIdentifier(schema)) return schema;
  // A wrong SOURCE_SCHEMA is reported once, for the source.
  return name.startsWith(prefix)
    ? refuse(reading, name, { what: `${show(schema)} is not a schema`, allowed: IDENTIFIER })
    : undefined;
}
