/** Names the SQL of the settings as the likely cause of an error about values. Pure. */
import { reworded, type IncrepError } from '../../errors.ts';
import { listed } from '../../format.ts';
import { hasSql, optionsOf } from '../../schema/selection.ts';
import type { TableFacts } from './facts.ts';

const WITH_SQL = ['where', 'transform', 'query'];

/** The class of division by zero and of values that a function does not accept. */
const DATA_EXCEPTION = /^22/;

export function withSelectionCause(
  { settings: { selection, name } }: Pick<TableFacts, 'settings'>,
  error: IncrepError,
): IncrepError {
  if (error.side !== 'source' || !DATA_EXCEPTION.test(error.sqlstate ?? '') || !hasSql(selection))
    return error;
  const options = optionsOf(selection).filter((option) => WITH_SQL.includes(option));
  const named = listed(
    options.map((option) => `"${option}"`),
    WITH_SQL.length,
  );
  return reworded(error, {
    what: error.message,
    next: `The likely cause is the SQL in ${named} of table "${name}" in tables-config.json. ${error.next}`,
    cause: error.cause,
  });
}
