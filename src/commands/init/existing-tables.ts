/** Warns of signs that source and destination are swapped, and of destination tables that a sync would refuse. */
import { basename, resolve } from 'node:path';
import { STATE_DIRECTORY } from '../../config/environment/variables.ts';
import { answerOf, homesOf, type Answers } from '../../config/answers.ts';
import { serverNames } from '../../config/connection/servers.ts';
import type { ConnectionSettings } from '../../config/settings.ts';
import { IncrepError } from '../../errors.ts';
import { listed, listedNames, nameInList } from '../../format.ts';
import type { ServerIdentity } from '../../postgres/identity.ts';
import { shellWord } from '../../shell-word.ts';
import { stateFiles } from '../../state/state-files.ts';
import type { ChosenTable } from '../../init/choose-tables.ts';
import type { ExistingTables, ForeignTable, UnclaimedTable } from '../../init/existing-tables.ts';
import type { TableProposal } from '../../init/propose-options.ts';
import type { SourceTables } from '../../init/read-tables.ts';
import { readsFrom, type SourceStates } from '../../sync/facts/swapped-sides.ts';
import { visitDestinationTables, type Visit } from '../../init/test-connections.ts';
import { claimSteps } from '../../sync/facts/unclaimed.ts';
import type { Setup } from './setup.ts';

interface ExistingRequest {
  readonly answers: Answers;
  readonly source: ConnectionSettings;
  readonly destination: ConnectionSettings;
  readonly sourceServer: ServerIdentity;
  /** All tables of the source. */
  readonly tables: readonly TableProposal[];
  readonly chosen: readonly ChosenTable[];
}

export function existingAmong(
  { answers, source, destination, sourceServer, tables, chosen }: ExistingRequest,
  how: Visit,
): Promise<ExistingTables> {
  const pipeline = {
    pipeline: pipelineOf(answers),
    source,
    homes: homesOf(answers),
    systemIdentifier: sourceServer.systemIdentifier,
    files: stateFiles(resolve(answers.directory, answerOf(answers, 'STATE_DIR') ?? STATE_DIRECTORY)),
  };
  const names = new Set(chosen.map(({ name }) => name));
  const sources = tables.filter(({ name }) => names.has(name)).map(({ relation }) => relation);
  return visitDestinationTables(destination, pipeline, sources, how);
}

const pipelineOf = (answers: Answers): string =>
  answerOf(answers, 'PIPELINE_NAME') ?? basename(answers.directory);

interface SwapSigns {
  readonly states: SourceStates;
  readonly destinationServer: ServerIdentity;
  readonly existing: ExistingTables;
}

/**
 * Whether a pipeline already reads from the destination and writes to the source, or a pipeline writes to the source
 * and the destination has rows of its own.
 */
export const areProbablySwapped = ({ states, destinationServer, existing }: SwapSigns): boolean =>
  (states.areThere && existing.unclaimed.length > 0) ||
  states.sources.some((state) => readsFrom(state, destinationServer));

/** @throws IncrepError if source and destination are probably swapped: a sync could overwrite the real source */
export function ensureNotSwapped(setup: Setup, dialogueCommand: string): void {
  const { existing, source, destination, areSwapped } = setup;
  if (!areSwapped) return;
  const rows = existing.unclaimed.map((table) => `${nameInList(table.name)} (${table.rows})`);
  throw new IncrepError('DESTINATION_NOT_OURS', {
    what: `${SWAPPED}${rows.length === 0 ? '' : `, and these destination tables have rows that increp did not write: ${listed(rows, LISTED)}`}`,
    next: `Nothing was written. Rows would go from ${addressOf(source)} to ${addressOf(destination)}. If that is the wrong direction, exchange the SOURCE_ and DEST_ settings. If it is right, ${rows.length === 0 ? '' : 'use another --dest-schema, or '}confirm the direction on a terminal: "${dialogueCommand}".`,
  });
}

const SWAPPED =
  'source and destination are probably swapped: the source has the state of a pipeline, as a destination does';

const addressOf = (connection: ConnectionSettings): string =>
  `${serverNames(connection)}/${connection.database}`;

export interface Direction {
  readonly answers: Answers;
  readonly chosen: readonly ChosenTable[];
  readonly existing: ExistingTables;
  readonly writers: SourceTables['writers'];
  readonly areSwapped: boolean;
}

/** Whether anything shows that the sides may be swapped. A table of another role or pipeline at the destination does not. */
export const mayBeSwapped = ({
  areSwapped,
  chosen,
  writers,
  existing,
}: Omit<Direction, 'answers'>): boolean =>
  areSwapped || existing.unclaimed.length > 0 || chosen.some(({ name }) => writers.has(name));

