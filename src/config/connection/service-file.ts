/**
 * The services of libpq, by its rules: docs "34.17. The Connection Service File", and parseServiceInfo() in fe-connect.c.
 * A service fills the parameters that the connection string does not set. increp never uses PGSERVICE, because one
 * variable would name both sides.
 */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Environment } from '../../environment.ts';
import type { Value } from '../environment/values.ts';
import { readText } from '../files.ts';
import { isKeyword, keywordsOf, readConninfo } from './conninfo.ts';

interface ServicePlace {
  /** The directory of the pipeline. */
  readonly directory: string;
  readonly environment: Environment;
}

/** A sentence without a part of the file, because any line may be a password. */
interface ServiceFault {
  readonly fault: string;
}

interface CompletedText {
  readonly text: string;
  /** The service and its file. Undefined if the string names no service. */
  readonly from: string | undefined;
}

/** The connection string with the parameters of its service. A string that cannot be read stays as it is. */
async function expand(text: string, place: ServicePlace): Promise<CompletedText | ServiceFault> {
  const read = readConninfo(text);
  if ('fault' in read) return { text, from: undefined };
  const { parameters } = read;
  const service = parameters.get('service');
  const file = parameters.get('servicefile');
  if (service === undefined)
    return file === undefined
      ? { text, from: undefined }
      : { fault: '"servicefile" has no effect without "service"; name the service' };
  const found = await findService(service, file, place);
  if ('fault' in found) return found;
  const merged = new Map([...found.parameters, ...parameters]);
  merged.delete('service');
  merged.delete('servicefile');
  return { text: keywordsOf(merged), from: `service "${service}" in ${found.path}` };
}

/** The value with the parameters of its service. It can be read again, because the file may change. */
export async function valueWithService(value: Value, place: ServicePlace): Promise<Value> {
  const expanded = await expand(value.text, place);
  if ('fault' in expanded) return { ...value, fault: expanded.fault };
  const { text, from } = expanded;
  if (from === undefined) return value;
  const reread = async () => {
    const written = value.reread ? await value.reread() : value.text;
    const again = written === undefined ? undefined : await expand(written, place);
    return again && !('fault' in again) ? again.text : undefined;
  };
  return { text, origin: `${value.origin}, ${from}`, reread };
}

interface Service {
  readonly path: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** Without a file of their own, users share the file in PGSYSCONFDIR. */
async function findService(
  service: string,
  named: string | undefined,
  { directory, environment }: ServicePlace,
): Promise<Service | ServiceFault> {
  const given = named ?? (environment['PGSERVICEFILE'] || undefined);
  const shared = environment['PGSYSCONFDIR'];
  const paths = [
    resolve(directory, given ?? join(environment['HOME'] || homedir(), '.pg_service.conf')),
    ...(shared ? [join(shared, 'pg_service.conf')] : []),
  ];
  for (const [index, path] of paths.entries()) {
    const file = await readText(path);
    if (file.text === undefined) {
      if (file.isMissing && (given === undefined || index > 0)) continue;
      return { fault: `the service file ${path} ${file.fault}` };
    }
    const found = sectionOf(file.text, service);
    if (found === undefined) continue;
    return 'fault' in found ? { fault: `${found.fault} in ${path}` } : { path, parameters: found };
  }
  return { fault: `no service "${service}" in ${paths.join(' or ')}` };
}

/** Undefined if there is no such section. The first value of a parameter counts. */
function sectionOf(text: string, service: string): ReadonlyMap<string, string> | ServiceFault | undefined {
  const parameters = new Map<string, string>();
  let isInside = false;
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    if (line.startsWith('[')) {
      if (isInside) break;
      isInside = line.startsWith(`[${service}]`);
    } else if (isInside) {
      const [, name, value] = /^([^=]*)=([^]*)$/.exec(line) ?? [];
      const fault = faultOf(name, index + 1);
      if (name === undefined || value === undefined || fault !== undefined)
        return { fault: fault ?? `line ${index + 1} is not KEYWORD=VALUE` };
      if (!parameters.has(name)) parameters.set(name, value);
    }
  }
  return isInside || parameters.size > 0 ? parameters : undefined;
}

function faultOf(name: string | undefined, line: number): string | undefined {
  if (name === 'service' || name === 'servicefile')
    return `line ${line} names another service, which is not possible`;
  return name !== undefined && isKeyword(name) ? undefined : `line ${line} is not KEYWORD=VALUE`;
}
