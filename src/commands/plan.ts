/** `increp plan`: shows what `sync` would do, and why. It writes nothing. */
import type { TableSettings } from '../config/settings.ts';
import { serversOf } from '../sync/facts/gather-facts.ts';
import { gatherGroups } from '../sync/facts/gather-groups.ts';
import { ensureDifferentDatabases } from '../sync/facts/same-database.ts';
import { addressWords } from '../config/connection/servers.ts';
import { writeRefusal } from '../sync/facts/writable-destination.ts';
import { previewTables } from '../preview/preview.ts';
import type { Preview } from '../preview/table-preview.ts';
import { previewInWords } from '../sync/load/preview-removed-rows.ts';
import { plannedObjects } from '../sync/objects/planned-objects.ts';
import { describeDependent } from '../sync/plan/drop-by-hand.ts';
import { ERROR_CLASSES, exitCodeOfTables, type IncrepError } from '../errors.ts';
import { continuesFromCursor, isRoutine } from '../events.ts';
import { lossStep } from '../report/lost-rows.ts';
import { requestedText } from '../report/requested-loads.ts';
import { formatPlan } from '../report/plan.ts';
import { leftOutText, plannedObjectLines } from '../report/object-texts.ts';
import { copyCause, reasonTextNow } from '../report/reasons.ts';
import { goneRowsText, LISTED, listed, utcTime } from '../format.ts';
import { printName } from '../schema/names.ts';
import { onlyAtDestination } from '../shell-word.ts';
import { redactedJson } from '../redact.ts';
import { errorToJson, FORMAT_VERSION } from '../report/summary-json.ts';
import {
  isBeforeReset,
  isEqualSince,
  plannedSince,
  type KnownSince,
  type RunRecord,
} from '../schema/run-record.ts';
import { readComparisons } from '../state/known-differences-file.ts';
import type { KnownDifference } from '../schema/known-differences.ts';
import { standingIn } from '../sync/plan/reload-guard.ts';
import { writeFault } from '../state/state-files.ts';
import { agedFailure, lastFailureJson } from '../status/last-failures.ts';
import { claimOf, ensureClaimNamed } from './adopt-replace.ts';
import { withContext } from './pipeline/context.ts';
import type { Pipeline } from '../pipeline/context.ts';
import { eachDestination, ofDestination, type DestinationResults } from './pipeline/each-destination.ts';
import { expandTables } from '../pipeline/expand-tables.ts';
import type { GlobalOptions } from './terminal/options.ts';
import { requestedSteps } from '../pipeline/note-requested.ts';
import { sharedFailures, type SharedFailures } from '../pipeline/shared-failures.ts';
import { selectTables } from '../pipeline/select-tables.ts';
import {
  sayRemarks,
  unwritableWords,
  warnRefused,
  warnStandby,
  warnUnwritable,
} from './pipeline/warn-unreachable.ts';
import { carryFormerFiles } from '../sync/facts/former-directories.ts';

export interface PlanOptions extends GlobalOptions {
  readonly exclude: readonly string[];
  readonly destination: readonly string[];
  readonly fullRefresh: boolean;
  readonly deletes: boolean;
  readonly adopt: boolean;
  readonly replace: boolean;
  /** True for "sync --dry-run". */
  readonly force?: boolean;
  /** The flag of "sync --dry-run". */
  readonly jobs?: number | undefined;
  readonly json: boolean;
  readonly verbose: boolean;
  /** Exits with 2 if there is something to do. */
  readonly exitCode: boolean;
}

