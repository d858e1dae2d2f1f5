/** Ranks the columns that could be the replication key or the unique key of a table, with reasons. Pure. */
import type { Column } from './columns.ts';
import { keyTypeOf, type KeyType } from './keys.ts';
import { isUniqueBy, type Relation } from './relations.ts';

/** Facts of the catalog about a table besides its shape. */
export interface TableHints {
  readonly primaryKey: readonly string[] | undefined;
  /** Defaults as the server prints them, by column. */
  readonly defaults: ReadonlyMap<string, string>;
  /** Enabled row triggers that run before an update. */
  readonly updateTriggers: readonly UpdateTrigger[];
}

/** Compares names and types only. */
export const NO_HINTS: TableHints = { primaryKey: undefined, defaults: new Map(), updateTriggers: [] };

interface UpdateTrigger {
  readonly name: string;
  /** The source code of its function, or the name of a C function. */
  readonly source: string;
  readonly args: readonly string[];
}

/** The writes that a sync by that key finds. `unknown`: it depends on the application. */
export type Sees = 'changes' | 'unknown' | 'inserts';

export interface KeyCandidate {
  readonly column: string;
  readonly type: KeyType;
  readonly sees: Sees;
  readonly score: number;
  /** Texts, the most important first. */
  readonly reasons: readonly string[];
}

const word = (...words: readonly string[]) => new RegExp(`(?:^|_)(?:${words.join('|')})(?:_|$)`);

/** Names are converted to snake_case before the comparison. */
const CHANGE_NAME = word(
  'updated?',
  'modif(?:y|ied)',
  'modification',
  'changed?',
  'touched',
  'edited',
  'mtime',
  'last_(?:write|written)',
  'upd',
);
const INSERT_NAME = word(
  'created?',
  'creation',
  'inserted?',
  'added',
  'registered',
  'ctime',
  'logged',
  'received',
);
/** Times of the entity, not of its row. */
const FACT_NAME = word(
  'deleted',
  'removed',
  'birth',
  'born',
  'birthday',
  'due',
  'expir(?:y|es|ed)',
  'valid',
  'until',
);
const VERSION_NAME = word(
  'version',
  'row_?version',
  'revision',
  'rev',
  'change_?(?:id|no|number|seq)',
  'lsn',
  'seq',
);

const snakeCase = (name: string): string =>
  name
    .replaceAll(/([a-z\d])([A-Z])/g, '$1_$2')
    .replaceAll(/[\s.-]+/g, '_')
    .toLowerCase();

const ROLES = [CHANGE_NAME, INSERT_NAME, FACT_NAME];

/** Whether both are names of times of changes, of inserts or of facts, or neither is. */
export const hasRoleOf = (name: string, other: string): boolean =>
  ROLES.every((role) => role.test(snakeCase(name)) === role.test(snakeCase(other)));

const SCORES = {
  trigger: 50,
  changeName: 40,
  version: 20,
  index: 15,
  notNull: 10,
  defaultNow: 5,
  sequence: 5,
  fact: -15,
} as const;
const TYPE_SCORES: Readonly<Record<KeyType, number>> = { timestamptz: 3, timestamp: 2, integer: 1, date: 0 };
const SEES_SCORES: Readonly<Record<Sees, number>> = { changes: 100, unknown: 0, inserts: -100 };

/** Every column that could be the key. Columns that show all changes come before columns that show only inserts. */
export function keyCandidates(relation: Relation, hints: TableHints): KeyCandidate[] {
  return relation.columns
    .map((column) => candidate(column, relation, hints))
    .filter((found) => found !== undefined)
    .toSorted((a, b) => b.score - a.score || (a.column < b.column ? -1 : 1));
}

/** The lead over the second candidate that makes a question unnecessary. An index is enough. */
const CLEAR_MARGIN = 10;

/** The key that `init` takes without a question: it shows changes, and no other candidate is nearly as good. */
export function clearlyBestKey(candidates: readonly KeyCandidate[]): KeyCandidate | undefined {
  const [best, second] = candidates;
  if (best?.sees !== 'changes') return undefined;
  return !second || best.score - second.score >= CLEAR_MARGIN ? best : undefined;
}

