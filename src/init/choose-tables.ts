/** Selects tables and their keys from flags, without a dialogue: pure. */
import { IncrepError } from '../errors.ts';
import { nearest } from '../nearest.ts';
import { formatBytes, listedNames } from '../format.ts';
import { shellWord } from '../shell-word.ts';
import type { Relation } from '../schema/relations.ts';
import { possibleKeys, type Obstacle, type TableProposal } from './propose-options.ts';

export interface KeyedTable {
  readonly name: string;
  readonly replicationKey: string;
  readonly mergeKey: readonly string[];
}

/** Mode full-refresh works for every table, but reads it completely at each sync. */
export interface WholeTable {
  readonly name: string;
  /** Empty if no key identifies rows. */
  readonly mergeKey: readonly string[];
  /** Undefined if a flag asked for it. */
  readonly because: Obstacle | undefined;
}

export type ChosenTable = KeyedTable | WholeTable;

export const isKeyed = (table: ChosenTable): table is KeyedTable => 'replicationKey' in table;

export interface LeftOut extends Obstacle {
  readonly name: string;
}

export interface ChosenAndLeftOut {
  /** Without the tables whose entry in an existing file stays. */
  readonly chosen: readonly ChosenTable[];
  readonly leftOut: readonly LeftOut[];
}

/** The keys in flags: for one table, or for every table that has these columns. */
export interface KeyWish {
  readonly table: string | undefined;
  readonly columns: readonly string[];
}

export interface TableWishes {
  /** Undefined means all tables that can be replicated. */
  readonly tables: readonly string[] | undefined;
  readonly replicationKeys: readonly KeyWish[];
  readonly mergeKeys: readonly KeyWish[];
  /** Tables in mode full-refresh. */
  readonly whole: readonly string[];
  /** The partitioned tables, by partition. */
  readonly partitions: ReadonlyMap<string, string>;
}

/** `COLUMN` or `TABLE=COLUMN`. A unique key may have several columns, separated by commas. */
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
 * A named table must be replicable. With all tables, those that are not are left out, each with the reason.
 * @throws IncrepError USAGE that names the flags to use
 */
export function chooseTables(options: readonly TableProposal[], wishes: TableWishes): ChosenAndLeftOut {
  const names = options.map(({ name }) => name);
  const named = [
    ...(wishes.tables ?? []),
    ...[...wishes.replicationKeys, ...wishes.mergeKeys].flatMap(({ table }) => table ?? []),
    ...wishes.whole,
  ];
  const unknown = named.find((name) => !names.includes(name));
  if (unknown !== undefined) throw unknownTable(unknown, names, wishes.partitions.get(unknown));
  const wanted = options.filter(({ name }) => !wishes.tables || wishes.tables.includes(name));
  const judged = wanted.map((option) => judge(option, wishes));
  const chosen = judged.flatMap((each) => ('mergeKey' in each ? [each] : []));
  const leftOut = judged.flatMap((each) => ('why' in each ? [each] : []));
  if (leftOut.length > 0 && (wishes.tables || chosen.length === 0)) throw notReplicable(leftOut);
  ensureHeeded(wishes.replicationKeys, '--replication-key', wanted, possibleKeys);
  ensureHeeded(wishes.mergeKeys, '--unique-cols', wanted, columnNames);
  return { chosen, leftOut };
}

const columnNames = ({ relation }: TableProposal): string[] => relation.columns.map(({ name }) => name);

const isPossible = ({ columns }: KeyWish, possible: readonly string[]): boolean =>
  columns.every((column) => possible.includes(column));

/** @throws IncrepError USAGE for a flag without effect, which is a mistake in a name */
function ensureHeeded(
  wishes: readonly KeyWish[],
  flag: string,
  wanted: readonly TableProposal[],
  possibleIn: (option: TableProposal) => readonly string[],
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
        ? `${flag} ${columns.join(',')} matches none of these tables: ${wanted.map(({ name }) => name).join(', ')}`
        : `${flag} ${table}=${columns.join(',')} names a table that is not selected`,
    next:
      table === undefined
        ? `Name columns of these tables, or remove ${flag}.`
        : `Add ${shellWord(table)} to --tables, or remove ${flag}.`,
  });
}

