/** Findings about the files of the pipeline: `.env` and `sync-state/`. */
import { labelOf, recordNameOf } from '../config/tables/table-mapping.ts';
import type { Settings } from '../config/settings.ts';
import { formatBytes, listed } from '../format.ts';
import { parameterNote } from '../report/parameter-notes.ts';
import { fileNameOf, isSameTable, tableOfFileName } from '../schema/names.ts';
import { stateFiles } from '../state/state-files.ts';
import { describeStateDirectory, type FileSystem, type StateDirectory } from '../state/state-directory.ts';
import { note, warning, type Finding } from './finding.ts';

/** Warnings about `.env` and the settings. Some of these messages end with a command. */
export const settingsFindings = ({ warnings }: Pick<Settings, 'warnings'>): Finding[] =>
  warnings.map((warned) => {
    const [message = warned, command] = warned.split('; run: ');
    const action = command === undefined ? undefined : `Run: ${command}`;
    return { level: 'warning', code: 'SETTINGS', table: undefined, message, action };
  });

/** Findings about parameters of connection URLs that are for other clients. */
export const parameterFindings = ({
  source,
  destination,
}: Pick<Settings, 'source' | 'destination'>): Finding[] =>
  [source, destination].flatMap((connection) => {
    const message = parameterNote(connection);
    return message === undefined ? [] : [note('URL_PARAMETER', undefined, message)];
  });

export async function directoryFindings(settings: Settings): Promise<Finding[]> {
  const { stateDirectory, tables } = settings;
  const names = tables.map((table) => recordNameOf(settings, table));
  const described = await describeStateDirectory(stateDirectory, names);
  if (described.strangers.length === 0) return judgeDirectory(stateDirectory, described);
  const records = await stateFiles(stateDirectory).records(names);
  const former = records
    .filter(
      ({ pipeline, source }) =>
        pipeline === settings.pipeline && tables.some((table) => isSameTable(table.source, source)),
    )
    .map(({ destination }) => `${fileNameOf(labelOf(destination, settings.destination))}.json`);
  return judgeDirectory(stateDirectory, described, former);
}

/** A state file has a few kilobytes, and while it is written there are two. */
const LITTLE_BYTES = 10_000_000;

/** Pure. */
export const judgeDirectory = (
  path: string,
  { fileSystem, freeBytes, strangers }: StateDirectory,
  /** Files of configured tables that have another place at the destination now. */
  former: readonly string[] = [],
): Finding[] => [
  ...unknownFiles(
    strangers.filter((name) => former.includes(name)),
    (files) => `files in ${path} are the state of former destination tables: ${files}`,
    'These tables have another "dest_name" or "dest_schema" now. If it is right, delete the files. increp does not drop the former destination tables.',
  ),
  ...unknownFiles(
    strangers.filter((name) => !former.includes(name)),
    (files) => `files in ${path} belong to no table of tables-config.json: ${files}`,
    'Delete the files that you do not need: unreadable files that increp renamed, and states of removed tables.',
  ),
  ...(fileSystem ? [fileSystemNote(path, fileSystem)] : []),
  ...(freeBytes !== undefined && freeBytes < LITTLE_BYTES
    ? [
        warning(
          'STATE_SPACE',
          undefined,
          `${freeBytes === 0 ? 'no' : `only ${formatBytes(freeBytes)} of`} disk space is left for ${path}`,
          'Free some space, or set STATE_DIR. The destination has the same state, so no data is at risk.',
        ),
      ]
    : []),
];

const unknownFiles = (names: readonly string[], what: (files: string) => string, next: string): Finding[] =>
  names.length === 0
    ? []
    : [note('STATE_UNKNOWN_FILES', undefined, what(listed(names.map(withTable), NAMED)), next)];

/** A file name that is encoded says little. */
function withTable(file: string): string {
  const name = file.replace(/\.json$/, '');
  const table = tableOfFileName(name);
  return table === name ? file : `${file} (${table})`;
}

const NAMED = 5;

const TRAITS: Record<FileSystem['trait'], readonly [what: string, action: string]> = {
  forgets: [
    'which loses its files at a restart',
    'The next sync then continues from the state at the destination. To keep both, set STATE_DIR to a disk.',
  ],
  container: [
    'the file system of a container, which is removed with the container',
    'The next sync then continues from the state at the destination. To keep both, mount a volume there.',
  ],
  network: [
    'a network file system',
    'If it does not answer, a sync continues without it and warns. A local disk is more reliable.',
  ],
};

const fileSystemNote = (path: string, { name, trait }: FileSystem): Finding =>
  note('STATE_FILESYSTEM', undefined, `${path} is on ${name}, ${TRAITS[trait][0]}`, TRAITS[trait][1]);
