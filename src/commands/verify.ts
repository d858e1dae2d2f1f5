/** `increp verify`: compares the destination tables with the source. */
import type { TableSettings } from '../config/settings.ts';
import { asIncrepError, exitCodeOfTables, IncrepError } from '../errors.ts';
import { formatCount } from '../format.ts';
import { differencesIn, formatVerification, formatVerificationEnding } from '../report/verify.ts';
import { tableCommand } from '../shell-word.ts';
import type { ToldFailures } from '../report/same-failure.ts';
import { comparisonProgress } from '../observe/comparison-progress.ts';
import { redactedJson } from '../redact.ts';
import { errorToJson, FORMAT_VERSION } from '../report/summary-json.ts';
import { batchesOf, GROUP_SIZE } from '../postgres/batches.ts';
import { isUnknown, type TableFacts, type TableFailure } from '../sync/facts/facts.ts';
import { gatherFacts, serversOf } from '../sync/facts/gather-facts.ts';
import { nextFacts } from '../sync/run/next-facts.ts';
import { findEqualTables } from '../verify/equal-tables.ts';
import { withMissingGrant } from '../sync/run/with-missing-grant.ts';
import { mayStage } from '../sync/plan/destination-refusals.ts';
import { withLockNeeds } from '../sync/facts/lock-needs.ts';
import { failureWithHolders, withHolders } from '../sync/lock/lock-holders.ts';
import { ensureDifferentDatabases } from '../sync/facts/same-database.ts';
import { notTaken, repairTable, type Repaired } from '../verify/repair.ts';
import { repairWhole } from '../verify/repair-keyless.ts';
import { isEqual, verifyTable, type Verified } from '../verify/verify.ts';
import type { RunContext } from '../sync/context/run-context.ts';
import { withContext, type Context } from './pipeline/context.ts';
import type { Pipeline } from '../pipeline/context.ts';
import {
  atDestination,
  eachDestination,
  ofDestination,
  type DestinationResults,
} from './pipeline/each-destination.ts';
import { expandTables } from '../pipeline/expand-tables.ts';
import type { GlobalOptions } from './terminal/options.ts';
import { sharedFailures, type SharedFailures } from '../pipeline/shared-failures.ts';
import { selectTables } from '../pipeline/select-tables.ts';
import { noteComparisons } from '../state/known-differences-file.ts';
import type { NotedComparison } from '../schema/known-differences.ts';
import { cursorBefore } from '../sync/run/table-outcome.ts';
import { agedFailure, lastFailureJson } from '../status/last-failures.ts';
import { resetAtOf } from '../sync/facts/saved-state.ts';
import { isBeforeReset, isEqualSince, plannedSince, type RunRecord } from '../schema/run-record.ts';
import { sayRemarks } from './pipeline/warn-unreachable.ts';
import { carryFormerFiles } from '../sync/facts/former-directories.ts';

export interface VerifyOptions extends GlobalOptions {
  readonly destination: readonly string[];
  readonly json: boolean;
  /** Fetch or remove the rows that differ. */
  readonly repair: boolean;
  /** Without `delete_limit`. */
  readonly force: boolean;
}

/** For each table the differences, or the error that prevented the comparison. */
export type TableVerification =
  | {
      readonly verified: Verified;
      readonly repaired: Repaired | undefined;
      /** Why the differences were not repaired. */
      readonly refusal?: IncrepError;
      /** Of a sync that no success has followed. */
      readonly lastFailure?: (ReturnType<typeof agedFailure> & { readonly run: RunRecord }) | undefined;
    }
  | { readonly name: string; readonly error: IncrepError };

export async function verifyCommand(words: readonly string[], options: VerifyOptions): Promise<number> {
  const startedAt = performance.now();
  if (options.force && !options.repair)
    throw new IncrepError('USAGE', {
      what: '--force without --repair has no effect',
      next: 'Add --repair, or leave out --force.',
    });
  return withContext(options, async (configured) => {
    const { context, remarks, noTables } = await expandTables(configured, { source: 'must' });
    if (noTables) throw noTables;
    const { settings, terminal, redact } = context;
    const chosen = selectTables(settings.tables, { names: words, excluded: [] }).filter(
      ({ isEnabled }) => isEnabled,
    );
    const told: ToldFailures = new Map();
    const shared = await sharedFailures(context);
    const result = await eachDestination(context, {
      isJson: options.json,
      run: async (pipeline) => {
        const verdicts = await compareTables(context, pipeline, { chosen, words, options, told, shared });
        const { name } = pipeline;
        return {
          result: verdicts.map((verdict) => ({ verdict, name, of: ofDestination({ name }) })),
          exitCode: exitCodeFor(verdicts),
        };
      },
    });
    const verdicts = result.results.flat();
    if (options.json) terminal.out(redactedJson(toJson(result), redact));
    else {
      const ended = {
        tables: verdicts.map(endedTable),
        unreached: result.unreached,
        seconds: (performance.now() - startedAt) / 1000,
        words,
        destinations: settings.destinations.length,
      };
      terminal.out(redact(formatVerificationEnding(ended, terminal.style)));
    }
    sayRemarks(remarks, context);
    return verdicts.some(({ verdict }) => isDifferent(verdict)) ? DIFFERENT : result.exitCode;
  });
}