export async function planCommand(tables: readonly string[], options: PlanOptions): Promise<number> {
  await ensureClaimNamed(tables, options);
  return withContext(options, async (configured) => {
    const { context, unmatched, remarks, noTables } = await expandTables(configured, { source: 'must' });
    if (noTables) throw noTables;
    const { settings, terminal, redact } = context;
    const chosen = selectTables(settings.tables, { names: tables, excluded: options.exclude });
    const jobs = options.jobs ?? settings.jobs;
    const unwritable = await writeFault(settings.stateDirectory);
    const failures = await sharedFailures(context);
    const steps = await requestedSteps(context, chosen);
    const result = await eachDestination(context, {
      isJson: options.json,
      run: async (pipeline) => {
        const { previews: planned, refusal } = await planFor(pipeline, chosen, options);
        const previews = await withLastFailures(planned, pipeline, failures, (name) =>
          steps([name], pipeline.name),
        );
        if (!options.json)
          terminal.out(
            redact(
              formatPlan(previews.map(inWordsAt(pipeline, options)), terminal.style, {
                jobs,
                isVerbose: options.verbose,
                fault: unwritableWords(unwritable),
                direction: {
                  from: addressWords(pipeline.settings.source),
                  to: addressWords(pipeline.settings.destination),
                },
              }),
            ),
          );
        if (!options.json) warnRefused(refusal, context);
        return {
          result: { previews, refusal, of: ofDestination(pipeline) },
          exitCode: refusal ? refusal.exitCode : exitCodeFor(previews, options),
        };
      },
    });
    if (options.json) terminal.out(redactedJson(toJson(result, { unmatched, jobs, unwritable }), redact));
    sayRemarks(remarks, context);
    await warnStandby(context);
    warnUnwritable(unwritable, context);
    return result.exitCode;
  });
}

async function planFor(
  { settings, runContext }: Pipeline,
  tables: readonly TableSettings[],
  options: PlanOptions,
): Promise<{ readonly previews: readonly Preview[] } & Pick<DestinationPlan, 'refusal'>> {
  const servers = await serversOf(runContext);
  ensureDifferentDatabases(settings, servers);
  runContext.destinations.add(settings, servers.destination);
  await carryFormerFiles(runContext);
  const request = {
    isFullRefresh: options.fullRefresh,
    areDeletesForced: options.deletes,
    claim: claimOf(options),
    isForced: options.force === true,
    now: new Date(),
  };
  const previews: Preview[] = [];
  for await (const facts of gatherGroups(runContext, tables))
    previews.push(...(await previewTables(runContext, facts, request)));
  return {
    previews:
      settings.destinations.length > 1 ? previews.map((table) => withChunkNote(table, tables)) : previews,
    refusal: writeRefusal(runContext, servers),
  };
}

/** A plan cannot foresee each failure, so it repeats the one that a sync found. */
interface KnownTable extends Preview {
  /** Undefined if the plan itself says why a sync would fail. */
  readonly lastFailure: RunRecord | undefined;
  /** The note about a requested load that was not done, with commands for the right destinations. */
  readonly notLoaded: readonly string[];
  /** When a comparison found the table equal after a failure. */
  readonly equalAt: string | undefined;
}

async function withLastFailures(
  previews: readonly Preview[],
  pipeline: Pipeline,
  shared: SharedFailures,
  stepsOf: (name: string) => string,
): Promise<KnownTable[]> {
  const { settings } = pipeline;
  const { differences, equal, requested } = await readComparisons(settings.stateDirectory);
  const failures = await shared.readLast(pipeline);
  return previews.map((table) => {
    const failure = failures.get(table.recordName);
    const isTold = table.error || table.obstruction || (failure && isBeforeReset(failure, table.resetAt));
    const found = differences.get(table.recordName);
    const known = table.action === 'incremental' ? found : undefined;
    const gone = known?.foundBy === 'lost-rows' ? known : undefined;
    const own = gone && settings.tables.find(({ name }) => name === table.name);
    const standing = own && standingIn(own, gone) ? [gone.message] : [];
    // A new load settles the loss.
    if (found?.foundBy === 'lost-kept-rows' && isRoutine(table.action))
      standing.push(lossNote(table.name, found));
    const notLoaded: string[] = [];
    const load = requested.get(table.recordName);
    if (load && continuesFromCursor(table.action))
      notLoaded.push(`${requestedText(secondsSince(load.since))}. ${stepsOf(table.name)}`);
    return {
      ...table,
      // The sync of new changes says the same.
      warnings: [...table.warnings, ...standing.filter((message) => !table.warnings.includes(message))],
      notLoaded,
      lastFailure: isTold ? undefined : failure,
      equalAt: equal.get(table.recordName),
    };
  });
}

