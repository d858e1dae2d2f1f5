/** Finds the connection string in a text that a user pasted: pure. */
import { parseArgs } from 'node:util';
import { readCommand } from '../shell-word.ts';

const PSQL = /^(?:PG\w+=\S*\s+)*psql\s/i;
const QUOTED = /(["'])\s*((?:postgres(?:ql)?:\/\/|\w+\s*=)[^]*?)\1/i;
const BARE_URL = /(?:^|[\s=])(postgres(?:ql)?:\/\/\S+)/i;

/** The URL or the keywords in a command line of psql, or in quotes. Any other text stays as it is. */
export function pastedConnection(text: string): string {
  const trimmed = text.trim();
  if (!PSQL.test(trimmed) && !/^["']/.test(trimmed)) return trimmed;
  return QUOTED.exec(trimmed)?.[2]?.trim() ?? BARE_URL.exec(trimmed)?.[1] ?? keywordsOf(trimmed) ?? trimmed;
}

/** The options of psql as keywords. Undefined if they name no host: psql then uses a socket of its own machine. */
function keywordsOf(command: string): string | undefined {
  const read = readCommand(command);
  if (!('words' in read)) return undefined;
  const words = read.words.slice(read.words.indexOf('psql') + 1);
  const option = (short: string) => ({ type: 'string', short }) as const;
  const { values, positionals } = parseArgs({
    args: [...words],
    options: { host: option('h'), port: option('p'), username: option('U'), dbname: option('d') },
    allowPositionals: true,
    strict: false,
  });
  const [database = values.dbname, user = values.username] =
    values.dbname === undefined ? positionals : [undefined, ...positionals];
  const parts = { host: values.host, port: values.port, user, dbname: database };
  return typeof values.host === 'string'
    ? Object.entries(parts)
        .flatMap(([name, value]) => (typeof value === 'string' ? [`${name}=${quoted(value)}`] : []))
        .join(' ')
    : undefined;
}

/** A value of a connection string of libpq. */
const quoted = (value: string): string =>
  /^[\w.-]+$/.test(value) ? value : `'${value.replaceAll(/[\\']/g, '\\$&')}'`;
