/** Gathers the facts of the tables of a run in batches, shortly before their syncs. */
import { asIncrepError } from '../../errors.ts';
import { batchesOf } from '../../postgres/batches.ts';
import type { Facts, TableFacts, TableFailure } from '../facts/facts.ts';
import { gatherFacts } from '../facts/gather-facts.ts';
import type { RunContext } from '../context/run-context.ts';
import { persistently } from './retries.ts';
import type { TableOutline } from './table-outline.ts';

/** A table by its settings. */
type TableBySettings = Pick<TableOutline, 'settings'>;

/** Facts, and the time before they were gathered (a time of `performance.now`). */
export interface DatedFacts {
  readonly facts: Facts;
  readonly at: number;
}

/**
 * The facts of a table for its sync or comparison. If they are missing or too old, they are gathered together with those of the tables
 * that come next. An error is the error of this table alone: the next table asks again.
 */
export function nextFacts(
  ordered: readonly TableBySettings[],
  latest: DatedFacts | undefined,
): (context: RunContext, table: TableBySettings) => Promise<TableFacts | TableFailure> {
  const places = new Map(ordered.map(({ settings: { name } }, place) => [name, place]));
  let known = latest;
  const find = (context: RunContext, name: string) =>
    known && performance.now() - known.at <= context.timing.factsMaxAge * 1000
      ? factsOf(name, known)
      : undefined;
  const gather = async (
    context: RunContext,
    { settings }: TableBySettings,
  ): Promise<TableFacts | TableFailure> => {
    const found = find(context, settings.name);
    if (found) return found;
    const [batch = []] = batchesOf(ordered.slice(places.get(settings.name)));
    const at = performance.now();
    try {
      const tables = batch.map((each) => each.settings);
      const facts = await persistently(context, settings.name, () => gatherFacts(context, tables));
      known = { facts, at };
    } catch (error) {
      return { settings, error: asIncrepError(error) };
    }
    const gathered = factsOf(settings.name, known);
    if (!gathered) throw new Error('no facts were gathered for a table');
    return gathered;
  };
  // What one job gathers often includes the tables of the others, so they wait for it.
  let turn: Promise<unknown> = Promise.resolve();
  return async (context, table) => {
    const found = find(context, table.settings.name);
    if (found) return found;
    const facts = turn.then(() => gather(context, table));
    turn = facts.catch(() => undefined);
    return facts;
  };
}

const factsOf = (name: string, known: DatedFacts | undefined): TableFacts | TableFailure | undefined => {
  const { tables = [], failures = [] } = known?.facts ?? {};
  return [...tables, ...failures].find(({ settings }) => settings.name === name);
};
