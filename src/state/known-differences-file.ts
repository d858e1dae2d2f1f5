/** `sync-state/known.differences.json`: the differences that comparisons on this machine have found. */
import {
  afterComparisons,
  knownDifferencesSchema,
  type KnownDifference,
  type NotedComparison,
} from '../schema/known-differences.ts';
import { readOptional, writeOptional } from './optional-file.ts';

/** No table's state has this name: a full stop in a table's name is encoded. */
export const KNOWN_DIFFERENCES_FILE = 'known.differences.json';

export const readKnownDifferences = async (directory: string): Promise<readonly KnownDifference[]> =>
  (await readOptional(directory, KNOWN_DIFFERENCES_FILE, knownDifferencesSchema))?.tables ?? [];

/** Returns the differences that are known now. */
export async function noteComparisons(
  directory: string,
  results: readonly NotedComparison[],
): Promise<readonly KnownDifference[]> {
  const known = await readKnownDifferences(directory);
  const next = afterComparisons(known, results, new Date());
  if (next !== known) await writeOptional(directory, KNOWN_DIFFERENCES_FILE, { format: 1, tables: next });
  return next;
}
