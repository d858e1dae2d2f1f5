/** Finds destination tables whose source has another shape. It makes the plans of a sync, within a short time. */
import type { ServerClock } from '../postgres/server-clock.ts';
import type { TableSettings } from '../config/settings.ts';
import { asIncrepError, IncrepError } from '../errors.ts';
import { printName } from '../schema/names.ts';
import type { TableFacts, TableFailure } from '../sync/facts/facts.ts';
import { gatherDependents } from '../sync/facts/gather-dependents.ts';
import { gatherGroups } from '../sync/facts/gather-groups.ts';
import { reasonText } from '../report/reasons.ts';
import { withSourceTimeout } from '../sync/context/source-timeout.ts';
import { renamedTableNote } from '../sync/facts/renamed-tables.ts';
import { renamedColumnNote } from '../sync/plan/altered-destination.ts';
import { keepsRest } from '../sync/plan/reload-guard.ts';
import { renameBack } from '../sync/plan/renamed-columns.ts';
import { tableCommand } from '../shell-word.ts';
import { ordinaryRequest, type DraftPlan } from '../sync/plan/plan.ts';
import { planTable } from '../sync/plan/plan-table.ts';
import { previewObstruction } from '../sync/plan/evolution-preview.ts';
import { mayStage } from '../sync/plan/destination-refusals.ts';
import type { Obstruction } from '../sync/plan/obstructions.ts';
import type { RunContext } from '../sync/context/run-context.ts';

export interface Drift {
  readonly what: string;
  readonly next: string;
  /** Whether the next sync refuses it. */
  readonly isRefused: boolean;
  /** Of the plan. */
  readonly action: string;
}

export interface Drifts {
  /** By name; undefined if the source was not queried. */
  readonly found: ReadonlyMap<string, Drift> | undefined;
  /** Why the next sync would refuse a table, by its name. */
  readonly refusals: ReadonlyMap<string, IncrepError>;
  /** Tables beside which increp may create no staging table, by name. */
  readonly unstaged: ReadonlySet<string>;
  /** Tables that could not be checked, although others could. */
  readonly failures: readonly TableFailure[];
  /** The reason. */
  readonly problem: IncrepError | undefined;
  /** Undefined if the source was not queried. */
  readonly sourceClock?: ServerClock | undefined;
}

export const NO_DRIFTS: Drifts = {
  found: undefined,
  refusals: new Map(),
  unstaged: new Set(),
  failures: [],
  problem: undefined,
};

export async function findDrift(context: RunContext, tables: readonly TableSettings[]): Promise<Drifts> {
  try {
    return await withSourceTimeout(context, async (source, renew) => {
      const found: [string, Drift][] = [];
      const refusals: [string, IncrepError][] = [];
      const unstaged = new Set<string>();
      const failures: TableFailure[] = [];
      for await (const facts of gatherGroups({ ...context, source }, tables)) {
        renew();
        const drifted = new Map<TableFacts, { readonly plan: DraftPlan; readonly drift: Drift }>();
        for (const table of facts.tables) {
          const plan = planTable(table, ordinaryRequest());
          if (!mayStage(table)) unstaged.add(table.settings.name);
          const drift = driftIn(table, plan);
          if (drift) drifted.set(table, { plan, drift });
          else if (plan.kind === 'refuse') refusals.push([table.settings.name, plan.error]);
        }
        const dependents = await gatherDependents(context, [...drifted.keys()]);
        renew();
        for (const [table, { plan, drift }] of drifted) {
          const { name } = table.settings;
          const obstruction = previewObstruction(table, plan, dependents.get(table) ?? []);
          found.push([name, obstruction ? { ...drift, next: '' } : drift]);
          if (obstruction) refusals.push([name, obstructionError(table, obstruction)]);
        }
        failures.push(...facts.failures);
      }
      return {
        ...{ found: new Map(found), refusals: new Map(refusals), unstaged, failures, problem: undefined },
        sourceClock: source.serverClock,
      };
    });
  } catch (error) {
    context.signal?.throwIfAborted();
    return { ...NO_DRIFTS, problem: asIncrepError(error) };
  }
}

const obstructionError = ({ destinationName }: TableFacts, { what, next }: Obstruction): IncrepError =>
  new IncrepError('DEPENDENT_OBJECTS', {
    what: `${printName(destinationName)} needs a new shape, but ${what}`,
    next,
  });

/** Only a plan that reads the keys shows how many rows a load would remove. */
const limitNote = ({ settings, destinationHasRows }: TableFacts): string =>
  destinationHasRows && !keepsRest(settings)
    ? ` If it would remove more rows than delete_limit allows, it fails. To count them, run "${tableCommand('plan', settings.name)}".`
    : '';

function driftIn(table: TableFacts, plan: DraftPlan): Drift | undefined {
  const isGone = plan.reasons.some(
    ({ code }) =>
      code === 'destination-dropped' ||
      code === 'destination-without-state' ||
      code === 'state-file-of-another-database' ||
      code === 'destination-emptied',
  );
  // The state of the table says that a command has reset it.
  const isRequested = plan.reasons.some(({ code }) => code === 'was-reset');
  if (plan.kind === 'load' && ((plan.action === 'reset' && !isRequested) || isGone))
    return {
      what: reasonText(plan.reasons),
      next: [
        ...renamedTableNote(table),
        ...(table.source
          ? [
              ...renamedColumnNote(table, table.source),
              ...renameBack(table, table.source).map((text) => `${text}.`),
            ]
          : []),
        `The next "increp sync" loads the table again.${limitNote(table)}`,
      ].join('\n'),
      isRefused: false,
      action: plan.action,
    };
  if (plan.kind === 'incremental' && (plan.evolution || plan.rewritten?.code === 'destination-replaced'))
    return {
      what: reasonText(plan.reasons.filter(({ code }) => code !== 'cursor-known')),
      next: 'The next "increp sync" does this.',
      isRefused: false,
      action: plan.action,
    };
  return plan.kind === 'refuse' && plan.error.code === 'SCHEMA_CHANGE_REFUSED'
    ? { what: plan.error.message, next: plan.error.next, isRefused: true, action: plan.action }
    : undefined;
}
