/** `sync-state/known.differences.json`: the differences that comparisons on this machine have found. */
import {
  afterComparisons,
  knownDifferencesSchema,
  type KnownDifference,
  type NotedComparison,
} from '../schema/known-differences.ts';
import { changeOptional, readOptional } from './optional-file.ts';

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
  const now = new Date();
  let next = afterComparisons(known, results, now);
  if (next === known) return known;
  await changeOptional({
    ...{ directory, name: KNOWN_DIFFERENCES_FILE, schema: knownDifferencesSchema },
    change: (found) => {
      next = afterComparisons(found?.tables ?? [], results, now);
      return { format: 1 as const, tables: [...next] };
    },
  });
  return next;
}
