/** Names the statements that let increp move the dependent objects of other roles. */
import { reworded, type IncrepError } from '../../errors.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';
import type { RunContext } from '../context/run-context.ts';
import type { TableFacts } from '../facts/facts.ts';
import { gatherDependents } from '../facts/gather-dependents.ts';
import { isOthers, ownershipStep } from '../plan/obstructions.ts';

/**
 * Adds the statements to a DEPENDENT_OBJECTS that the destination refused because of an owner. Returns any other error
 * unchanged.
 */
export async function withGrants(
  context: Pick<RunContext, 'destination'>,
  facts: TableFacts,
  error: IncrepError,
): Promise<IncrepError> {
  if (error.code !== 'DEPENDENT_OBJECTS' || error.sqlstate !== SQLSTATE.insufficientPrivilege) return error;
  try {
    const dependents = await gatherDependents(context, [facts]);
    const [step] = ownershipStep(facts, (dependents.get(facts) ?? []).filter(isOthers));
    if (step === undefined) return error;
    return reworded(error, { what: error.message, next: `${step}.\nOr: ${error.next}`, cause: error.cause });
  } catch {
    // The original error matters more than a failed search for the owners.
    return error;
  }
}
