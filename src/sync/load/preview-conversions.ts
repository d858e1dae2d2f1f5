/** Checks, for `plan` and `check`, whether the kept rows of a table survive a change of type. Writes nothing. */
import { IncrepError } from '../../errors.ts';
import { formatCounted } from '../../format.ts';
import { limitStatements } from '../../sql/session.ts';
import type { RunContext } from '../context/run-context.ts';
import type { TableFacts } from '../facts/facts.ts';
import type { Plan } from '../plan/plan.ts';
import { conversionsOf, ensureConvertible } from './kept-conversions.ts';

export interface ConversionPreview {
  readonly refusal: IncrepError | undefined;
  readonly warnings: readonly string[];
}

/** By table. Tables without such a change are left out. */
export async function previewConversions(
  { destination, timing }: Pick<RunContext, 'destination' | 'timing'>,
  plans: Iterable<readonly [TableFacts, Plan]>,
): Promise<ReadonlyMap<TableFacts, ConversionPreview>> {
  const found = new Map<TableFacts, ConversionPreview>();
  for (const [table, plan] of plans) {
    if (plan.kind !== 'load' || plan.way !== 'extend') continue;
    const conversions = conversionsOf(table, plan.source);
    if (conversions.length === 0) continue;
    try {
      const changed = await destination.withSnapshot([limitStatements(timing.planCountTimeout)], (client) =>
        ensureConvertible(client, table, conversions),
      );
      found.set(table, { refusal: undefined, warnings: changed.map(changingText) });
    } catch (error) {
      if (!(error instanceof IncrepError) || error.code === 'INTERRUPTED') throw error;
      const isRefused = error.code === 'SCHEMA_CHANGE_REFUSED';
      found.set(table, {
        refusal: isRefused ? error : undefined,
        warnings: isRefused
          ? []
          : [
              'increp could not check in time whether the values survive the change of type; the sync checks it',
            ],
      });
    }
  }
  return found;
}

const changingText = ({ name, rows }: { readonly name: string; readonly rows: number }): string =>
  `the new type of "${name}" changes the value of ${formatCounted(rows, 'row')} of the destination; if the source no longer has one of them, the sync is refused`;
