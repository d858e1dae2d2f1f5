/** `init` without a dialogue: flags and variables are the answers. A missing answer is reported with its flag. */
import { connectionOf, isAnswered, type Answers } from '../../config/answers.ts';
import { IncrepError } from '../../errors.ts';
import { chooseTables, parseKeyWish } from '../../init/choose-tables.ts';
import {
  visitDestination,
  visitDestinationSchema,
  visitSource,
  visitSourceSchema,
  type Visit,
} from '../../init/test-connections.ts';
import { isSameDatabase } from '../../sync/context/known-destinations.ts';
import type { InitOptions, Setup } from './setup.ts';
import { dialogueCommand } from './typed-again.ts';
import { areProbablySwapped, ensureNotSwapped, existingAmong } from './existing-tables.ts';

/** @throws IncrepError for the first problem; no file is written then */
export async function setupFromFlags(answers: Answers, options: InitOptions, how: Visit): Promise<Setup> {
  ensureComplete(answers, options);
  const source = await connectionOf(answers, 'SOURCE');
  const destination = await connectionOf(answers, 'DEST');
  const { identity, schemas } = await visitSource(source, how);
  // Before the destination, which may lack a schema only because its name is misspelt.
  const { tables, partitions, writable, writers, states } = await visitSourceSchema(source, how);
  const servers = {
    source: identity,
    destination: (await visitDestination(destination, how)).identity,
  };
  await visitDestinationSchema({ source, destination }, servers, how);
  const { chosen, leftOut } = chooseTables(tables, {
    tables: options.allTables ? undefined : options.tables,
    replicationKeys: options.replicationKey.map(parseKeyWish),
    mergeKeys: options.uniqueCols.map(parseKeyWish),
    whole: options.fullRefresh,
    partitions,
  });
  const sides = { answers, source, destination, chosen, writers };
  const existing = await existingAmong({ ...sides, tables, sourceServer: servers.source }, how);
  const setup = {
    ...sides,
    tables,
    leftOut,
    change: undefined,
    writable,
    existing,
    areSwapped: areProbablySwapped({ states, existing, destinationServer: servers.destination }),
    isOneDatabase: isSameDatabase(servers.source, servers.destination),
    schemas: schemas.map(({ name }) => name),
  };
  ensureNotSwapped(setup, dialogueCommand(options));
  return setup;
}

function ensureComplete(answers: Answers, options: InitOptions): void {
  if (options.allTables && options.tables.length > 0)
    throw new IncrepError('USAGE', {
      what: '--tables and --all-tables contradict each other',
      next: 'Use one of them.',
    });
  const missing = [
    ...(isAnswered(answers, 'SOURCE')
      ? []
      : ['the source: SOURCE_URL, or SOURCE_HOST and so on (--source-url)']),
    ...(isAnswered(answers, 'DEST')
      ? []
      : ['the destination: DEST_URL, or DEST_HOST and so on (--dest-url)']),
    ...(options.allTables || options.tables.length > 0
      ? []
      : ['the tables: --tables NAME,NAME or --all-tables']),
  ];
  if (missing.length === 0) return;
  throw new IncrepError('USAGE', {
    what: [
      options.yes || options.json
        ? 'settings are missing:'
        : 'settings are missing, and there is no terminal to ask for them:',
      ...missing.map((each) => `  - ${each}`),
    ].join('\n'),
    next: `Set them by environment variables or flags, or use a terminal: "${dialogueCommand(options)}".`,
  });
}
