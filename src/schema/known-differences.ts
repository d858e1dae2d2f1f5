/** Differences that a comparison has found, until a later one finds the table equal. Pure. */
import * as z from 'zod';

const differenceSchema = z.object({
  /** The destination table, as in the history. */
  table: z.string(),
  /**
   * `sync`: --verify rolled the rows back. A sync without it commits them. `lost-rows`: a sync found that partitions are gone or
   * that the largest key went back, and has compared nothing. `lost-kept-rows`: a load that no command requested was into a new or
   * emptied table, which lacks rows that only the former table kept.
   */
  foundBy: z.enum(['verify', 'sync', 'lost-rows', 'lost-kept-rows']),
  message: z.string(),
  /** Set if all differences are rows without a row of the source, or rows of the source with the same unique key. */
  only: z.enum(['extra', 'duplicated-at-source']).nullable().default(null),
  /** The rows of the source with the same unique key, in words. No load or removal fixes them. */
  duplicates: z.string().nullable().default(null),
  /** The rows that a repair removes, if `delete_limit` does not allow it. */
  overLimit: z.object({ gone: z.number(), of: z.number(), isMarked: z.boolean() }).nullable().default(null),
  /** RFC 3339. */
  since: z.string(),
  /** The cursor of the table when they were found. */
  cursor: z.string().nullable(),
});
export type KnownDifference = Readonly<z.infer<typeof differenceSchema>>;

const requestedLoadSchema = z.object({
  /** RFC 3339. */
  since: z.string(),
  /** The ID of the run. While it is active, it may still load the table. */
  run: z.string(),
});
export type RequestedLoad = Readonly<z.infer<typeof requestedLoadSchema>>;

export const knownDifferencesSchema = z.object({
  format: z.literal(1),
  tables: z.array(differenceSchema),
  /** Tables that `verify` found equal after a failed sync, by destination table, with the time in RFC 3339. */
  equal: z.record(z.string(), z.string()).default({}),
  /** Tables that `sync --full-refresh` has not loaded yet, by destination table. */
  requested: z.record(z.string(), requestedLoadSchema).default({}),
});

export type KnownComparisons = Readonly<z.infer<typeof knownDifferencesSchema>>;

/** What `verify` or a sync says about the differences of a table. */
export type NotedComparison = Pick<KnownDifference, 'table' | 'cursor'> &
  (
    | ({ readonly kind: 'different' } & Pick<KnownDifference, 'foundBy' | 'message' | 'only' | 'duplicates'> &
        Partial<Pick<KnownDifference, 'overLimit'>>)
    /** All rows of the last sync are equal. `hasMore`: the source has rows that the next sync reads. `followsFailure`: a sync has failed. */
    | {
        readonly kind: 'equal';
        readonly hasMore: boolean;
        readonly followsFailure?: boolean;
        /** Whether the command named the table, which also accepts a loss of rows. */
        readonly isNamed?: boolean;
      }
    /** The sync has written rows. `cursor` is that from before. */
    | {
        readonly kind: 'synced';
        readonly isLoad: boolean;
        /** Whether a command requested the load. */
        readonly isRequested?: boolean;
        readonly isVerified: boolean;
        /** It has compared the keys of both sides, and no row is left that the source no longer has. */
        readonly areDeletesDone: boolean;
        /** It has read all rows of the source, and no two have the same unique key. */
        readonly hasUniqueKeys: boolean;
      }
  );

/** The same array if nothing has changed. */
export function afterComparisons(
  known: readonly KnownDifference[],
  results: readonly NotedComparison[],
  now: Date,
): readonly KnownDifference[] {
  const next = new Map(known.map((each) => [each.table, each]));
  for (const result of results) {
    const { table } = result;
    const before = next.get(table);
    if (result.kind === 'different') {
      next.set(table, differing(result, before, now));
    } else if (before && answers(result, before)) {
      const left = duplicatesLeft(result, before);
      if (left) next.set(table, left);
      else next.delete(table);
    }
  }
  return next.size === known.length && known.every((each) => next.get(each.table) === each)
    ? known
    : [...next.values()];
}

/** The same object if nothing has changed. */
export function equalAfter(
  known: KnownComparisons['equal'],
  results: readonly NotedComparison[],
  now: Date,
): KnownComparisons['equal'] {
  const next = new Map(Object.entries(known));
  let isSame = true;
  for (const result of results) {
    if (result.kind === 'equal' && result.followsFailure === true) next.set(result.table, now.toISOString());
    else if (result.kind === 'equal' || !next.delete(result.table)) continue;
    isSame = false;
  }
  return isSame ? known : Object.fromEntries(next);
}

/** The same object if nothing has changed. */
export function requestedAfter(
  known: KnownComparisons['requested'],
  results: readonly NotedComparison[],
): KnownComparisons['requested'] {
  const done = results.flatMap((result) =>
    result.kind === 'equal' || (result.kind === 'synced' && result.isLoad) ? [result.table] : [],
  );
  return withoutLoaded(known, done);
}

/** The same object if nothing has changed. */
export function withoutLoaded(
  known: KnownComparisons['requested'],
  loaded: readonly string[],
): KnownComparisons['requested'] {
  const next = new Map(Object.entries(known));
  const removed = loaded.filter((table) => next.delete(table));
  return removed.length === 0 ? known : Object.fromEntries(next);
}

function differing(
  {
    table,
    cursor,
    foundBy,
    message,
    only,
    duplicates,
    overLimit = null,
  }: Extract<NotedComparison, { kind: 'different' }>,
  before: KnownDifference | undefined,
  now: Date,
): KnownDifference {
  const first = { table, foundBy, since: now.toISOString(), cursor, overLimit };
  if (before?.foundBy === 'lost-kept-rows')
    return foundBy === 'verify' ? { ...first, message, only, duplicates } : before;
  if (foundBy === 'lost-kept-rows') return { ...first, message, only, duplicates };
  if (foundBy !== 'lost-rows')
    return { ...first, ...(before?.foundBy !== 'lost-rows' && before), message, only, duplicates, overLimit };
  // A comparison has counted the rows.
  if (before && before.foundBy !== 'lost-rows' && before.only !== 'duplicated-at-source') return before;
  return { ...first, message, only, duplicates: before?.duplicates ?? null };
}

function duplicatesLeft(
  result: Exclude<NotedComparison, { kind: 'different' }>,
  found: KnownDifference,
): KnownDifference | undefined {
  const { only, duplicates } = found;
  if (duplicates === null || result.kind === 'equal' || result.hasUniqueKeys) return undefined;
  return only === 'duplicated-at-source'
    ? found
    : { ...found, message: duplicates, only: 'duplicated-at-source', overLimit: null };
}

function answers(result: Exclude<NotedComparison, { kind: 'different' }>, found: KnownDifference): boolean {
  if (found.foundBy === 'lost-kept-rows')
    return result.kind === 'equal' ? result.isNamed === true : result.isRequested === true;
  // From the same cursor, a sync reads the rows again that were rolled back.
  const isSameCursor = result.cursor === found.cursor;
  const isStanding = found.foundBy !== 'sync';
  if (result.kind === 'equal') return isStanding || !result.hasMore || !isSameCursor;
  if (result.isVerified && !isStanding) return result.isLoad || isSameCursor;
  if (result.areDeletesDone && isStanding && found.only === 'extra') return true;
  // A load without a comparison corrects old rows, but not what changes each row as it is written.
  return result.isLoad && isStanding;
}
