/** Findings about the files of the pipeline: `.env` and `sync-state/`. */
import { recordNameOf } from '../config/tables/table-mapping.ts';
import type { Settings } from '../config/settings.ts';
import { formatBytes, listed } from '../format.ts';
import { parameterNote } from '../report/parameter-notes.ts';
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
  return judgeDirectory(stateDirectory, await describeStateDirectory(stateDirectory, names));
}

/** A state file has a few kilobytes, and while it is written there are two. */
const LITTLE_BYTES = 10_000_000;

/** Pure. */
export const judgeDirectory = (
  path: string,
  { fileSystem, freeBytes, strangers }: StateDirectory,
): Finding[] => [
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
  ...(strangers.length > 0
    ? [
        note(
          'STATE_UNKNOWN_FILES',
          undefined,
          `files in ${path} belong to no table of tables-config.json: ${listed(strangers, NAMED)}`,
          'Delete the files that you do not need: unreadable files that increp renamed, and states of removed tables.',
        ),
      ]
    : []),
];

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
