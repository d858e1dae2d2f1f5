/** --adopt and --replace: permission to write into tables that increp did not fill. Each table must be named. */
import { IncrepError } from '../errors.ts';
import { readPattern, starsOf } from '../schema/patterns.ts';
import { tablesCommand } from '../shell-word.ts';
import { gatherGroups } from '../sync/facts/gather-groups.ts';
import { adoptionMisfit } from '../sync/plan/build-plan.ts';
import type { PlanRequest } from '../sync/plan/plan.ts';
import { withContext, type ContextOptions } from './pipeline/context.ts';
import { expandTables } from '../pipeline/expand-tables.ts';
import { selectTables } from '../pipeline/select-tables.ts';

interface Claims {
  readonly adopt: boolean;
  readonly replace: boolean;
}

type ClaimOptions = Claims & ContextOptions & { readonly exclude: readonly string[] };

type ClaimFlag = NonNullable<PlanRequest['claim']>;

export const claimOf = ({ adopt, replace }: Claims): PlanRequest['claim'] =>
  adopt ? 'adopt' : replace ? 'replace' : undefined;

/**
 * A pattern, or no name at all, could mean tables that the user has not thought of. So the error has the command with
 * the names, for the user to read first. @throws IncrepError USAGE
 */
export async function ensureClaimNamed(tables: readonly string[], options: ClaimOptions): Promise<void> {
  const claim = claimOf(options);
  const pattern = tables.find((name) => starsOf(readPattern(name)) > 0);
  if (claim === undefined || (tables.length > 0 && pattern === undefined)) return;
  const unclaimed = await unclaimedAmong(tables, options);
  const need = `--${claim} needs the names of the tables`;
  throw new IncrepError('USAGE', {
    what:
      unclaimed?.length === 0
        ? `none of these tables ${claim === 'adopt' ? 'can be adopted, or needs it' : 'needs --replace'}`
        : pattern === undefined
          ? need
          : `${need}, but "${pattern}" is a pattern`,
    next: claimStep(claim, unclaimed),
  });
}

/** A longer command is hard to read before it is run. */
const MOST_NAMED = 50;

/** `unclaimed` is undefined if it is not known, or if the sides are probably swapped. Pure. */
export function claimStep(claim: ClaimFlag, unclaimed: readonly string[] | undefined): string {
  if (unclaimed === undefined) return `Name each table: increp sync TABLE --${claim}`;
  if (unclaimed.length === 0) return 'Run the command without it.';
  const command = tablesCommand('sync', unclaimed.slice(0, MOST_NAMED), [`--${claim}`]);
  const rest = unclaimed.length - MOST_NAMED;
  return `Check the names, then run: ${command}${rest > 0 ? `\nThen run this command again: ${rest} more ${rest === 1 ? 'table needs' : 'tables need'} --${claim}.` : ''}`;
}

async function unclaimedAmong(
  names: readonly string[],
  options: ClaimOptions,
): Promise<readonly string[] | undefined> {
  try {
    return await withContext(options, async (configured) => {
      const { context } = await expandTables(configured, { source: 'must' });
      const chosen = selectTables(context.settings.tables, { names, excluded: options.exclude });
      const found = new Set<string>();
      const enabled = chosen.filter(({ isEnabled }) => isEnabled);
      for (const { runContext } of context.pipelines)
        for await (const { tables } of gatherGroups(runContext, enabled))
          for (const table of tables) {
            const { settings, unclaimed, source } = table;
            if (unclaimed?.isSourceOurs) return undefined;
            const isAdoptable = !source || adoptionMisfit(table, source) === '';
            if (unclaimed && (options.replace || isAdoptable)) found.add(settings.name);
          }
      return [...found];
    });
  } catch (error) {
    options.signal.throwIfAborted();
    // The error about the names is the first that the user can correct.
    if (error instanceof IncrepError) return undefined;
    throw error;
  }
}