const lossNote = (name: string, { message, since }: KnownDifference): string =>
  `lost rows, noticed ${utcTime(since)}: ${message}. ${lossStep(name)}`;

/** A note about tables that each destination reads separately. */
function withChunkNote(table: Preview, tables: readonly TableSettings[]): Preview {
  const isInChunks =
    table.loader !== undefined &&
    tables.some(({ name, chunk }) => chunk !== undefined && name === table.name);
  if (!isInChunks) return table;
  const note = 'a load in chunks is not shared, so each destination reads the table separately';
  return { ...table, warnings: [...table.warnings, note] };
}

function exitCodeFor(previews: readonly Preview[], { exitCode }: PlanOptions): number {
  // A sync fails for both reasons of an obstruction with 1.
  const refused = previews.flatMap(({ error, obstruction }) =>
    error ? [error.exitCode] : obstruction ? [ERROR_CLASSES.DEPENDENT_OBJECTS.exitCode] : [],
  );
  if (refused.length > 0) return exitCodeOfTables(refused, previews.length);
  return exitCode && previews.some(({ hasWork, objects }) => hasWork || (objects?.steps.length ?? 0) > 0)
    ? 2
    : 0;
}

const secondsSince = (time: string): number => (Date.now() - Date.parse(time)) / 1000;

/** What a destination needs is a command for this destination. */
function inWordsAt({ name: destination }: Pipeline, options: PlanOptions) {
  const at = (text: string) => onlyAtDestination(text, destination);
  return (table: KnownTable) => {
    const { error, obstruction, lastFailure, warnings, ...words } = inWords(table, options);
    return {
      ...words,
      warnings: [...warnings.map(at), ...table.notLoaded],
      error: error && { code: error.code, message: error.message, next: at(error.next) },
      obstruction: obstruction && { ...obstruction, next: at(obstruction.next) },
      lastFailure,
    };
  };
}

const ageOf = (at: string | null): number | undefined => (at === null ? undefined : secondsSince(at));

/** A flag such as --full-refresh may prevent an error that the next sync without it has. */
function knownSince(
  table: Preview & Pick<KnownTable, 'equalAt'>,
  failure: RunRecord,
  { fullRefresh, adopt, replace, force = false }: PlanOptions,
): KnownSince {
  const { action, deletionLog, mayStage, evolution, equalAt, obstruction } = table;
  if (isEqualSince(failure, equalAt)) return 'equal';
  if (action === 'skipped' || fullRefresh || adopt || replace || force) return 'answered';
  const keepsShape = isRoutine(action) && !evolution;
  return plannedSince(failure, {
    deletionLog,
    keepsShape,
    mayStage,
    mayLoad: action === 'reset' && !obstruction,
  });
}

const inWords = ({ lastFailure, ...table }: KnownTable, options: PlanOptions) => ({
  ...table,
  reason: table.reasons.length === 0 ? table.reason : reasonTextNow(table.reasons, new Date()),
  deletes: table.deletes && {
    ...table.deletes,
    ageSeconds: ageOf(table.deletes.refusedAt ?? table.deletes.checkedAt),
    hasFailed: table.deletes.refusedAt !== null,
  },
  lastFailure: lastFailure && agedFailure(lastFailure, knownSince(table, lastFailure, options), table.action),
  copy: table.recordName === table.name ? undefined : printName(table.copy),
  marks: table.isMarked ? goneText(table).map((text) => `${text}, in "_deleted_at"`) : [],
  removes: [...(table.isMarked ? [] : goneText(table)), ...removedColumnsText(table.removedColumns)],
  isSmall: table.loaderCause?.code === 'small-table',
  warnings: [...table.warnings, ...loaderNote(table)],
  objects: table.objects ? plannedObjectLines(plannedObjects(table.objects)) : [],
  builtOn: table.dependents.map((each) => describeDependent(each)),
});

