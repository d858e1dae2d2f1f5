/** Carries local files to the state directory of a destination that had another name, or none, before. */
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { attempt } from '../../errors.ts';
import { isSameTable } from '../../schema/names.ts';
import { isAbout } from '../../schema/state-record.ts';
import { moveComparisons, hasComparisons } from '../../state/known-differences-file.ts';
import { stateFiles } from '../../state/state-files.ts';
import type { RunContext } from '../context/run-context.ts';
import { everyStateFile } from './every-state-file.ts';

type Carrying = Pick<RunContext, 'settings' | 'destination'>;

/** The state itself is at the destination, but the known differences and requested loads are only here. */
export async function carryFormerFiles(owner: Carrying): Promise<void> {
  const { stateDirectory } = owner.settings;
  for (const directory of await formerDirectories(owner)) {
    if (!(await hasComparisons(directory)) || !(await isOfSameDestination(directory, owner))) continue;
    await moveComparisons(directory, stateDirectory);
  }
}

/** All that no configured destination uses. */
async function formerDirectories({ settings }: Carrying): Promise<string[]> {
  const { stateDirectory: own, destinationLabel, destinations } = settings;
  const base = destinationLabel === undefined ? own : dirname(own);
  const used = destinationLabel === undefined ? [own] : destinations.map(({ name }) => join(base, name));
  const below = await readdir(base, { withFileTypes: true }).catch(() => []);
  const all = [base, ...below.flatMap((each) => (each.isDirectory() ? [join(base, each.name)] : []))];
  return all.filter((directory) => !used.includes(directory));
}

async function isOfSameDestination(directory: string, { settings, destination }: Carrying): Promise<boolean> {
  const server = await attempt(() => destination.identity());
  if (server.kind === 'failed') return false;
  for await (const files of everyStateFile({ settings, stateFiles: stateFiles(directory) })) {
    const isFound = files.some(
      ({ file, names }) =>
        file.kind === 'record' &&
        file.record.pipeline === settings.pipeline &&
        file.record.destinationServer !== null &&
        isAbout(file.record, server.value) &&
        isSameTable(file.record.destination, names.destinationName),
    );
    if (isFound) return true;
  }
  return false;
}
