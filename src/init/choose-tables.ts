/** Which tables a command line means, and by which keys, without anyone to ask: pure. */
import { IncrepError } from '../errors.ts';
import { nearest } from '../nearest.ts';
import { formatBytes } from '../format.ts';
import { shellWord } from '../shell-word.ts';
import { possibleKeys, type Obstacle, type TableOption } from './table-options.ts';

export interface KeyedTable {
  readonly name: string;
  readonly replicationKey: string;
  readonly mergeKey: readonly string[];
}

/** In mode full-refresh, which is right for every table, at the price of reading it as a whole each time. */
export interface WholeTable {
  readonly name: string;
  /** Empty where nothing keeps rows apart. */
  readonly mergeKey: readonly string[];
  /** Undefined where that was asked for. */
  readonly because: Obstacle | undefined;
}

export type ChosenTable = KeyedTable | WholeTable;

export const isKeyed = (table: ChosenTable): table is KeyedTable => 'replicationKey' in table;

export interface LeftOut extends Obstacle {
  readonly name: string;
}

interface Choice {
  readonly chosen: readonly ChosenTable[];
  readonly leftOut: readonly LeftOut[];
}

/** What was said of keys: for a table by its name, or for every table that has these columns. */
export interface KeyWish {
  readonly table: string | undefined;
  readonly columns: readonly string[];
}

export interface TableWishes {
  /** Undefined: all that can be replicated. */
  readonly tables: readonly string[] | undefined;
  readonly replicationKeys: readonly KeyWish[];
  readonly mergeKeys: readonly KeyWish[];
  /** Tables to be read as a whole each time. */
  readonly whole: readonly string[];
}

/** `COLUMN`, `TABLE=COLUMN`, and for merge keys several columns between commas. */
export function parseKeyWish(text: string): KeyWish {
  const split = text.indexOf('=');
  const columns = text
    .slice(split + 1)
    .split(',')
    .map((column) => column.trim())
    .filter(Boolean);
  return { table: split < 0 ? undefined : text.slice(0, split).trim(), columns };
}

/**
 * A table that was named must be replicable; of all tables those are left out that are not, with the reason.
 * @throws IncrepError USAGE that names the flags to give
 */
export function chooseTables(options: readonly TableOption[], wishes: TableWishes): Choice {
  const names = options.map(({ name }) => name);
  const named = [
    ...(wishes.tables ?? []),
    ...[...wishes.replicationKeys, ...wishes.mergeKeys].flatMap(({ table }) => table ?? []),
    ...wishes.whole,
  ];
  const unknown = named.find((name) => !names.includes(name));
  if (unknown !== undefined) throw unknownTable(unknown, names);
  const wanted = options.filter(({ name }) => !wishes.tables || wishes.tables.includes(name));
  const judged = wanted.map((option) => judge(option, wishes));
  const chosen = judged.flatMap((each) => ('mergeKey' in each ? [each] : []));
  const leftOut = judged.flatMap((each) => ('why' in each ? [each] : []));
  if (leftOut.length > 0 && (wishes.tables || chosen.length === 0)) throw notReplicable(leftOut);
  ensureHeeded(wishes.replicationKeys, '--replication-key', wanted, possibleKeys);
  ensureHeeded(wishes.mergeKeys, '--unique-cols', wanted, columnNames);
  return { chosen, leftOut };
}

const columnNames = ({ relation }: TableOption): string[] => relation.columns.map(({ name }) => name);

const isPossible = ({ columns }: KeyWish, possible: readonly string[]): boolean =>
  columns.every((column) => possible.includes(column));

/** @throws IncrepError USAGE for a wish that would change nothing, which is a mistake in a name */
function ensureHeeded(
  wishes: readonly KeyWish[],
  flag: string,
  wanted: readonly TableOption[],
  possibleIn: (option: TableOption) => readonly string[],
): void {
  const idle = wishes.find(
    (wish) =>
      !wanted.some((option) =>
        wish.table === undefined ? isPossible(wish, possibleIn(option)) : wish.table === option.name,
      ),
  );
  if (!idle) return;
  const { table, columns } = idle;
  throw new IncrepError('USAGE', {
    what:
      table === undefined
        ? `${flag} ${columns.join(',')} fits none of these tables: ${wanted.map(({ name }) => name).join(', ')}`
        : `${flag} ${table}=${columns.join(',')} is for a table that is not asked for`,
    next:
      table === undefined
        ? `Name columns that they have, or leave out ${flag}.`
        : `Add ${shellWord(table)} to --tables, or leave out ${flag}.`,
  });
}

