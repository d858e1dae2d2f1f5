/** Names of copied indexes. Pure. */
import { derivedName } from '../../schema/names.ts';

/** Until it is complete. A killed run leaves an index with this name, and the next run knows it by the name. */
export const unfinishedName = (table: string, hash: string): string =>
  derivedName(table, `_increp_new_${hash}`);

/** The names to try, because relations and indexes of a schema share one namespace. */
export const namesFor = (name: string): string[] => [
  name,
  ...Array.from({ length: 99 }, (_, index) => derivedName(name, `_${index + 1}`)),
];
