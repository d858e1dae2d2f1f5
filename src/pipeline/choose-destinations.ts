import type { NamedDestination, Settings } from '../config/settings.ts';
import { IncrepError } from '../errors.ts';
import { nearest } from '../nearest.ts';

/**
 * The destinations that --destination names, in the order of the configuration; none if the pipeline has only one.
 * @throws IncrepError USAGE
 */
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
      what: 'this pipeline has one destination, and it has no name',
      next: 'Remove --destination. To configure several destinations, see "increp help several-destinations".',
    });
  const near = nearest(name, names);
  return new IncrepError('USAGE', {
    what: `this pipeline has no destination "${name}"${near === undefined ? '' : `; did you mean "${near}"?`}`,
    next: `The destinations are: ${names.join(', ')}.`,
  });
}
