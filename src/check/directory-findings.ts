/** What there is to say of the pipeline's own files: `.env` and `sync-state/`. */
import { copyNameOf } from '../config/tables/table-mapping.ts';
import type { Settings } from '../config/settings.ts';
import { formatBytes, listed } from '../format.ts';
import { describeStateDirectory, type FileSystem, type StateDirectory } from '../state/state-directory.ts';
import { note, warning, type Finding } from './finding.ts';

/** `.env` and the settings; some of these messages end with a command. */
export const settingsFindings = ({ warnings }: Pick<Settings, 'warnings'>): Finding[] =>
  warnings.map((warned) => {
    const [message = warned, command] = warned.split('; run: ');
    const action = command === undefined ? undefined : `Run: ${command}`;
    return { level: 'warning', code: 'SETTINGS', table: undefined, message, action };
  });

/** Of connection URLs that were made for another client. */
export const parameterFindings = ({
  source,
  destination,
}: Pick<Settings, 'source' | 'destination'>): Finding[] =>
  [source, destination].flatMap(({ side, parameters: { ignored } }) =>
    ignored.length === 0
      ? []
      : [
          note(
            'URL_PARAMETER',
            undefined,
            `${side}: ${ignored.map((name) => `"${name}"`).join(', ')} of the connection URL ${ignored.length === 1 ? 'means' : 'mean'} nothing to increp`,
          ),
        ],
  );

export async function directoryFindings(settings: Settings): Promise<Finding[]> {
  const { stateDirectory, tables } = settings;
  const names = tables.map((table) => copyNameOf(settings, table));
  return judgeDirectory(stateDirectory, await describeStateDirectory(stateDirectory, names));
}

/** A state file has a few kilobytes, and there are two of it while it is written. */
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
          `there is little room left for ${path}: ${formatBytes(freeBytes)}`,
          'Make room there, or set STATE_DIR. The destination holds the same state, so no sync is lost.',
        ),
      ]
    : []),
  ...(strangers.length > 0
    ? [
        note(
          'STATE_UNKNOWN_FILES',
          undefined,
          `files in ${path} belong to no table of tables-config.json: ${listed(strangers, NAMED)}`,
          'Delete what you do not need: what was set aside as unreadable, and the state of tables that are gone.',
        ),
      ]
    : []),
];

const NAMED = 5;

const TRAITS: Record<FileSystem['trait'], readonly [what: string, action: string]> = {
  forgets: [
    'which forgets at a restart',
    'The next sync then goes on from the state at the destination. To keep both, set STATE_DIR to a disk.',
  ],
  container: [
    'the layer of a container, which goes with it',
    'The next sync then goes on from the state at the destination. To keep both, mount a volume there.',
  ],
  network: [
    'over the network',
    'A sync goes on without it, with a warning, when it does not answer; a local disk is surer.',
  ],
};

const fileSystemNote = (path: string, { name, trait }: FileSystem): Finding =>
  note('STATE_FILESYSTEM', undefined, `${path} is on ${name}, ${TRAITS[trait][0]}`, TRAITS[trait][1]);
