/** Maps table names in messages to the names of destination tables in the histories. */
import { copyNameOf } from '../../config/tables/table-mapping.ts';
import type { Settings } from '../../config/settings.ts';

export function copyNameIn(settings: Settings): (name: string) => string {
  const names = new Map(settings.tables.map((table) => [table.name, copyNameOf(settings, table)]));
  return (name) => names.get(name) ?? name;
}

export function nameIn(settings: Settings): (copyName: string) => string {
  const names = new Map(settings.tables.map((table) => [copyNameOf(settings, table), table.name]));
  return (copyName) => names.get(copyName) ?? copyName;
}
