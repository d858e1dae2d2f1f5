import { IncrepError } from '../../errors.ts';
import { misspelt, nearest } from '../../nearest.ts';
import { hasRoleOf, keyCandidates, NO_HINTS } from '../../schema/key-candidates.ts';
import { keyTypeOf } from '../../schema/keys.ts';
import type { TableSettings } from '../../config/settings.ts';
import type { TableName } from '../../schema/names.ts';
import { patternOf } from '../../schema/patterns.ts';
import { describeSource, type Relation } from '../../schema/relations.ts';
import { stableKey } from '../../schema/row-identity.ts';

interface KeyOption {
  readonly key: string;
  /** Whether the value comes from `defaults`. */
  readonly isInherited?: boolean;
  /**
   * For a table without an entry of its own: the pattern that matched it, and the names and keys that its entry needs. An
   * entry does not inherit from the pattern.
   */
  readonly pattern?: { readonly text: string; readonly names: object; readonly keys?: EntryKeys } | undefined;
}

interface EntryKeys {
  readonly replication_key?: string;
  readonly unique_cols?: readonly string[];
}

/** The part of `KeyOption` about a table that a pattern matched. */
export const patternOption = (
  { name, pattern, destinationTable }: Pick<TableSettings, 'name' | 'pattern' | 'destinationTable'>,
  { schema, table }: TableName,
): KeyOption['pattern'] =>
  pattern === undefined
    ? undefined
    : {
        text: pattern,
        names: {
          name: patternOf(table),
          ...(name !== table && { schema }),
          ...(destinationTable !== undefined &&
            destinationTable !== table && { dest_name: destinationTable }),
        },
      };

/** Stands for a column that the user has to choose. */
const UNKNOWN = 'COLUMN';

/** The keys of an entry for the table, with the nearest columns in place of those that it does not have. */
export function entryKeys(
  source: Relation,
  {
    replicationKey,
    mergeKey,
  }: { readonly replicationKey?: string | undefined; readonly mergeKey: readonly string[] },
): EntryKeys {
  const names = source.columns.map(({ name }) => name);
  const found = mergeKey.map((each) => (names.includes(each) ? each : nearest(each, names)));
  return {
    ...(replicationKey !== undefined && {
      replication_key: names.includes(replicationKey)
        ? replicationKey
        : (nearKey(replicationKey, source) ?? likelyKey(source) ?? UNKNOWN),
    }),
    unique_cols:
      (found.includes(undefined) ? stableKey(source, replicationKey) : undefined) ??
      found.map((each) => each ?? UNKNOWN),
  };
}

/** The key that `init` would propose. */
const likelyKey = (source: Relation): string | undefined =>
  keyCandidates(source, NO_HINTS).find(({ sees }) => sees === 'changes')?.column;

/** Another key of changes, not only another spelling: a key of inserts would miss every update. */
function nearKey(wanted: string, { columns }: Relation): string | undefined {
  const keys = columns.filter((column) => keyTypeOf(column) !== undefined);
  const times = keys.filter((column) => keyTypeOf(column) !== 'integer').map(({ name }) => name);
  return (
    misspelt(
      wanted,
      keys.map(({ name }) => name),
    ) ??
    nearest(
      wanted,
      times.filter((name) => hasRoleOf(name, wanted)),
    )
  );
}

const OWN_MODE = '"mode": "full-refresh" (the whole table at each sync)';

const fullRefresh = (names: object): string => JSON.stringify({ ...names, mode: 'full-refresh' });

/** Other tables need the value in `defaults` or in the pattern. */
function correctionOf(
  source: Relation,
  option: KeyOption,
  { wanted, near: spelt }: { readonly wanted: string; readonly near: string | undefined },
): string {
  const { table } = source.name;
  const { key, isInherited = false, pattern } = option;
  const near = spelt ?? (key === 'replication_key' ? likelyKey(source) : undefined);
  if (!pattern) {
    if (!isInherited)
      return `Correct "${key}" of table "${table}" in tables-config.json${near === spelt ? '' : `, for example to "${near}"`}.`;
    const entry = `the entry of table "${table}"`;
    const field =
      key === 'replication_key' ? `to ${entry}: "${key}": ${JSON.stringify(near)}` : `"${key}" to ${entry}`;
    const own = near === undefined ? `set ${OWN_MODE} in ${entry}, or "enabled": false` : `add ${field}`;
    return `If no table has column "${wanted}", correct "${key}" in "defaults" of tables-config.json. If other tables have it, ${own}.`;
  }
  const { names, keys } = pattern;
  const isMergeKey = key === 'unique_cols';
  if (key !== 'replication_key' && !isMergeKey)
    return `Correct "${key}" of the pattern, or add an entry for the table to tables-config.json: ${JSON.stringify(names)}.`;
  const another = JSON.stringify({ ...names, ...keys });
  const whole = `${fullRefresh(names)}, which reads the whole table at each sync`;
  const choices =
    keys?.replication_key === UNKNOWN || keys?.unique_cols?.includes(UNKNOWN) === true
      ? `${whole}, or, if ${isMergeKey ? 'other columns identify a row' : 'another column grows with every change'}, ${another}`
      : `${another}, or, if no column fits, ${whole}`;
  return `Add an entry for the table to tables-config.json: ${choices}.`;
}

const originOf = ({ key, isInherited = false, pattern }: KeyOption): string =>
  isInherited ? `${key} in "defaults"` : pattern ? `${key} of the pattern "${pattern.text}"` : key;

/** `source` has the names of the source. */
export function columnNotFound(
  source: Relation,
  option: KeyOption,
  wanted: string,
  /** When a sync last read the column, in RFC 3339. Undefined if no sync did. */
  lastSeen?: string,
): IncrepError {
  const names = source.columns.map(({ name }) => name);
  const near = option.key === 'replication_key' ? nearKey(wanted, source) : nearest(wanted, names);
  return new IncrepError('COLUMN_NOT_FOUND', {
    what: `${describeSource(source)} ${lastSeen === undefined ? 'has no' : 'no longer has the'} column "${wanted}" (${originOf(option)})${lastSeen === undefined ? '' : `, which increp last read at ${lastSeen}`}${near === undefined ? '' : `; did you mean "${near}"?`}`,
    next: `${correctionOf(source, option, { wanted, near })} Its columns: ${names.join(', ')}.`,
    column: wanted,
  });
}
