/** Checks of all entries of tables-config.json together. */
import type { ReportProblem, Warn } from '../problems.ts';
import { isObject } from './json.ts';
import { nameOf, type DefaultSchemas, type RawEntry } from './raw-entry.ts';
import { placeOf } from './schema-problems.ts';
import { conflictOf, NameIndex } from './table-names.ts';
import { namesOf } from './table-settings.ts';

export function checkNames(entries: readonly RawEntry[], homes: DefaultSchemas, report: ReportProblem): void {
  const named = entries.map((entry) => namesOf(entry, homes));
  const [earlier, all] = [new NameIndex(), new NameIndex(named)];
  entries.forEach(({ value, path }, index) => {
    const names = named[index];
    const what = names && conflictOf(names, earlier, all);
    if (names) earlier.add(names);
    if (what !== undefined) report({ where: placeOf(path), table: nameOf(value), what });
  });
}

/** Only a warning, because a table can have such a name. An explicit "schema" ends the warning. */
export function warnOfDottedName(
  { value, path, defaults }: RawEntry,
  { source }: DefaultSchemas,
  warn: Warn,
): void {
  const [name, destination] = [nameOf(value), nameOf(value, 'dest_name')];
  const hasOwn = (key: string) => nameOf({ ...defaults, ...(value as object) }, key) !== undefined;
  const say = (key: string, correction: string) =>
    warn(
      `${placeOf(path)} (table ${name ?? ''}): "${key}" is the name without the schema; write ${correction}`,
    );
  if (name?.startsWith(`${source.schema}.`) && !hasOwn('schema') && !hasOwn('query'))
    say('name', `"name": ${JSON.stringify(name.slice(source.schema.length + 1))}`);
  const [, schema, table] = /^([^.*]+)\.([^.]+)$/.exec(destination ?? '') ?? [];
  if (schema !== undefined && !hasOwn('dest_schema'))
    say('dest_name', `"dest_schema": ${JSON.stringify(schema)}, "dest_name": ${JSON.stringify(table)}`);
}

/** Only a warning, because an entry can keep its key while the mode is full-refresh. Defaults are for other tables. */
export function warnOfIdleKeys(entries: readonly RawEntry[], warn: Warn): void {
  const idle = entries.filter(
    ({ value, defaults }) =>
      isObject(value) &&
      value['replication_key'] !== undefined &&
      { ...defaults, ...value }['mode'] === 'full-refresh',
  );
  const [first, ...others] = idle;
  if (!first) return;
  const rest = others.length === 0 ? '' : ` (and ${others.length} more)`;
  warn(
    `${placeOf(first.path)} (table ${nameOf(first.value) ?? ''})${rest}: "replication_key" selects no changes, because mode "full-refresh" reads the whole table; to copy only changes, remove "mode"`,
  );
}
