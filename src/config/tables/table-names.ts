/** Checks that the names of tables do not collide. Every table needs its own destination table. */
import { isSameTable, stagingName, type TableName } from '../../schema/names.ts';
import { show } from '../problems.ts';

/** The names of one entry, as far as they are known. They are checked even if the entry has other problems. */
export interface NamedTable {
  /** The place of the entry, as text. */
  readonly where: string;
  readonly name: string | undefined;
  readonly destination: TableName | undefined;
  /** True for a pattern. The names of its tables are checked later. */
  readonly isPattern?: boolean;
  /** The name of the destination table in the state files and in the histories. */
  readonly recordName: string | undefined;
}

/** The tables of increp in the destination schemas. */
const OWN_TABLES: readonly (string | undefined)[] = [
  '_increp_state',
  '_increp_runs',
  '_increp_loads',
  '_increp_chunks',
];

/**
 * Why a table collides with another table; undefined if it does not. Of two tables with one name, the later one is
 * reported.
 */
export function conflictOf(
  { name, destination, recordName, isPattern }: NamedTable,
  earlier: readonly NamedTable[],
  all: readonly NamedTable[],
): string | undefined {
  if (name === undefined || !destination) return undefined;
  const same = earlier.find((other) => other.name === name && other.isPattern === isPattern);
  if (same) return `the name ${show(name)} is already used by ${same.where}`;
  if (isPattern === true) return undefined;
  return copyConflictOf({ destination, recordName }, earlier.filter(isTable), all.filter(isTable));
}

const isTable = (table: NamedTable): boolean => table.isPattern !== true;

function copyConflictOf(
  { destination, recordName }: Pick<NamedTable, 'recordName'> & { readonly destination: TableName },
  earlier: readonly NamedTable[],
  all: readonly NamedTable[],
): string | undefined {
  const target = earlier.find((other) => other.destination && isSameTable(other.destination, destination));
  if (target) {
    return `the destination table ${show(recordName)} is already used by ${target.where}; give one of them another dest_name`;
  }
  const namesake = earlier.find((other) => other.recordName === recordName);
  if (namesake) {
    return `its name in the state and in the history would be ${show(recordName)}, like that of ${namesake.where}; give one of them another dest_name`;
  }
  if (OWN_TABLES.includes(destination.table)) {
    return `${show(destination.table)} is the name of a table of increp; set another dest_name`;
  }
  const staged = all.find(
    (other) => other.destination && isSameTable(stagingOf(other.destination), destination),
  );
  return staged
    ? `${show(destination.table)} is the staging table of ${staged.where}; set another dest_name`
    : undefined;
}

const stagingOf = ({ schema, table }: TableName): TableName => ({ schema, table: stagingName(table) });