function candidate(column: Column, relation: Relation, hints: TableHints): KeyCandidate | undefined {
  const type = keyTypeOf(column);
  if (!type) return undefined;
  const evidence = type === 'integer' ? ofInteger(column, hints) : ofTime(column, hints);
  if (!evidence) return undefined;
  const isIndexed = relation.indexedColumns.includes(column.name);
  const { sees } = evidence;
  return {
    column: column.name,
    type,
    sees,
    score:
      SEES_SCORES[sees] +
      TYPE_SCORES[type] +
      evidence.score +
      (isIndexed ? SCORES.index : 0) +
      (column.isNotNull ? SCORES.notNull : 0),
    reasons: [
      ...evidence.reasons,
      ...(isIndexed ? ['indexed'] : []),
      ...(column.isNotNull ? ['NOT NULL'] : []),
    ],
  };
}

interface Evidence {
  readonly sees: Sees;
  readonly score: number;
  readonly reasons: readonly string[];
}

const NOW =
  /\b(now|clock_timestamp|statement_timestamp|transaction_timestamp)\(\)|current_(timestamp|date)|localtimestamp/i;

function ofTime(column: Column, hints: TableHints): Evidence {
  const trigger = triggerThatSets(column.name, hints);
  const name = snakeCase(column.name);
  const isSetOnInsert = NOW.test(hints.defaults.get(column.name) ?? '');
  const byDefault = isSetOnInsert ? ['default now()'] : [];
  if (trigger !== undefined)
    return {
      sees: 'changes',
      score: SCORES.trigger + (CHANGE_NAME.test(name) ? SCORES.changeName : 0),
      reasons: [`set by trigger ${trigger}`],
    };
  if (CHANGE_NAME.test(name))
    return {
      sees: 'changes',
      score: SCORES.changeName + (isSetOnInsert ? SCORES.defaultNow : 0),
      reasons: ['named like a time of change', ...byDefault],
    };
  if (INSERT_NAME.test(name))
    return { sees: 'inserts', score: SCORES.defaultNow, reasons: ['set on insert: sees inserts only'] };
  return {
    sees: 'unknown',
    score: (isSetOnInsert ? SCORES.defaultNow : 0) + (FACT_NAME.test(name) ? SCORES.fact : 0),
    reasons: ['only if every change sets it', ...byDefault],
  };
}