const goneText = ({ gone, rowsFrom }: Preview): string[] =>
  gone && gone.gone > 0 ? [`${previewInWords(gone)} of the destination ${goneRowsText(rowsFrom)}`] : [];

function removedColumnsText(names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const columns = listed(
    names.map((name) => `"${name}"`),
    LISTED,
  );
  return names.length === 1
    ? [`column ${columns} with its values ("dropped_columns": "keep" keeps it)`]
    : [`columns ${columns} with their values ("dropped_columns": "keep" keeps them)`];
}

/** A note that needs no action. A small table has it in its first line. */
const loaderNote = ({ loaderCause: cause }: Preview): string[] =>
  cause && cause.code !== 'small-table' ? [`loads by COPY instead of pg_dump: ${copyCause(cause)}`] : [];

interface DestinationPlan {
  readonly previews: readonly KnownTable[];
  /** Why a sync would fail before its first table. */
  readonly refusal: IncrepError | undefined;
  readonly of: object;
}

const toJson = (
  { results, json }: DestinationResults<DestinationPlan>,
  {
    unmatched,
    jobs,
    unwritable,
  }: {
    readonly unmatched: readonly string[];
    readonly jobs: number;
    readonly unwritable: IncrepError | undefined;
  },
): object => ({
  type: 'plan',
  format_version: FORMAT_VERSION,
  ...json,
  tables: results.flatMap(({ previews, of }) =>
    previews.map((table) => ({ name: table.name, ...of, ...tableJson(table) })),
  ),
  refusals: results.flatMap(({ refusal, of }) => (refusal ? [{ ...of, ...errorToJson(refusal) }] : [])),
  state_directory_error: unwritable ? errorToJson(unwritable) : null,
  unmatched_patterns: unmatched,
  jobs,
});

const tableJson = (table: KnownTable) => ({
  pattern: table.pattern ?? null,
  copy: { schema: table.copy.schema, table: table.copy.table },
  action: table.action,
  reason: table.reason,
  selects: table.selects ?? null,
  rules: table.rules,
  loader: table.loader ?? null,
  loader_reason: table.loaderCause ? copyCause(table.loaderCause) : null,
  estimated_rows: table.estimated?.rows ?? null,
  estimated_bytes: table.estimated?.bytes ?? null,
  read_again_rows: table.readAgain?.rows ?? null,
  table_rows: table.whole?.rows ?? null,
  table_bytes: table.whole?.bytes ?? null,
  cursor: table.cursor,
  high_water_mark: table.high,
  looks_for_deletes: table.removesDeleted,
  alterations: table.evolution?.alterations ?? [],
  fills: table.evolution
    ? {
        columns: table.evolution.filled,
        compared_columns: table.evolution.compared,
        estimated_rows: table.evolution.rows ?? null,
      }
    : null,
  ...(table.objects && {
    objects: plannedObjects(table.objects).map((object) => ({
      kind: object.kind,
      name: object.name,
      change: object.change,
      ...(object.change === 'leave out' && { reason: leftOutText(object.reason) }),
    })),
  }),
  rows_gone: table.gone?.gone ?? null,
  rows_gone_precision: table.gone?.precision ?? null,
  columns_removed: table.removedColumns,
  dependents: table.dependents.map(({ kind, name, of, owner, isOurs, canMove, lacks }) => ({
    kind,
    name,
    of_table: of,
    owner,
    can_move: canMove && isOurs && lacks.length === 0,
  })),
  obstruction: table.obstruction ? { message: table.obstruction.what, hint: table.obstruction.next } : null,
  warnings: [...table.warnings, ...table.notLoaded],
  error: table.error ? errorToJson(table.error) : null,
  last_failure: table.lastFailure ? lastFailureJson(table.lastFailure) : null,
});
