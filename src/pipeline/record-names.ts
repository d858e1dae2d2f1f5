/** Maps table names in messages to the names of destination tables in the histories. */
import { recordNameOf } from '../config/tables/table-mapping.ts';
import type { Settings } from '../config/settings.ts';

export function recordNameIn(settings: Settings): (name: string) => string {
  const names = new Map(settings.tables.map((table) => [table.name, recordNameOf(settings, table)]));
  return (name) => names.get(name) ?? name;
}

export function nameIn(settings: Settings): (recordName: string) => string {
  const names = new Map(settings.tables.map((table) => [recordNameOf(settings, table), table.name]));
  return (recordName) => names.get(recordName) ?? recordName;
}