interface ComparisonWork {
  readonly chosen: readonly TableSettings[];
  /** What the command names. */
  readonly words: readonly string[];
  readonly options: VerifyOptions;
  readonly told: ToldFailures;
  readonly shared: SharedFailures;
}

/** Compares the tables of one destination, and prints each result. */
async function compareTables(
  { terminal: { screen, style, out }, redact }: Context,
  pipeline: Pipeline,
  { chosen, words, options, told, shared }: ComparisonWork,
): Promise<readonly TableVerification[]> {
  const { settings, runContext, listen, name: destination } = pipeline;
  ensureDifferentDatabases(settings, await serversOf(runContext));
  const names = chosen.map(({ name }) => name);
  using progress = options.json || !screen ? undefined : comparisonProgress(screen, names, redact);
  if (progress) listen(progress.display.listener);
  const failures = await shared.readLast(pipeline);
  const verdicts: TableVerification[] = [];
  for (const group of batchesOf(chosen, GROUP_SIZE)) {
    const at = performance.now();
    const facts = await gatherFacts(runContext, group);
    const factsOf = new Map(facts.tables.map((each) => [each.settings.name, each]));
    const equal = await findEqualTables(runContext, facts.tables);
    const others = group.filter(({ name }) => !equal.has(name)).map((each) => ({ settings: each }));
    const compared: NotedComparison[] = [];
    const factsFor = nextFacts(others, { facts, at });
    for (const table of group) {
      const { name } = table;
      progress?.begin(name);
      const found = equal.get(name);
      const judged = found
        ? { verified: found, repaired: undefined }
        : stepsAt(
            destination,
            await verdictOn(runContext, await factsFor(runContext, { settings: table }), options),
          );
      const known = factsOf.get(name);
      const recordName = known?.recordName ?? name;
      const failed = failures.get(recordName);
      const verdict =
        'error' in judged || !failed || isBeforeReset(failed, known && resetAtOf(known.saved))
          ? judged
          : {
              ...judged,
              lastFailure: {
                ...agedFailure(
                  failed,
                  knownSince(table, judged.verified, failed, known && mayStage(known)),
                  table.mode,
                ),
                ...limitStep(judged.verified, failed),
                run: failed,
              },
            };
      verdicts.push(verdict);
      compared.push(
        ...comparedIn(verdict, {
          table: recordName,
          cursor: known ? cursorBefore(known) : null,
          isNamed: words.length > 0,
        }),
      );
      progress?.end(name);
      progress?.display.clear();
      if (!options.json) out(redact(formatVerification(verdict, { names, style, told, destination })));
    }
    await carryFormerFiles(runContext);
    await noteComparisons(settings.stateDirectory, compared);
  }
  return verdicts;
}

/** Only a table that keeps its shape is compared. */
const knownSince = (
  { deletionLog }: TableSettings,
  verified: Verified,
  failed: RunRecord,
  isStaged = false,
) =>
  isEqual(verified) && isEqualSince(failed, new Date().toISOString())
    ? 'equal'
    : plannedSince(failed, { deletionLog, keepsShape: true, mayStage: isStaged });

/** The comparison knows whether the removal of rows that a sync refused is still over the limit. The last line has the step then. */
const limitStep = (verified: Verified, { error_code: code }: RunRecord) => {
  const { name, isOverLimit } = verified;
  return code === 'DELETE_LIMIT_EXCEEDED' && !isEqual(verified)
    ? { hint: isOverLimit ? '' : `Run "${tableCommand('sync', name)}".` }
    : {};
};

function comparedIn(
  verdict: TableVerification,
  {
    table,
    cursor,
    isNamed,
  }: { readonly table: string; readonly cursor: string | null; readonly isNamed: boolean },
): NotedComparison[] {
  if ('error' in verdict) return [];
  const { verified } = verdict;
  return [
    isEqual(verified)
      ? {
          ...{ kind: 'equal', table, cursor, hasMore: verified.waiting > 0 },
          followsFailure: verdict.lastFailure !== undefined,
          isNamed,
        }
      : {
          ...{ kind: 'different', table, cursor, foundBy: 'verify' },
          message: differencesIn(verified),
          overLimit: overLimitIn(verified) ?? null,
          only: isBeyondRepair(verified) ? 'duplicated-at-source' : isOnlyExtra(verified) ? 'extra' : null,
          duplicates:
            verified.duplicatedAtSource === 0
              ? null
              : `${formatCount(verified.duplicatedAtSource)} duplicated`,
        },
  ];
}

const isOnlyExtra = ({ missing, extra, changed, duplicated, duplicatedAtSource }: Verified): boolean =>
  extra > 0 && missing + changed === 0 && duplicated === duplicatedAtSource;

