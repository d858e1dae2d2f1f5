import { distance } from 'fastest-levenshtein';

/** Case and the kind of dash are the most common mistakes, so they cost nothing. */
const normalised = (word: string) => word.toLowerCase().replaceAll('-', '_');

/** Two swapped letters are one mistake, although they are two edits. */
function slips(word: string, candidate: string): number {
  const swapped = Array.from(
    { length: Math.max(0, word.length - 1) },
    (_, at) => word.slice(0, at) + word.charAt(at + 1) + word.charAt(at) + word.slice(at + 2),
  );
  return Math.min(distance(word, candidate), ...swapped.map((other) => 1 + distance(other, candidate)));
}

/** One wrong character in three is a typing mistake. More is another word. */
const isClose = (word: string, edits: number) => edits <= Math.max(1, Math.floor(word.length / 3));

/** The shortest abbreviation that counts. Too many words begin with the same letter. */
const SHORTEST_ABBREVIATION = 3;

function isAbbreviation(one: string, other: string): boolean {
  const [short, long] = one.length < other.length ? [one, other] : [other, one];
  return short.length >= SHORTEST_ABBREVIATION && long.startsWith(short);
}

/** The candidate that differs from the word by at most one typing mistake. */
export const misspelt = (word: string, candidates: Iterable<string>): string | undefined =>
  [...candidates].find((candidate) => slips(normalised(word), normalised(candidate)) <= 1);

/** The candidate that was probably meant: the closest spelling, otherwise a longer or shorter form of the word. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = normalised(word);
  const ranked = [...candidates]
    .map((candidate) => ({ candidate, edits: slips(wanted, normalised(candidate)) }))
    .toSorted((a, b) => a.edits - b.edits);
  const [best] = ranked;
  if (best && best.edits <= 1) return best.candidate;
  // SOURCE_USER is three edits from SOURCE_URL and four from SOURCE_USERNAME, but SOURCE_USERNAME was meant.
  const abbreviated = ranked.find(({ candidate }) => isAbbreviation(wanted, normalised(candidate)));
  if (abbreviated) return abbreviated.candidate;
  return best && isClose(wanted, best.edits) ? best.candidate : undefined;
}

const withoutSchema = (name: string): string => name.slice(name.lastIndexOf('.') + 1);

/** The tables that were probably meant. Several tables can differ only in the schema that was left out. */
function nearestTables(word: string, names: readonly string[]): readonly string[] {
  const named = (table: string | undefined) => names.filter((name) => withoutSchema(name) === table);
  const tables = names.map(withoutSchema);
  const same = named(tables.includes(word) ? word : misspelt(word, tables));
  if (same.length > 0) return same;
  const near = nearest(word, names);
  return near === undefined ? named(nearest(word, tables)) : [near];
}

/** Continues a message about a missing table. Empty if no table is near. */
export function meantTables(word: string, names: readonly string[]): string {
  const meant = nearestTables(word, names).map((name) => `"${name}"`);
  return meant.length === 0 ? '' : `; did you mean ${meant.slice(0, MOST_MEANT).join(' or ')}?`;
}

const MOST_MEANT = 3;
