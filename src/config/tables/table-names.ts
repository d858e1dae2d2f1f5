/** Checks that the names of tables do not collide. Every table needs its own destination table. */
import { stagingName, tableKey, type TableName } from '../../schema/names.ts';
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

/** Names of tables. A search through a list for each of thousands of tables would take seconds. */
export class NameIndex {
  readonly #named = new Map<string, NamedTable>();
  readonly #destinations = new Map<string, NamedTable>();
  readonly #recordNames = new Map<string | undefined, NamedTable>();
  readonly #stagingTables = new Map<string, NamedTable>();

  constructor(tables: readonly NamedTable[] = []) {
    for (const table of tables) this.add(table);
  }

  /** The first table with a name keeps it. */
  add(table: NamedTable): void {
    const { destination, recordName } = table;
    setFirst(this.#named, nameKey(table), table);
    if (table.isPattern === true) return;
    setFirst(this.#recordNames, recordName, table);
    if (!destination) return;
    setFirst(this.#destinations, tableKey(destination), table);
    setFirst(this.#stagingTables, tableKey(stagingOf(destination)), table);
  }

  namesake = (table: NamedTable): NamedTable | undefined => this.#named.get(nameKey(table));
  withDestination = (destination: TableName): NamedTable | undefined =>
    this.#destinations.get(tableKey(destination));
  withRecordName = (recordName: string | undefined): NamedTable | undefined =>
    this.#recordNames.get(recordName);
  withStaging = (staging: TableName): NamedTable | undefined => this.#stagingTables.get(tableKey(staging));
}

function setFirst<K>(map: Map<K, NamedTable>, key: K, table: NamedTable): void {
  if (!map.has(key)) map.set(key, table);
}

const nameKey = ({ name, isPattern }: NamedTable): string => JSON.stringify([name, isPattern === true]);

/**
 * Why a table collides with another table; undefined if it does not. Of two tables with one name, the later one is
 * reported.
 */
export function conflictOf(table: NamedTable, earlier: NameIndex, all: NameIndex): string | undefined {
  const { name, destination, recordName, isPattern } = table;
  if (name === undefined || !destination) return undefined;
  const same = earlier.namesake(table);
  if (same) return `the name ${show(name)} is already used by ${same.where}`;
  if (isPattern === true) return undefined;
  const target = earlier.withDestination(destination);
  if (target) {
    return `the destination table ${show(recordName)} is already used by ${target.where}; give one of them another dest_name`;
  }
  const namesake = earlier.withRecordName(recordName);
  if (namesake) {
    return `its name in the state and in the history would be ${show(recordName)}, like that of ${namesake.where}; give one of them another dest_name`;
  }
  if (OWN_TABLES.includes(destination.table)) {
    return `${show(destination.table)} is the name of a table of increp; set another dest_name`;
  }
  const staged = all.withStaging(destination);
  return staged
    ? `${show(destination.table)} is the staging table of ${staged.where}; set another dest_name`
    : undefined;
}

const stagingOf = ({ schema, table }: TableName): TableName => ({ schema, table: stagingName(table) });
