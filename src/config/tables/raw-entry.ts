/** An entry of tables-config.json, before its settings are read. */
import { isObject } from './json.ts';
import type { DefaultSchema } from './table-mapping.ts';

export type TableOptions = Readonly<Record<string, unknown>>;

/** An entry as it is in the file, unchecked. */
export interface RawEntry {
  readonly value: unknown;
  readonly path: readonly PropertyKey[];
  readonly defaults: TableOptions;
  /** The options that unknown keys of the defaults probably mean. */
  readonly misnamedDefaults: readonly PropertyKey[];
}

/** The schemas of both sides. */
export interface DefaultSchemas {
  readonly source: DefaultSchema;
  readonly destination: DefaultSchema;
}

export function nameOf(value: unknown, key = 'name'): string | undefined {
  const name = isObject(value) ? value[key] : undefined;
  return typeof name === 'string' && name !== '' ? name : undefined;
}
