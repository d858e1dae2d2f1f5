import type { NamedDestination, Settings } from '../../config/settings.ts';
import { IncrepError } from '../../errors.ts';
import { nearest } from '../../nearest.ts';

/** Those that --destination means, in the order of the configuration; none where the pipeline has only one. @throws IncrepError USAGE */
export function chooseDestinations(
  { destinations }: Pick<Settings, 'destinations'>,
  asked: readonly string[],
): readonly NamedDestination[] {
  const names = destinations.map(({ name }) => name);
  for (const name of asked) if (!names.includes(name)) throw unknown(name, names);
  return asked.length === 0 ? destinations : destinations.filter(({ name }) => asked.includes(name));
}

function unknown(name: string, names: readonly string[]): IncrepError {
  if (names.length === 0)
    return new IncrepError('USAGE', {
      what: 'this pipeline has one destination, which has no name',
      next: 'Leave out --destination. docs/several-destinations.md says how to name several.',
    });
  const near = nearest(name, names);
  return new IncrepError('USAGE', {
    what: `no destination "${name}" in this pipeline${near === undefined ? '' : `; did you mean "${near}"?`}`,
    next: `Name one of: ${names.join(', ')}.`,
  });
}