/** What a destination needs is a command for this destination. */
function stepsAt(destination: string | undefined, verdict: TableVerification): TableVerification {
  if ('error' in verdict) return { ...verdict, error: atDestination(verdict.error, destination) };
  return verdict.refusal ? { ...verdict, refusal: atDestination(verdict.refusal, destination) } : verdict;
}

async function verdictOn(
  runContext: RunContext,
  facts: TableFacts | TableFailure,
  { repair, force }: Pick<VerifyOptions, 'repair' | 'force'>,
): Promise<TableVerification> {
  const { name } = facts.settings;
  if (isUnknown(facts)) return { name, error: (await failureWithHolders(runContext, facts)).error };
  const attempted = async <T>(work: () => Promise<T>): Promise<T | { readonly error: IncrepError }> => {
    try {
      return await work();
    } catch (error) {
      runContext.signal?.throwIfAborted();
      const held = await withHolders(runContext, facts, asIncrepError(error));
      const granted = await withMissingGrant(runContext, facts, held);
      return { error: await withLockNeeds(runContext, facts, granted) };
    }
  };
  const verified = await attempted(() => verifyTable(runContext, facts));
  if ('error' in verified) return { name, error: verified.error };
  if (!repair || isEqual(verified)) return { verified, repaired: undefined };
  const isKeyless = facts.settings.mergeKey.length === 0;
  const repaired = await attempted(() =>
    (isKeyless ? repairWhole : repairTable)(runContext, facts, { isForced: force }),
  );
  if ('error' in repaired) return { verified, repaired: undefined, refusal: repaired.error };
  // The differences after a repair replace those before it.
  const left = await attempted(() => verifyTable(runContext, facts));
  if ('error' in left) return { name, error: left.error };
  const isTaken = left.missing + left.changed === 0;
  return { verified: left, repaired, ...(!isTaken && { refusal: notTaken(facts) }) };
}

const DIFFERENT = 2;

const isDifferent = (verdict: TableVerification): boolean =>
  'verified' in verdict && !isEqual(verdict.verified);

/** Differences come first, because a script asks for them. */
function exitCodeFor(verdicts: readonly TableVerification[]): number {
  if (verdicts.some(isDifferent)) return DIFFERENT;
  const failed = verdicts.flatMap((verdict) => ('error' in verdict ? [verdict.error.exitCode] : []));
  return exitCodeOfTables(failed, verdicts.length);
}

const endedTable = ({ verdict, name: destination }: DestinationVerification) =>
  'error' in verdict
    ? {
        name: verdict.name,
        destination,
        isEqual: false,
        isRepaired: false,
        error: verdict.error,
        refusal: undefined,
      }
    : {
        name: verdict.verified.name,
        destination,
        isEqual: isEqual(verdict.verified),
        isRepaired: verdict.repaired !== undefined,
        isBeyondRepair: isBeyondRepair(verdict.verified),
        overLimit: overLimitIn(verdict.verified),
        error: undefined,
        refusal: verdict.refusal,
        lastFailure: verdict.lastFailure,
      };

const overLimitIn = ({ isOverLimit, extra, destinationRows, isMarked }: Verified) =>
  isOverLimit ? { gone: extra, of: destinationRows, isMarked } : undefined;

/** A repair removes rows that only the destination has twice. */
const isBeyondRepair = ({ missing, extra, changed, duplicated, duplicatedAtSource }: Verified): boolean =>
  missing + extra + changed === 0 && duplicated > 0 && duplicated === duplicatedAtSource;

interface DestinationVerification {
  readonly verdict: TableVerification;
  /** Undefined if the pipeline has one destination. */
  readonly name: string | undefined;
  readonly of: object;
}

const toJson = ({ results, json }: DestinationResults<readonly DestinationVerification[]>): object => ({
  type: 'verify',
  format_version: FORMAT_VERSION,
  ...json,
  tables: results.flat().map(({ verdict, of }) => {
    const { name, ...result } = tableJson(verdict);
    return { name, ...of, ...result };
  }),
});

function tableJson(verdict: TableVerification) {
  if ('error' in verdict) {
    return { name: verdict.name, status: 'failed', error: errorToJson(verdict.error) };
  }
  const { name, sourceRows, destinationRows, keys, notes, durationSeconds } = verdict.verified;
  const { missing, extra, changed, duplicated, duplicatedAtSource, waiting, outdated, newer, kept } =
    verdict.verified;
  return {
    name,
    status: isEqual(verdict.verified) ? 'equal' : 'different',
    rows_source: sourceRows,
    rows_destination: destinationRows,
    repaired: verdict.repaired ?? null,
    ...{ missing, extra, changed, duplicated, duplicated_at_source: duplicatedAtSource },
    ...{ waiting, outdated, newer, kept },
    first_keys: Object.fromEntries(
      Object.entries(keys).map(([kind, list]) => [kind, list.map((key): unknown => JSON.parse(key))]),
    ),
    merged_columns: verdict.verified.mergedColumns,
    notes,
    duration_s: durationSeconds,
    ...(verdict.refusal && { error: errorToJson(verdict.refusal) }),
    last_failure: verdict.lastFailure ? lastFailureJson(verdict.lastFailure.run) : null,
  };
}
