/**
 * Replaces patterns by tables. This happens in one place: after the settings are loaded, and before tables are
 * selected by name.
 */
import { expandPatterns } from '../config/tables/expand-patterns.ts';
import type { Settings } from '../config/settings.ts';
import { labelOf } from '../config/tables/table-mapping.ts';
import { asIncrepError, attempt, IncrepError } from '../errors.ts';
import { utcTime } from '../format.ts';
import { distinctTables, printName, type TableName } from '../schema/names.ts';
import { cannotBeReached } from '../report/error.ts';
import type { StateRecord } from '../schema/state-record.ts';
import { tablesCommand } from '../shell-word.ts';
import type { Database } from '../postgres/database.ts';
import { findTables, goneTables, movedTables, rememberedTables } from '../sync/facts/find-tables.ts';
import { CHECK_DATABASE, movedEntry } from '../sync/plan/source-refusals.ts';
import { withSourceTimeout } from '../sync/context/source-timeout.ts';
import type { PipelineContext } from './context.ts';

interface Asking {
  /**
   * `must`: the command needs the source. `may`: if the source does not answer, the tables of earlier syncs are used.
   * `soon`: the same, within seconds. `not`: the tables of earlier syncs.
   */
  readonly source: 'must' | 'may' | 'soon' | 'not';
  /** Includes tables that no longer exist at the source but still have a state. */
  readonly withGone?: boolean;
  /** Uses the state files only, without the destination. */
  readonly isLocal?: boolean;
}

export interface Expanded<C extends PipelineContext = PipelineContext> {
  /** With every table in its settings. */
  readonly context: C;
  /** Why the source could not be queried. Then the tables are those of earlier syncs. */
  readonly problem: IncrepError | undefined;
  /** Patterns that match no table. */
  readonly unmatched: readonly string[];
  /** Warnings about the patterns, as text. */
  readonly remarks: readonly string[];
  /** The error, if no table is left. */
  readonly noTables: IncrepError | undefined;
}

/** Without patterns, no server is queried. */
export async function expandTables<C extends PipelineContext>(
  context: C,
  asking: Asking,
): Promise<Expanded<C>> {
  if (context.settings.patterns.length === 0)
    return { context, problem: undefined, unmatched: [], remarks: [], noTables: undefined };
  const { found, problem } = await tablesFor(context, asking);
  const { settings: configured } = context;
  const { tables, unmatched, leftOut } = expandPatterns(configured, found);
  const expanded = (settings: Settings) => ({ ...settings, tables: expandPatterns(settings, found).tables });
  const isKnown = asking.source !== 'not' && asking.isLocal !== true && !problem;
  // If no table is left, the error names the patterns.
  const idle = isKnown && tables.length > 0 ? unmatched : [];
  const gone = isKnown && asking.withGone !== true ? await goneTables(context.runContext, tables) : [];
  const moved = await movedNow(context, tables.length > 0 ? gone : [], asking);
  return {
    context: mapSettings(context, expanded),
    problem,
    unmatched: idle,
    remarks: [
      ...idle.map(unmatchedRemark),
      ...(problem ? [rememberedRemark(problem)] : []),
      ...(tables.length > 0 ? goneRemarks(gone, moved, configured) : []),
      ...leftOut,
    ],
    noTables:
      tables.length > 0
        ? undefined
        : (problem ??
          noTable(
            configured.patterns.map(({ name }) => name),
            { isKnown, wereSynced: gone.length > 0 },
          )),
  };
}

/** Changes the settings of all destinations. */
export function mapSettings<C extends PipelineContext>(
  context: C,
  change: (settings: Settings) => Settings,
): C {
  const pipelines = context.pipelines.map(({ settings: before, runContext, ...pipeline }) => {
    const settings = change(before);
    return { ...pipeline, settings, runContext: { ...runContext, settings } };
  });
  const [first] = pipelines;
  return {
    ...context,
    settings: change(context.settings),
    runContext: first?.runContext ?? context.runContext,
    pipelines,
  };
}