/** Undefined for numbers that do not grow by themselves, such as amounts and references. */
function ofInteger(column: Column, hints: TableHints): Evidence | undefined {
  const trigger = triggerThatSets(column.name, hints);
  if (trigger !== undefined)
    return { sees: 'changes', score: SCORES.trigger, reasons: [`set by trigger ${trigger}`] };
  if (column.identity !== '' || /^nextval\(/i.test(hints.defaults.get(column.name) ?? ''))
    return {
      sees: 'inserts',
      score: SCORES.sequence,
      reasons: [`${column.identity === '' ? 'sequence' : 'identity'}: sees inserts only`],
    };
  if (VERSION_NAME.test(snakeCase(column.name)))
    return {
      sees: 'unknown',
      score: SCORES.version,
      reasons: ['only if it grows over the whole table with every change'],
    };
  const isPrimary = hints.primaryKey?.length === 1 && hints.primaryKey[0] === column.name;
  return isPrimary
    ? { sees: 'inserts', score: 0, reasons: ['only if it grows: sees inserts only'] }
    : undefined;
}

/** A trigger whose function assigns to the column, or has its name as an argument, like moddatetime(updated_at). */
function triggerThatSets(column: string, { updateTriggers }: TableHints): string | undefined {
  const name = column.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  const assignment = new RegExp(`\\bnew\\s*\\.\\s*(?:"${name}"|${name}\\b)\\s*:?=`, 'i');
  return updateTriggers.find(({ source, args }) => assignment.test(source) || args.includes(column))?.name;
}

export interface MergeKeyCandidate {
  readonly columns: readonly string[];
  /** A text. */
  readonly reason: string;
  /** Whether the server enforces uniqueness and NOT NULL. */
  readonly isEnforced: boolean;
}

/** The possible unique keys: the primary key, then unique indexes. Short keys without NULL come first. */
export function mergeKeyCandidates(relation: Relation, { primaryKey }: TableHints): MergeKeyCandidate[] {
  const isPrimary = (columns: readonly string[]) =>
    primaryKey !== undefined && columns.join('\0') === primaryKey.join('\0');
  const different = new Map(relation.uniqueKeys.map(({ columns }) => [columns.join('\0'), columns]));
  const found = [...different.values()].map((columns): MergeKeyCandidate => {
    const isEnforced = isUniqueBy(relation, columns);
    const caution = isEnforced ? '' : unenforced(relation);
    return {
      columns,
      isEnforced,
      reason: `${isPrimary(columns) ? 'primary key' : 'unique index'}${caution}`,
    };
  });
  const rank = ({ columns, isEnforced }: MergeKeyCandidate) =>
    (isPrimary(columns) ? 0 : 100) + (isEnforced ? 0 : 200) + columns.length;
  return found.toSorted((a, b) => rank(a) - rank(b));
}

const unenforced = ({ kind, hasChildren }: Relation): string =>
  kind === 'table' && hasChildren ? ', which does not cover its child tables' : ', but it may hold NULL';

/** Whether an update gives a row another unique key. A time that is set only at an insert stays. */
export const isVersioned = (
  candidates: readonly KeyCandidate[],
  key: string,
  mergeKey: readonly string[],
): boolean =>
  mergeKey.includes(key) && candidates.some(({ column, sees }) => column === key && sees === 'changes');

/** Otherwise, each of the two keys would have a warning that recommends the other one. */
export const UNENFORCED =
  'If "check" then warns that no constraint keeps them unique (MERGE_KEY_NOT_ENFORCED), no action is needed.';

export const versionedText = (key: string): string =>
  `"${key}" is in unique_cols, so each update of a row adds a row at the destination and leaves the earlier one`;

/** What to do about a versioned table, if the earlier forms of a row are not wanted. */
export function versionedStep(key: string, mergeKey: readonly string[]): string {
  const others = mergeKey.filter((name) => name !== key);
  const fix = others.length === 0 ? 'the columns of the primary key' : JSON.stringify(others);
  return `If rows are updated, set "unique_cols" to ${fix}, provided that they identify a row. ${UNENFORCED} Or set "deletes": "hard", which removes the earlier rows.`;
}

/** What a sync by the key misses, as far as the catalog shows. `lower-keys`: updates, and new rows below the cursor. */
export type Missed = 'updates' | 'lower-keys';

/** `hasSequence`: undefined if only the catalog of the table was read. */
export function missedBy(
  source: Relation,
  key: string,
  mergeKey: readonly string[],
  hasSequence?: boolean,
): Missed | undefined {
  if (isFromElsewhere(source, key, mergeKey, hasSequence)) return 'lower-keys';
  // An update does not change a number that identifies the row, nor a number from a sequence.
  const isInsertOnly =
    hasSequence === true ||
    mergeKey.includes(key) ||
    keyCandidates(source, NO_HINTS).some(({ column, sees }) => column === key && sees === 'inserts');
  return isInsertOnly ? 'updates' : undefined;
}

/**
 * Whether rows get the value from another row, such as the number or the date of an order. It is neither unique nor set by a
 * default, an identity, a sequence or a trigger, so a later row can have a lower value.
 */
function isFromElsewhere(
  source: Relation,
  key: string,
  mergeKey: readonly string[],
  hasSequence: boolean | undefined,
): boolean {
  const column = source.columns.find(({ name }) => name === key);
  const type = column && keyTypeOf(column);
  if (!type || (source.kind !== 'table' && source.kind !== 'partitioned table')) return false;
  const isPart = mergeKey.includes(key);
  const name = snakeCase(key);
  const isUnique =
    (isPart && mergeKey.length === 1) || source.uniqueKeys.some(({ columns }) => columns.join('\0') === key);
  const mayHaveDefault = column.isNotNull && !source.demandedColumns.includes(key);
  if (isUnique || column.identity !== '' || isNamedForWrites(key)) return false;
  // Each row may have a time of its own, and a trigger may set a number that is not a part of the unique key.
  if (type !== 'integer') return isPart && !mayHaveDefault;
  return !(hasSequence ?? mayHaveDefault) && (isPart || !(source.hasRowTriggers || VERSION_NAME.test(name)));
}

/** Whether the name says that each change or each insert sets the time. */
export const isNamedForWrites = (key: string): boolean =>
  [CHANGE_NAME, INSERT_NAME].some((role) => role.test(snakeCase(key)));