function judge(option: TableProposal, wishes: TableWishes): ChosenTable | LeftOut {
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
    return { name, why: `the table has no column "${missing}"`, next: `Its columns: ${columns.join(', ')}.` };
  if (wishes.whole.includes(name))
    return wholeTable(option, mergeWish?.columns ?? option.mergeKey?.columns, undefined);
  const replicationKey = keyWish?.columns[0] ?? option.key?.column;
  const mergeKey = mergeWish?.columns ?? option.mergeKey?.columns;
  if (replicationKey === undefined) return withoutKey(option, mergeKey, reasonOf(option));
  if (!possibleKeys(option).includes(replicationKey))
    return {
      name,
      why: `"${replicationKey}" has a type that cannot order changes`,
      next: `Possible replication keys are: ${possibleKeys(option).join(', ')}.`,
    };
  if (mergeKey === undefined)
    return withoutKey(option, mergeKey, {
      why: `the ${option.relation.kind} has no primary key and no unique index`,
      next: `To copy only changes, name the columns that identify a row: ${uniqueFlag(name)}`,
    });
  return { name, replicationKey, mergeKey };
}

const wholeTable = (
  { name }: TableProposal,
  mergeKey: readonly string[] | undefined,
  because: Obstacle | undefined,
): WholeTable => ({ name, mergeKey: mergeKey ?? [], because });

const uniqueFlag = (name: string): string => `--unique-cols ${shellWord(`${name}=COLUMN,COLUMN`)}`;

/** Smaller tables are read completely at each sync, even if the user did not ask for it. */
const SMALL = 100_000_000;

/** A key that might miss changes is used only if the user names it. */
function withoutKey(
  option: TableProposal,
  mergeKey: readonly string[] | undefined,
  { why, next }: Obstacle,
): WholeTable | LeftOut {
  const { name, bytes } = option;
  if (bytes <= SMALL) return wholeTable(option, mergeKey, { why, next });
  return {
    name,
    why: `${why}; its size is ${formatBytes(bytes)}`,
    next: `To read the whole table at each sync: --full-refresh ${shellWord(name)}\n${next}`,
  };
}

export const NO_KEY = 'no column looks like a replication key';

/** Only a table can get a column of its own. */
export function addKey({ kind }: Pick<Relation, 'kind'>): string {
  const step = kind.endsWith('view')
    ? 'change its definition so that a column grows with every change, or copy its base tables instead'
    : kind === 'foreign table'
      ? 'add a column that grows with every change to the table that it refers to, and to its definition'
      : 'add a column such as updated_at timestamptz that every change sets to now()';
  return `To copy only changes, ${step}. Otherwise, no action is needed.`;
}

function reasonOf({ name, relation, keys, mergeKey }: TableProposal): Obstacle {
  const [first] = keys;
  const flag = [
    `--replication-key ${shellWord(`${name}=${first?.column ?? 'COLUMN'}`)}`,
    ...(mergeKey ? [] : [uniqueFlag(name)]),
  ].join(' ');
  const best = keys.filter(({ sees }) => sees === first?.sees).map(({ column }) => column);
  if (!first) return { why: NO_KEY, next: addKey(relation) };
  return first.sees === 'inserts'
    ? {
        why: `its only possible replication keys show inserts, not updates: ${best.join(', ')}`,
        next: `If its rows never change, ${flag} reads new rows only.`,
      }
    : {
        why: `no replication key is clearly the best: ${best.join(', ')}`,
        next: `To copy only changes, name the column that every change sets: ${flag}`,
      };
}

const COMMA = String.raw` Write a comma in a name as \, in --tables, such as --tables 'a\,b'.`;

function unknownTable(name: string, names: readonly string[], root: string | undefined): IncrepError {
  if (root !== undefined)
    return new IncrepError('USAGE', {
      what: `table "${name}" of the source is a partition of "${root}"`,
      next: `Name "${root}". increp copies a partitioned table with all its partitions.`,
    });
  const near = nearest(name, names);
  return new IncrepError('USAGE', {
    what: `the source has no table "${name}"${near === undefined ? '' : `; did you mean "${near}"?`}`,
    next: `The tables of the source schema are: ${listedNames(names, 20)}.${names.some((each) => each.includes(',')) ? COMMA : ''}`,
  });
}

export const notReplicable = (tables: readonly LeftOut[]): IncrepError =>
  new IncrepError('USAGE', {
    what: [
      `${tables.length === 1 ? '1 table cannot' : `${tables.length} tables cannot`} be replicated as asked:`,
      ...tables.map(({ name, why }) => `  - ${name}: ${why}`),
    ].join('\n'),
    next: [...new Set(tables.map(({ next }) => next))].join('\n        '),
  });

/** Uses the keys that are clear. For tables whose keys are all clear. */
export const asItIs = ({ name, key, mergeKey }: TableProposal): KeyedTable => ({
  name,
  replicationKey: key?.column ?? '',
  mergeKey: mergeKey?.columns ?? [],
});
