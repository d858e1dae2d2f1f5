/** The one place where patterns become tables: behind the wiring, and before tables are chosen by their names. */
import { expandPatterns } from '../../config/tables/expand-patterns.ts';
import type { Settings } from '../../config/settings.ts';
import { asIncrepError, IncrepError } from '../../errors.ts';
import { distinctTables, type TableName } from '../../schema/names.ts';
import { findTables, rememberedTables } from '../../sync/facts/find-tables.ts';
import { withSourceTimeout } from '../../status/source-timeout.ts';
import type { Context } from './context.ts';

interface Asking {
  /**
   * `must`: who cannot go on without the source. `may`: where it does not answer, the tables are those of earlier syncs;
   * `soon`: the same, and within seconds. `not`: those of earlier syncs.
   */
  readonly source: 'must' | 'may' | 'soon' | 'not';
  /** Also those that are gone from the source and have a state still. */
  readonly withGone?: boolean;
  /** Nor the destination: from the state files alone. */
  readonly isLocal?: boolean;
}

export interface Expanded {
  /** With every table in its settings. */
  readonly context: Context;
  /** Why the source could not be asked, where the tables are those of earlier syncs. */
  readonly trouble: IncrepError | undefined;
  /** Patterns that no table matches. */
  readonly unmatched: readonly string[];
  /** What there is to say of the patterns, in words. */
  readonly remarks: readonly string[];
  /** There is no table at all, and why. */
  readonly nothing: IncrepError | undefined;
}

/** Where the configuration has no pattern, nobody is asked. */
export async function expandTables(context: Context, asking: Asking): Promise<Expanded> {
  if (context.settings.patterns.length === 0)
    return { context, trouble: undefined, unmatched: [], remarks: [], nothing: undefined };
  const { found, trouble } = await tablesFor(context, asking);
  const { settings: configured } = context;
  const { tables, unmatched, leftOut } = expandPatterns(configured, found);
  const expanded = (settings: Settings) => ({ ...settings, tables: expandPatterns(settings, found).tables });
  const isKnown = asking.source !== 'not' && asking.isLocal !== true && !trouble;
  return {
    context: mapSettings(context, expanded),
    trouble,
    unmatched: isKnown ? unmatched : [],
    remarks: [
      ...(isKnown ? unmatched.map(unmatchedRemark) : []),
      ...(trouble ? [rememberedRemark(trouble)] : []),
      ...leftOut,
    ],
    nothing:
      tables.length > 0
        ? undefined
        : (trouble ??
          noTable(
            configured.patterns.map(({ name }) => name),
            isKnown,
          )),
  };
}

/** Of all destinations. */
export function mapSettings(context: Context, change: (settings: Settings) => Settings): Context {
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
  { runContext, settings, pipelines }: Context,
  { source, withGone = false, isLocal = false }: Asking,
): Promise<{ readonly found: readonly TableName[]; readonly trouble?: IncrepError }> {
  const remembered = async (isLocalOnly: boolean) =>
    distinctTables(
      (await Promise.all(pipelines.map((each) => rememberedTables(each.runContext, isLocalOnly)))).flat(),
    );
  if (source === 'not' || isLocal) return { found: await remembered(isLocal) };
  try {
    const found =
      source === 'soon'
        ? await withSourceTimeout(runContext, (hasty) => findTables(hasty, settings))
        : await findTables(runContext.source, settings);
    return { found: withGone ? distinctTables([...found, ...(await remembered(false))]) : found };
  } catch (error) {
    runContext.signal?.throwIfAborted();
    if (source === 'must') throw error;
    return { found: await remembered(false), trouble: asIncrepError(error) };
  }
}

const unmatchedRemark = (pattern: string): string =>
  `no table of the source matches "${pattern}" of tables-config.json`;

const rememberedRemark = ({ message }: IncrepError): string =>
  `the tables of patterns are those of earlier syncs, because the source could not be asked: ${message}`;

const noTable = (patterns: readonly string[], isKnown: boolean): IncrepError => {
  const which = patterns.map((pattern) => `"${pattern}"`).join(', ');
  return new IncrepError(isKnown ? 'TABLE_NOT_FOUND' : 'NOT_SYNCED', {
    what: isKnown
      ? `there is nothing to do: no table of the source matches ${which} of tables-config.json`
      : `no table that matches ${which} of tables-config.json has been synced yet`,
    next: isKnown
      ? 'Correct "name" in tables-config.json: it is written as Postgres stores it, and * stands for any characters.'
      : 'Run "increp sync" first.',
  });
};