function judge(option: TableOption, wishes: TableWishes): ChosenTable | LeftOut {
  const { name, obstacle } = option;
  if (obstacle) return { name, ...obstacle };
  const columns = columnNames(option);
  const wish = (list: readonly KeyWish[], possible: readonly string[]) =>
    list.find(({ table }) => table === name) ??
    list.find((each) => each.table === undefined && isPossible(each, possible));
  const keyWish = wish(wishes.replicationKeys, possibleKeys(option));
  const mergeWish = wish(wishes.mergeKeys, columns);
  const missing = [...(keyWish?.columns ?? []), ...(mergeWish?.columns ?? [])].find(
    (column) => !columns.includes(column),
  );
  if (missing !== undefined)
    return { name, why: `it has no column "${missing}"`, next: `Its columns: ${columns.join(', ')}.` };
  if (wishes.whole.includes(name))
    return wholeTable(option, mergeWish?.columns ?? option.mergeKey?.columns, undefined);
  const replicationKey = keyWish?.columns[0] ?? option.key?.column;
  const mergeKey = mergeWish?.columns ?? option.mergeKey?.columns;
  if (replicationKey === undefined) return withoutKey(option, mergeKey, reasonOf(option));
  if (!possibleKeys(option).includes(replicationKey))
    return {
      name,
      why: `"${replicationKey}" is of a type that cannot order changes`,
      next: `Name one of: ${possibleKeys(option).join(', ')}.`,
    };
  if (mergeKey === undefined)
    return withoutKey(option, mergeKey, {
      why: 'it has no primary key and no unique index',
      next: `To read only what has changed, name the columns that identify a row: --unique-cols ${shellWord(`${name}=COLUMN,COLUMN`)}`,
    });
  return { name, replicationKey, mergeKey };
}

const wholeTable = (
  { name }: TableOption,
  mergeKey: readonly string[] | undefined,
  because: Obstacle | undefined,
): WholeTable => ({ name, mergeKey: mergeKey ?? [], because });

/** Bytes up to which a table is read as a whole each time without anybody having asked for it. */
const SMALL = 100_000_000;

/** Never by a key that might miss changes, unless a person names it. */
function withoutKey(
  option: TableOption,
  mergeKey: readonly string[] | undefined,
  { why, next }: Obstacle,
): WholeTable | LeftOut {
  const { name, bytes } = option;
  if (bytes <= SMALL) return wholeTable(option, mergeKey, { why, next });
  return {
    name,
    why: `${why}; it has ${formatBytes(bytes)}`,
    next: `To read it as a whole each time: --full-refresh ${shellWord(name)}\n${next}`,
  };
}

function reasonOf({ name, keys }: TableOption): Obstacle {
  const [first] = keys;
  const flag = `--replication-key ${shellWord(`${name}=${first?.column ?? 'COLUMN'}`)}`;
  const best = keys.filter(({ sees }) => sees === first?.sees).map(({ column }) => column);
  if (!first)
    return {
      why: 'no column looks like a replication key',
      next: 'To read only what has changed, give it a column such as updated_at timestamptz that every change sets to now().',
    };
  return first.sees === 'inserts'
    ? {
        why: `its only keys see inserts, not changes: ${best.join(', ')}`,
        next: `Only if its rows never change: ${flag} reads new rows alone.`,
      }
    : {
        why: `no key is clearly the best: ${best.join(', ')}`,
        next: `To read only what has changed, name the column that every change sets: ${flag}`,
      };
}

function unknownTable(name: string, names: readonly string[]): IncrepError {
  const near = nearest(name, names);
  return new IncrepError('USAGE', {
    what: `the source has no table "${name}"${near === undefined ? '' : `; did you mean "${near}"?`}`,
    next: `Name tables of the source schema: ${names.slice(0, 20).join(', ')}${names.length > 20 ? ', ...' : ''}.`,
  });
}

const notReplicable = (tables: readonly LeftOut[]): IncrepError =>
  new IncrepError('USAGE', {
    what: [
      `${tables.length === 1 ? '1 table cannot' : `${tables.length} tables cannot`} be replicated as asked:`,
      ...tables.map(({ name, why }) => `  - ${name}: ${why}`),
    ].join('\n'),
    next: [...new Set(tables.map(({ next }) => next))].join('\n        '),
  });

/** By the keys that need no asking; for tables that are ready. */
export const asItIs = ({ name, key, mergeKey }: TableOption): KeyedTable => ({
  name,
  replicationKey: key?.column ?? '',
  mergeKey: mergeKey?.columns ?? [],
});