/** The side that has the signs. A destination table of another role or pipeline is one, too. */
export function suspectedSide({
  areSwapped,
  chosen,
  writers,
  existing,
}: Omit<Direction, 'answers'>): 'SOURCE' | 'DEST' | 'both' {
  if (areSwapped) return 'both';
  if (!chosen.some(({ name }) => writers.has(name))) return 'DEST';
  return refusedBy(existing).length > 0 ? 'both' : 'SOURCE';
}

export interface Warning {
  readonly what: string;
  /** For scripts. The dialogue asks instead. */
  readonly next: string;
}

export const directionWarnings = ({
  answers,
  chosen,
  existing,
  writers,
  areSwapped,
}: Direction): Warning[] => [
  ...(areSwapped ? [{ what: SWAPPED, next: 'Check both addresses before the first sync.' }] : []),
  ...writtenAtSource(
    chosen.map(({ name }) => name).filter((name) => writers.has(name)),
    writers,
  ),
  ...ofOtherPipelines(existing.foreign, pipelineOf(answers)),
  ...ofOtherSources(existing.foreign),
  ...unfit(existing.unfit),
  ...ofNobody(existing.unclaimed, areSwapped),
];

/** The number of tables that a message names. */
const LISTED = 8;

const quoted = (names: readonly (string | undefined)[]): string =>
  [...new Set(names)].map((name) => `"${name}"`).join(', ');

function writtenAtSource(names: readonly string[], writers: Direction['writers']): Warning[] {
  if (names.length === 0) return [];
  const pipelines = quoted(names.map((name) => writers.get(name)));
  return [
    {
      what: `pipeline ${pipelines} writes these source tables: ${listedNames(names, LISTED)}`,
      next: NOT_SWAPPED,
    },
  ];
}

const NOT_SWAPPED = 'Check that source and destination are not swapped.';

function ofOtherPipelines(foreign: readonly ForeignTable[], pipeline: string): Warning[] {
  const tables = foreign.filter((table) => table.pipeline !== undefined);
  const [first] = tables;
  if (!first) return [];
  const names = tables.map(({ name }) => name);
  const pipelines = quoted(tables.map((table) => table.pipeline));
  return [
    {
      what: `pipeline ${pipelines} writes these destination tables, so a sync of pipeline "${pipeline}" refuses them: ${listedNames(names, LISTED)}`,
      next: `If this is the same pipeline, use --pipeline-name ${shellWord(first.pipeline ?? '')}. If not, ${ELSEWHERE}`,
    },
  ];
}

/** Each chosen table once, in the order of their names. */
export const refusedBy = (existing: ExistingTables): string[] =>
  [
    ...new Set([...existing.unclaimed, ...existing.foreign, ...existing.unfit].map(({ name }) => name)),
  ].toSorted();

const ELSEWHERE = 'use another --dest-schema, or set another "dest_name" in tables-config.json.';

function ofOtherSources(foreign: readonly ForeignTable[]): Warning[] {
  const [first, ...others] = foreign.filter((table) => table.pipeline === undefined);
  if (!first) return [];
  const rest = others.length > 0 ? ` (and ${others.length} more)` : '';
  return [{ what: `${first.what}${rest}`, next: first.next }];
}

function unfit(tables: ExistingTables['unfit']): Warning[] {
  const [first, ...others] = tables;
  if (!first) return [];
  const names = listedNames(
    others.map(({ name }) => name),
    LISTED,
  );
  const rest = others.length > 0 ? ` (increp cannot write to these either: ${names})` : '';
  return [{ what: `${first.what}${rest}`, next: first.next }];
}

/** If the sides may be swapped, no command is printed that would overwrite the real source. */
function ofNobody(unclaimed: readonly UnclaimedTable[], areSwapped: boolean): Warning[] {
  const [first] = unclaimed;
  if (!first) return [];
  const example = unclaimed.find(({ misfit }) => misfit === '') ?? first;
  const names = unclaimed.map(({ name, rows }) => `${nameInList(name)} (${rows})`);
  const elsewhere = `To leave ${unclaimed.length === 1 ? 'the table as it is' : 'the tables as they are'}, ${ELSEWHERE}`;
  const steps = areSwapped
    ? `${elsewhere}\nIf the direction is right, see "increp help DESTINATION_NOT_OURS".`
    : claimSteps(example, elsewhere);
  return [
    {
      what: `these destination tables have rows that increp did not write, so a sync refuses them: ${listed(names, LISTED)}`,
      next: `${NOT_SWAPPED}\n${steps}`,
    },
  ];
}
