/** The commands of `init` that texts name, with the flags that the user gave: pure. */
import { shellWord } from '../../shell-word.ts';
import type { InitOptions } from './setup.ts';

/** For tables that are added later. The files have everything except for the schemas. */
export const addingCommand = ({ sourceSchema, destSchema }: InitOptions): string =>
  commandOf([valued('--source-schema', sourceSchema), valued('--dest-schema', destSchema)]);

/** The questions of a dialogue, without the answers that the flags give. */
export const dialogueCommand = (options: InitOptions): string =>
  commandOf([...sideFlags(options), valued('--pipeline-name', options.pipelineName)]);

/** The command as it was typed, without passwords. */
export const sameCommand = (options: InitOptions): string =>
  commandOf([
    ...sideFlags(options),
    valued('--pipeline-name', options.pipelineName),
    // A comma of a name was written with a backslash.
    ...options.tables.map((name) => valued('--tables', name.replaceAll(',', String.raw`\,`))),
    switched('--all-tables', options.allTables),
    ...options.replicationKey.map((key) => valued('--replication-key', key)),
    ...options.uniqueCols.map((key) => valued('--unique-cols', key)),
    ...options.fullRefresh.map((name) => valued('--full-refresh', name)),
    switched('--yes', options.yes),
    switched('--force', options.force),
    switched('--json', options.json),
  ]);

const sideFlags = ({ sourceUrl, destUrl, sourceSchema, destSchema }: InitOptions) => [
  valued('--source-url', withoutPassword(sourceUrl)),
  valued('--dest-url', withoutPassword(destUrl)),
  valued('--source-schema', sourceSchema),
  valued('--dest-schema', destSchema),
];

/** Undefined for an address of which it is not clear where the password is. */
function withoutPassword(address = ''): string | undefined {
  const url = URL.parse(address);
  if (!url) return undefined;
  url.password = '';
  for (const name of [...url.searchParams.keys()]) if (/pass/i.test(name)) url.searchParams.delete(name);
  return url.href;
}

const valued = (flag: string, value: string | undefined): string | undefined =>
  value ? `${flag} ${shellWord(value)}` : undefined;

const switched = (flag: string, isGiven: boolean): string | undefined => (isGiven ? flag : undefined);

const commandOf = (flags: readonly (string | undefined)[]): string =>
  ['increp init', ...flags.filter((flag) => flag !== undefined)].join(' ');
