/** Names every object that prevents a new shape, and the statements that allow it. */
import { reworded, type IncrepError } from '../../errors.ts';
import { printName } from '../../schema/names.ts';
import type { Dependent } from '../../postgres/dependent-object-list.ts';
import type { RunContext } from '../context/run-context.ts';
import type { TableFacts } from '../facts/facts.ts';
import { gatherDependents } from '../facts/gather-dependents.ts';
import { isView } from '../plan/drop-by-hand.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';
import { byHandSteps, findObstruction } from '../plan/obstructions.ts';

/**
 * A server refuses the first object that is in the way. The catalog shows all of them, as in `plan`. Returns any error
 * other than DEPENDENT_OBJECTS unchanged, and an error about which the catalog says nothing.
 */
export async function withObstruction(
  context: Pick<RunContext, 'destination'>,
  facts: TableFacts,
  error: IncrepError,
): Promise<IncrepError> {
  if (error.code !== 'DEPENDENT_OBJECTS' || !facts.source) return error;
  try {
    const dependents = await gatherDependents(context, [facts]);
    const found = dependents.get(facts) ?? [];
    const obstruction = findObstruction(facts, facts.source, found);
    if (!obstruction) return withViewSteps(facts, found, error);
    return reworded(error, {
      what: `${printName(facts.destinationName)} needs a new shape, but ${obstruction.what}`,
      next: `The old table stays in use. ${obstruction.next}`,
      cause: error.cause,
    });
  } catch {
    // The original error matters more than a failed search.
    return error;
  }
}

/** Whether a view fits the new type of a column is known only when the view is created again. */
function withViewSteps(facts: TableFacts, found: readonly Dependent[], error: IncrepError): IncrepError {
  const refused = found.filter(
    (each) => isView(each) && error.message.includes(`: ${each.kind} ${each.name}: `),
  );
  // An error of class 42 is about the definition of the view. A function of an event trigger raises others.
  const isOfView = error.sqlstate?.startsWith('42') === true;
  // What a role may not create, it must not drop either.
  if (refused.length === 0 || !isOfView || error.sqlstate === SQLSTATE.insufficientPrivilege) return error;
  const steps = byHandSteps(facts, refused, found);
  return reworded(error, {
    what: error.message,
    next: ['The old table stays in use.', ...steps].join('\n'),
    cause: error.cause,
  });
}
