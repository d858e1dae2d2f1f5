/** Names that cannot stand side by side: every table needs a place of its own in the destination. */
import { stagingName } from '../schema/names.ts';
import type { Report } from './problems.ts';
import { show } from './problems.ts';
import { placeOf } from './schema-problems.ts';

/** What one entry calls itself, as far as it says so; checked even where the entry is wrong otherwise. */
export interface NamedEntry {
  readonly path: readonly PropertyKey[];
  readonly name: string | undefined;
  readonly destinationName: string | undefined;
}

/** What increp itself keeps in the destination schema. */
const OWN_TABLES: readonly (string | undefined)[] = [
  '_increp_state',
  '_increp_runs',
  '_increp_loads',
  '_increp_chunks',
];

export function checkNames(entries: readonly NamedEntry[], report: Report): void {
  entries.forEach((entry, index) => {
    const what = conflictOf(entry, entries.slice(0, index), entries);
    if (what !== undefined) report({ where: placeOf(entry.path), table: entry.name, what });
  });
}

function conflictOf(
  { name, destinationName }: NamedEntry,
  earlier: readonly NamedEntry[],
  all: readonly NamedEntry[],
): string | undefined {
  if (name === undefined || destinationName === undefined) return undefined;
  const same = earlier.find((other) => other.name === name);
  if (same) return `the name ${show(name)} is already taken by ${placeOf(same.path)}`;
  const target = earlier.find((other) => other.destinationName === destinationName);
  if (target) {
    return `the destination table ${show(destinationName)} is already taken by ${placeOf(target.path)}; give one of them another dest_name`;
  }
  if (OWN_TABLES.includes(destinationName)) {
    return `${show(destinationName)} is a table of increp itself; give this one another dest_name`;
  }
  const staged = all.find(
    (other) => other.destinationName && stagingName(other.destinationName) === destinationName,
  );
  return staged
    ? `${show(destinationName)} is the staging table of ${placeOf(staged.path)}; give this one another dest_name`
    : undefined;
}
