/** After a signal, the command that repeats the run names the tables that are left, if these are few. Pure. */
import type { Failure, RunSummary } from '../../events.ts';
import { LISTED } from '../../format.ts';
import type { RunRequest } from './run-request.ts';

type Repeating = Pick<RunRequest, 'repeatCommand' | 'repeatFor'> & {
  readonly tables: readonly Pick<RunRequest['tables'][number], 'name' | 'isEnabled'>[];
};

export function withLeftTables(
  summary: RunSummary,
  { repeatCommand, repeatFor, tables }: Repeating,
): RunSummary {
  if (summary.error?.code !== 'INTERRUPTED' || repeatCommand === undefined) return summary;
  const places = summary.destinations?.length ?? 1;
  const isDone = (name: string) =>
    summary.tables.filter((table) => table.name === name && table.status === 'ok').length === places;
  const enabled = tables.filter(({ isEnabled }) => isEnabled);
  const left = enabled.flatMap(({ name }) => (isDone(name) ? [] : [name]));
  const isFew = left.length > 0 && left.length <= LISTED && left.length < enabled.length;
  const command = isFew ? repeatFor?.(left) : undefined;
  if (command === undefined) return summary;
  const repeated = <Found extends Failure | undefined>(error: Found): Found =>
    error && { ...error, hint: error.hint.replace(`"${repeatCommand}"`, () => `"${command}"`) };
  return {
    ...summary,
    error: repeated(summary.error),
    repeatCommand: command,
    tables: summary.tables.map((table) => ({ ...table, error: repeated(table.error) })),
    ...(summary.destinations && {
      destinations: summary.destinations.map((each) => ({ ...each, error: repeated(each.error) })),
    }),
  };
}
