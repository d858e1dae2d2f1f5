/** Names that cannot stand side by side: every table needs a place of its own in the destination. */
import { isSameTable, stagingName, type TableName } from '../../schema/names.ts';
import { show } from '../problems.ts';

/** What one table calls itself, as far as it says so; checked even where its entry is wrong otherwise. */
export interface NamedTable {
  /** Where it stands, in words. */
  readonly where: string;
  readonly name: string | undefined;
  readonly destination: TableName | undefined;
  /** Then it is a name for others, and what those want to be called shows later. */
  readonly isPattern?: boolean;
  /** What the state files and the histories call the copy. */
  readonly copyName: string | undefined;
}

/** What increp itself keeps in the schemas of copies. */
const OWN_TABLES: readonly (string | undefined)[] = [
  '_increp_state',
  '_increp_runs',
  '_increp_loads',
  '_increp_chunks',
];

/** Why a table cannot be beside the others; undefined where it can. Of two that want one name the later one hears of it. */
export function conflictOf(
  { name, destination, copyName, isPattern }: NamedTable,
  earlier: readonly NamedTable[],
  all: readonly NamedTable[],
): string | undefined {
  if (name === undefined || !destination) return undefined;
  const same = earlier.find((other) => other.name === name && other.isPattern === isPattern);
  if (same) return `the name ${show(name)} is already taken by ${same.where}`;
  if (isPattern === true) return undefined;
  return copyConflictOf({ destination, copyName }, earlier.filter(isTable), all.filter(isTable));
}

const isTable = (table: NamedTable): boolean => table.isPattern !== true;

function copyConflictOf(
  { destination, copyName }: Pick<NamedTable, 'copyName'> & { readonly destination: TableName },
  earlier: readonly NamedTable[],
  all: readonly NamedTable[],
): string | undefined {
  const target = earlier.find((other) => other.destination && isSameTable(other.destination, destination));
  if (target) {
    return `the destination table ${show(copyName)} is already taken by ${target.where}; give one of them another dest_name`;
  }
  const namesake = earlier.find((other) => other.copyName === copyName);
  if (namesake) {
    return `its copy would be called ${show(copyName)} in the state and in the history, like that of ${namesake.where}; give one of them another dest_name`;
  }
  if (OWN_TABLES.includes(destination.table)) {
    return `${show(destination.table)} is a table of increp itself; give this one another dest_name`;
  }
  const staged = all.find(
    (other) => other.destination && isSameTable(stagingOf(other.destination), destination),
  );
  return staged
    ? `${show(destination.table)} is the staging table of ${staged.where}; give this one another dest_name`
    : undefined;
}

const stagingOf = ({ schema, table }: TableName): TableName => ({ schema, table: stagingName(table) });
