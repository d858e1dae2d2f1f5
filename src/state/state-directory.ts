/** What kind of a place `sync-state/` is. */
import type { StatsFs } from 'node:fs';
import { readdir, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileNameOf } from '../schema/names.ts';
import { HISTORY_FILES } from './history-file.ts';
import { COUNTERS_FILE } from './counters-file.ts';
import { REPORTED_WARNINGS_FILE } from './standing-warnings-file.ts';

export interface StateDirectory {
  /** Undefined for an ordinary disk, and for what this does not know. */
  readonly fileSystem: FileSystem | undefined;
  /** Undefined where the system does not say. */
  readonly freeBytes: number | undefined;
  /** Files that belong to no table of the pipeline. */
  readonly strangers: readonly string[];
}

export interface FileSystem {
  readonly name: string;
  readonly trait: 'forgets' | 'container' | 'network';
}

/** statfs.f_type on Linux, as in its magic.h. */
const KINDS: Readonly<Record<number, FileSystem>> = {
  0x01021994: { name: 'tmpfs', trait: 'forgets' },
  0x858458f6: { name: 'ramfs', trait: 'forgets' },
  0x794c7630: { name: 'overlay', trait: 'container' },
  0x6969: { name: 'NFS', trait: 'network' },
  0xff534d42: { name: 'CIFS', trait: 'network' },
  0xfe534d42: { name: 'SMB', trait: 'network' },
  0x01021997: { name: '9p', trait: 'network' },
};

/** Writes nothing. `tables` are the names of copies. */
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

/** Of the directory, or of where it would be made. */
async function statOfNearest(directory: string): Promise<StatsFs | undefined> {
  try {
    return await statfs(directory);
  } catch {
    return dirname(directory) === directory ? undefined : statOfNearest(dirname(directory));
  }
}

/** What is kept for the pipeline as a whole; a full stop in a table's name is encoded, so none is a table's. */
const isOfPipeline = (name: string): boolean =>
  [...HISTORY_FILES, COUNTERS_FILE, REPORTED_WARNINGS_FILE].some(
    (ours) => name === ours || name === `${ours}.lock`,
  );

/** Hidden files are those of other programs, and a temporary file may be that of a run that is going on. */
const isBesides = (name: string): boolean =>
  name.startsWith('.') || /\.tmp-[\da-f]+$/.test(name) || isOfPipeline(name);

async function strangersIn(directory: string, tables: readonly string[]): Promise<string[]> {
  const ours = new Set(tables.flatMap((table) => [`${fileNameOf(table)}.json`, `${table}.txt`]));
  const names = await readdir(directory).catch(() => []);
  return names.filter((name) => !ours.has(name) && !isBesides(name)).toSorted();
}