async function tablesFor(
  { runContext, settings, pipelines }: PipelineContext,
  { source, withGone = false, isLocal = false }: Asking,
): Promise<{ readonly found: readonly TableName[]; readonly problem?: IncrepError }> {
  const remembered = async (isLocalOnly: boolean) =>
    distinctTables(
      (await Promise.all(pipelines.map((each) => rememberedTables(each.runContext, isLocalOnly)))).flat(),
    );
  if (source === 'not' || isLocal) return { found: await remembered(isLocal) };
  for (const { runContext: of } of pipelines) of.destination.connectEarly();
  try {
    const found =
      source === 'soon'
        ? await withSourceTimeout(runContext, (hasty) => findTables(hasty, settings))
        : await findTables(runContext.source, settings);
    return { found: withGone ? distinctTables([...found, ...(await remembered(false))]) : found };
  } catch (error) {
    runContext.signal?.throwIfAborted();
    if (source === 'must') throw error;
    return { found: await remembered(false), problem: asIncrepError(error) };
  }
}

const unmatchedRemark = (pattern: string): string =>
  `no table of the source matches "${pattern}" of tables-config.json`;

/** If the source does not say it, the tables are only called gone. */
async function movedNow(
  { runContext }: PipelineContext,
  gone: readonly StateRecord[],
  asking: Asking,
): Promise<ReadonlyMap<StateRecord, TableName>> {
  if (gone.length === 0) return new Map();
  const ask = (source: Database) => movedTables(source, gone);
  const answer = await attempt(() =>
    asking.source === 'soon' ? withSourceTimeout(runContext, ask) : ask(runContext.source),
  );
  runContext.signal?.throwIfAborted();
  return answer.kind === 'done' ? answer.value : new Map();
}

/** A command names at most this many tables. */
const MOST_RESET = 20;

/** A table that is somewhere else now has a remark of its own. The others share one. */
function goneRemarks(
  gone: readonly StateRecord[],
  moved: ReadonlyMap<StateRecord, TableName>,
  settings: Settings,
): string[] {
  const resetOf = (records: readonly StateRecord[]) =>
    `To end this warning, run "${tablesCommand(
      'reset',
      records.map(({ source }) => labelOf(source, settings.source)),
      [],
    )}"`;
  const kept = ({ destination }: StateRecord) => `its destination table ${printName(destination)} is kept`;
  const movedRemark = (record: StateRecord, to: TableName) =>
    `${printName(record.source)}, which a pattern found, is now named ${printName(to)} at the source (same table); ${kept(record)}. To continue with it, add an entry with ${movedEntry(record, to)} to tables-config.json: nothing is loaded again. ${resetOf([record])}`;
  const lost = gone.filter((record) => !moved.has(record));
  const groups = lost.flatMap((_, index) =>
    index % MOST_RESET === 0 ? [lost.slice(index, index + MOST_RESET)] : [],
  );
  return [
    ...gone.flatMap((record) => {
      const to = moved.get(record);
      return to ? [movedRemark(record, to)] : [];
    }),
    ...groups.map((group) => {
      const [first] = group;
      return first && group.length === 1
        ? `the source no longer has ${printName(first.source)}, which a pattern found, and whose last changes increp copied at ${utcTime(first.syncedAt)}; ${kept(first)}. ${resetOf(group)}`
        : `the source no longer has ${group.length} tables that a pattern found: ${group.map(({ source }) => printName(source)).join(', ')}; their destination tables are kept. ${resetOf(group)}`;
    }),
  ];
}

const rememberedRemark = (error: IncrepError): string =>
  `increp uses the tables of earlier syncs for patterns, because ${cannotBeReached('source', error)}: ${error.message}`;

const noTable = (
  patterns: readonly string[],
  { isKnown, wereSynced }: { readonly isKnown: boolean; readonly wereSynced: boolean },
): IncrepError => {
  const which = patterns.map((pattern) => `"${pattern}"`).join(', ');
  return new IncrepError(isKnown ? 'TABLE_NOT_FOUND' : 'NOT_SYNCED', {
    what: isKnown
      ? `no table of the source matches ${which} of tables-config.json`
      : `no table that matches ${which} of tables-config.json was synced before`,
    next: wereSynced
      ? CHECK_DATABASE
      : isKnown
        ? 'Correct "name" in tables-config.json. Write it as Postgres stores it; * stands for any characters.'
        : 'First run "increp sync".',
  });
};
