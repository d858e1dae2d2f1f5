/** `sync-state/known.differences.json`: the differences that comparisons on this machine have found, and the loads that were requested. */
import { access, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  afterComparisons,
  equalAfter,
  knownDifferencesSchema,
  requestedAfter,
  withoutLoaded,
  type KnownComparisons,
  type KnownDifference,
  type NotedComparison,
  type RequestedLoad,
} from '../schema/known-differences.ts';
import { changeOptional, readOptional } from './optional-file.ts';

/** No table's state has this name: a full stop in a table's name is encoded. */
export const KNOWN_DIFFERENCES_FILE = 'known.differences.json';

const readFile = async (directory: string): Promise<KnownComparisons> =>
  (await readOptional(directory, KNOWN_DIFFERENCES_FILE, knownDifferencesSchema)) ?? NOTHING;

const NOTHING: KnownComparisons = { format: 1, tables: [], equal: {}, requested: {} };

/** By the name of the destination table, as in the history. */
interface Comparisons {
  readonly differences: ReadonlyMap<string, KnownDifference>;
  /** When `verify` found a table equal after a failed sync, in RFC 3339. */
  readonly equal: ReadonlyMap<string, string>;
  /** The loads that `sync --full-refresh` has not done yet. */
  readonly requested: ReadonlyMap<string, RequestedLoad>;
}

export async function readComparisons(directory: string): Promise<Comparisons> {
  const { tables, equal, requested } = await readFile(directory);
  return {
    differences: new Map(tables.map((difference) => [difference.table, difference])),
    equal: new Map(Object.entries(equal)),
    requested: new Map(Object.entries(requested)),
  };
}

/** Returns the differences that are known now. */
export async function noteComparisons(
  directory: string,
  results: readonly NotedComparison[],
): Promise<readonly KnownDifference[]> {
  const now = new Date();
  const after = ({ tables, equal, requested }: KnownComparisons) => ({
    format: 1 as const,
    tables: afterComparisons(tables, results, now),
    equal: equalAfter(equal, results, now),
    requested: requestedAfter(requested, results),
  });
  const known = await readFile(directory);
  let next = after(known);
  if (next.tables === known.tables && next.equal === known.equal && next.requested === known.requested)
    return known.tables;
  await changeOptional({
    ...{ directory, name: KNOWN_DIFFERENCES_FILE, schema: knownDifferencesSchema },
    change: (found) => {
      next = after(found ?? NOTHING);
      return { ...next, tables: [...next.tables] };
    },
  });
  return next.tables;
}

const changeRequested = (
  directory: string,
  change: (requested: KnownComparisons['requested']) => KnownComparisons['requested'],
): Promise<void> =>
  changeOptional({
    ...{ directory, name: KNOWN_DIFFERENCES_FILE, schema: knownDifferencesSchema },
    change: (found) => {
      const { tables, ...known } = found ?? NOTHING;
      return { ...known, tables: [...tables], requested: change(known.requested) };
    },
  });

export const noteRequested = (
  directory: string,
  tables: readonly string[],
  load: RequestedLoad,
): Promise<void> =>
  changeRequested(directory, (requested) => ({
    ...requested,
    ...Object.fromEntries(tables.map((table) => [table, load])),
  }));

export const noteLoaded = (directory: string, tables: readonly string[]): Promise<void> =>
  changeRequested(directory, (requested) => withoutLoaded(requested, tables));

export const hasComparisons = (directory: string): Promise<boolean> =>
  access(join(directory, KNOWN_DIFFERENCES_FILE)).then(
    () => true,
    () => false,
  );

/** What `to` knows already is newer. */
export async function moveComparisons(from: string, to: string): Promise<void> {
  const { tables, equal, requested } = await readFile(from);
  await changeOptional({
    ...{ directory: to, name: KNOWN_DIFFERENCES_FILE, schema: knownDifferencesSchema },
    change: (found = NOTHING) => ({
      format: 1 as const,
      tables: [...new Map([...tables, ...found.tables].map((each) => [each.table, each])).values()],
      equal: { ...equal, ...found.equal },
      requested: { ...requested, ...found.requested },
    }),
  });
  if (await hasComparisons(to)) await rm(join(from, KNOWN_DIFFERENCES_FILE), { force: true }).catch(() => {});
}
