/** Describes the directory `sync-state/`: its file system, its free space and its unknown files. */
import type { StatsFs } from 'node:fs';
import { readdir, statfs } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { fileNameOf } from '../schema/names.ts';
import { HISTORY_FILES } from './history-file.ts';
import { COUNTERS_FILE } from './counters-file.ts';
import { RUNNING_FILE } from './running-runs.ts';
import { COPIED_OBJECTS_FILE } from './copied-objects-file.ts';
import { KNOWN_DIFFERENCES_FILE } from './known-differences-file.ts';
import { REPORT_OUTCOMES_FILE } from './report-outcomes-file.ts';
import { REPORTED_WARNINGS_FILE } from './standing-warnings-file.ts';

export interface StateDirectory {
  /** Undefined for an ordinary disk, and for unknown file systems. */
  readonly fileSystem: FileSystem | undefined;
  /** Undefined if the system does not report it. */
  readonly freeBytes: number | undefined;
  /** Files that belong to no table of the pipeline. */
  readonly strangers: readonly string[];
}

/** Names this machine and its state directory in a state record. */
export const writerHere = (stateDirectory: string): string => `${hostname()}:${stateDirectory}`;

export interface FileSystem {
  readonly name: string;
  readonly trait: 'forgets' | 'container' | 'network';
}

/** The values of statfs.f_type on Linux, from linux/magic.h. */
const KINDS: Readonly<Record<number, FileSystem>> = {
  0x01021994: { name: 'tmpfs', trait: 'forgets' },
  0x858458f6: { name: 'ramfs', trait: 'forgets' },
  0x794c7630: { name: 'overlay', trait: 'container' },
  0x6969: { name: 'NFS', trait: 'network' },
  0xff534d42: { name: 'CIFS', trait: 'network' },
  0xfe534d42: { name: 'SMB', trait: 'network' },
  0x01021997: { name: '9p', trait: 'network' },
};

/** Writes nothing. `tables`: the `recordName` of each table. */
export async function describeStateDirectory(
  directory: string,
  tables: readonly string[],
): Promise<StateDirectory> {
  const place = await statOfNearest(directory);
  return {
    fileSystem: process.platform === 'linux' && place ? KINDS[place.type >>> 0] : undefined,
    freeBytes: place && place.bavail * place.bsize,
    strangers: await strangersIn(directory, tables),
  };
}

/** The file system of the directory, or of its nearest existing parent. */
async function statOfNearest(directory: string): Promise<StatsFs | undefined> {
  try {
    return await statfs(directory);
  } catch {
    return dirname(directory) === directory ? undefined : statOfNearest(dirname(directory));
  }
}

/** Files of the whole pipeline. No table has such a file, because a full stop in the name of a table is encoded. */
const isOfPipeline = (name: string): boolean =>
  [
    ...HISTORY_FILES,
    ...[
      COUNTERS_FILE,
      REPORTED_WARNINGS_FILE,
      COPIED_OBJECTS_FILE,
      KNOWN_DIFFERENCES_FILE,
      REPORT_OUTCOMES_FILE,
    ],
  ].some((ours) => name === ours || name === `${ours}.lock`);

/** Hidden files belong to other programs, and a temporary file may belong to a run that is active. */
const isIgnored = (name: string): boolean =>
  name.startsWith('.') || /\.tmp-[\da-f]+$/.test(name) || RUNNING_FILE.test(name) || isOfPipeline(name);

async function strangersIn(directory: string, tables: readonly string[]): Promise<string[]> {
  const known = new Set(tables.flatMap((table) => [`${fileNameOf(table)}.json`, `${table}.txt`]));
  const names = await readdir(directory).catch(() => []);
  return names.filter((name) => !known.has(name) && !isIgnored(name)).toSorted();
}
