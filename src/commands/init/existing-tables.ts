/** Warns of signs that source and destination are swapped, and of destination tables that a sync would refuse. */
import { basename, resolve } from 'node:path';
import { answerOf, type Answers } from '../../config/answers.ts';
import type { ConnectionSettings } from '../../config/settings.ts';
import { listed } from '../../format.ts';
import type { ServerIdentity } from '../../postgres/identity.ts';
import { shellWord } from '../../shell-word.ts';
import { stateFiles } from '../../state/state-files.ts';
import type { ChosenTable } from '../../init/choose-tables.ts';
import type { ExistingTables, ForeignTable, UnclaimedTable } from '../../init/existing-tables.ts';
import type { SourceTables } from '../../init/read-tables.ts';
import { visitDestinationTables, type Visit } from '../../init/test-connections.ts';

interface ExistingRequest {
  readonly answers: Answers;
  readonly source: ConnectionSettings;
  readonly destination: ConnectionSettings;
  readonly sourceServer: ServerIdentity;
  readonly chosen: readonly ChosenTable[];
}

export function existingAmong(
  { answers, source, destination, sourceServer, chosen }: ExistingRequest,
  how: Visit,
): Promise<ExistingTables> {
  const pipeline = {
    pipeline: pipelineOf(answers),
    source,
    systemIdentifier: sourceServer.systemIdentifier,
    files: stateFiles(resolve(answers.directory, answerOf(answers, 'STATE_DIR') ?? 'sync-state')),
  };
  const names = chosen.map(({ name }) => name);
  return visitDestinationTables(destination, pipeline, names, how);
}

const pipelineOf = (answers: Answers): string =>
  answerOf(answers, 'PIPELINE_NAME') ?? basename(answers.directory);

export interface Direction {
  readonly answers: Answers;
  readonly chosen: readonly ChosenTable[];
  readonly existing: ExistingTables;
  readonly writers: SourceTables['writers'];
}

export interface Warning {
  readonly what: string;
  /** For scripts. The dialogue asks instead. */
  readonly next: string;
}

export const directionWarnings = ({ answers, chosen, existing, writers }: Direction): Warning[] => [
  ...writtenAtSource(
    chosen.map(({ name }) => name).filter((name) => writers.has(name)),
    writers,
  ),
  ...ofOtherPipelines(existing.foreign, pipelineOf(answers)),
  ...ofOtherSources(existing.foreign),
  ...ofNobody(existing.unclaimed),
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
      what: `pipeline ${pipelines} writes these source tables: ${listed(names, LISTED)}`,
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
      what: `pipeline ${pipelines} writes these destination tables, so a sync of pipeline "${pipeline}" refuses them: ${listed(names, LISTED)}`,
      next: `If this is the same pipeline, use --pipeline-name ${shellWord(first.pipeline ?? '')}. If not, ${ELSEWHERE}`,
    },
  ];
}

const ELSEWHERE = 'use another --dest-schema, or set another "dest_name" in tables-config.json.';

function ofOtherSources(foreign: readonly ForeignTable[]): Warning[] {
  const [first, ...others] = foreign.filter((table) => table.pipeline === undefined);
  if (!first) return [];
  const rest = others.length > 0 ? ` (and ${others.length} more)` : '';
  return [{ what: `${first.what}${rest}`, next: first.next }];
}

function ofNobody(unclaimed: readonly UnclaimedTable[]): Warning[] {
  const [first] = unclaimed;
  if (!first) return [];
  const table = shellWord(first.name);
  const names = unclaimed.map(({ name, rows }) => `${name} (${rows})`);
  return [
    {
      what: `these destination tables have rows that increp did not write, so a sync refuses them: ${listed(names, LISTED)}`,
      next: `${NOT_SWAPPED} To write elsewhere, ${ELSEWHERE} To keep and repair the table: "increp sync ${table} --adopt". To load it again: "increp sync ${table} --replace"`,
    },
  ];
}
