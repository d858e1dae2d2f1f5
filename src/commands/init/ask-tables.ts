/** Shows the source tables, and asks which tables to copy and by which keys. */
import { formatBytes, formatCount, listed, listedNames, listedWithin } from '../../format.ts';
import {
  asItIs,
  notReplicable,
  type ChosenTable,
  type LeftOut,
  type ChosenAndLeftOut,
} from '../../init/choose-tables.ts';
import type { ConfiguredTables, LostColumn } from '../../init/former-config.ts';
import { missesLowerKeys, seesOnlyInserts, triggerNote, versionCaution } from '../../init/key-cautions.ts';
import { countTables, isReady, possibleKeys, type TableProposal } from '../../init/propose-options.ts';
import { withoutReplicationKey, withoutUniqueKey } from '../../init/without-key.ts';
import { rowsText } from '../../report/reasons.ts';
import type { Relation } from '../../schema/relations.ts';
import { padEnd, padStart, truncate } from '../../report/text.ts';
import type { PromptChoice, Prompts } from './prompts.ts';

interface AskedTables extends ChosenAndLeftOut {
  /** Tables whose entries in the existing file are removed. */
  readonly removed: readonly string[];
}

interface TablesQuestion {
  readonly tables: readonly TableProposal[];
  readonly configured: ConfiguredTables | undefined;
  /** The command that adds tables later. */
  readonly addingCommand: string;
}

/** Asks until at least one table is left. @throws IncrepError USAGE if no table can be replicated */
export async function askTables(
  prompts: Prompts,
  { tables, configured, addingCommand }: TablesQuestion,
): Promise<AskedTables> {
  const { named, matched, gone, lost, hasOthers } = configured ?? NOT_CONFIGURED;
  const isConfigured = ({ name }: { readonly name: string }) =>
    named.includes(name) || matched.includes(name);
  const leftOut = tables
    .flatMap(({ name, obstacle }) => (obstacle ? [{ name, ...obstacle }] : []))
    .filter((table) => !isConfigured(table));
  const possible = tables.filter(({ name, obstacle }) => !obstacle && !matched.includes(name));
  if (possible.length === 0 && !configured) throw notReplicable(leftOut);
  if (leftOut.length > 0) prompts.warn(obstacles(leftOut));
  if (matched.length > 0)
    prompts.say(`Patterns in tables-config.json select: ${listed(matched, MOST_SHOWN)}.`);
  if (lost.length > 0) prompts.warn(lostText(lost));
  if (gone.length > 0) prompts.warn(goneText(gone));
  if (possible.length === 0) return { chosen: [], leftOut, removed: [] };
  prompts.say(tableList(possible));
  const addLater = `To copy such a table later, add it to tables-config.json, or run again: "${addingCommand}".`;
  const mayBeEmpty = matched.length > 0 || hasOthers;
  for (;;) {
    const choice = await askOnce(prompts, {
      possible,
      impossible: leftOut,
      configured,
      mayBeEmpty,
      addLater,
    });
    if (choice.chosen.length > 0 || mayBeEmpty || choice.removed.length < named.length) return choice;
    prompts.warn('All tables are left out. A pipeline needs at least one.');
  }
}

const NOT_CONFIGURED: ConfiguredTables = { named: [], matched: [], gone: [], lost: [], hasOthers: false };

const lostText = (lost: readonly LostColumn[]): string =>
  [
    'Columns in tables-config.json that the source does not have:',
    ...lost.slice(0, MOST_SHOWN).map(({ table, option, column }) => `${table}: "${column}" (${option})`),
    ...more(lost.length),
    'Correct them there, or a sync of these tables fails.',
  ].join('\n');

const goneText = (gone: readonly string[]): string =>
  [
    `In tables-config.json, but not at the source: ${listedNames(gone, MOST_SHOWN)}`,
    'If a table was dropped, remove its entry there. If it was renamed, see "increp help schema-changes".',
  ].join('\n');

interface Offer {
  readonly possible: readonly TableProposal[];
  readonly impossible: readonly LeftOut[];
  readonly configured: ConfiguredTables | undefined;
  /** Whether the pipeline has other tables. */
  readonly mayBeEmpty: boolean;
  /** The step for a table that is left out. */
  readonly addLater: string;
}

async function askOnce(prompts: Prompts, offer: Offer): Promise<AskedTables> {
  const { possible, impossible, configured, addLater } = offer;
  const wanted = configured ? await askByName(prompts, offer) : await askWhich(prompts, offer);
  const named = configured?.named ?? [];
  const fresh = wanted.filter(({ name }) => !named.includes(name));
  const clear = fresh.filter(isReady);
  const changed = clear.length > 0 ? await askWhichToChange(prompts, clear) : [];
  const judged: (ChosenTable | LeftOut)[] = [];
  for (const table of fresh)
    judged.push(
      isReady(table) && !changed.includes(table.name)
        ? asItIs(table)
        : await askKeys(prompts, table, addLater),
    );
  const unwanted = possible.filter((table) => !wanted.includes(table)).map(({ name }) => name);
  return {
    chosen: judged.flatMap((each) => ('mergeKey' in each ? [each] : [])),
    leftOut: [
      ...judged.flatMap((each) => ('why' in each ? [each] : [])),
      ...unwanted
        .filter((name) => !named.includes(name))
        .map((name) => ({ name, why: 'not selected', next: addLater })),
      ...impossible,
    ],
    removed: unwanted.filter((name) => named.includes(name)),
  };
}

/** The number of problems that are listed. The rest is counted. */
const MOST_SHOWN = 8;
const more = (count: number) => (count > MOST_SHOWN ? [`... and ${count - MOST_SHOWN} more`] : []);

const obstacles = (leftOut: readonly LeftOut[]): string =>
  [
    'Cannot be replicated:',
    ...leftOut.slice(0, MOST_SHOWN).flatMap(({ name, why, next }) => [`${name}: ${why}`, `  next: ${next}`]),
    ...more(leftOut.length),
  ].join('\n');

/** Longer names are cut in lists. */
const NAME_WIDTH = 24;
/** The cells that are left of 80 columns beside a table. */
const HINT_WIDTH = 18;
const MOST_LISTED = 30;

/** Tables that increp asks about come first, so that a long list does not hide them. */
function tableList(tables: readonly TableProposal[]): string {
  const sorted = tables.toSorted((a, b) => Number(isReady(a)) - Number(isReady(b)));
  const lines = sorted.slice(0, MOST_LISTED).map((table) => `${labelOf(table)}  ${suggestedKey(table)}`);
  const rest = tables.length > MOST_LISTED ? [`... and ${tables.length - MOST_LISTED} more`] : [];
  return [`${countTables(tables)} to choose from, with the replication key:`, ...lines, ...rest].join('\n');
}

function suggestedKey({ key, mergeKey, keys }: TableProposal): string {
  if (key) return mergeKey ? key.column : `${key.column} (no unique columns)`;
  return keys.length > 0 ? '(not clear)' : '(none found)';
}

const isStored = (kind: Relation['kind']): boolean => kind !== 'view' && kind !== 'foreign table';

/** `(materialized view, 8.2 kB)`, after a question about one table. */
const factsOf = ({ relation: { kind }, bytes }: TableProposal): string =>
  `(${kind}${isStored(kind) ? `, ${formatBytes(bytes)}` : ''})`;

function labelOf({ name, relation: { kind, estimatedRows }, bytes }: TableProposal): string {
  const rows = estimatedRows === undefined ? '' : `~${formatCount(estimatedRows)} rows`;
  const size = isStored(kind) ? formatBytes(bytes) : kind;
  return `${padEnd(truncate(name, NAME_WIDTH, '...'), NAME_WIDTH)}${padStart(rows, 18)}${padStart(size, 10)}`;
}

/** The hint beside a table name. */
const hintOf = ({ key }: TableProposal): string =>
  key ? truncate(`by ${key.column}`, HINT_WIDTH, '...') : 'increp asks';

async function askWhich(prompts: Prompts, offer: Offer): Promise<readonly TableProposal[]> {
  const { possible } = offer;
  const ready = possible.filter(isReady);
  const [only, ...others] = ready;
  const all =
    others.length > 0
      ? `All ${ready.length} whose keys are clear`
      : `${only?.name}, the only table whose keys are clear`;
  const unclear = possible.length - ready.length;
  const which = await prompts.choose({
    message: 'Which tables do you want to copy?',
    choices: [
      ...(ready.length > 0 ? [{ value: 'ready' as const, label: all }] : []),
      ...(unclear > 0
        ? [
            {
              value: 'all' as const,
              label: `All ${possible.length}: increp asks about the keys of ${ready.length === 0 ? 'each' : unclear === 1 ? 'the other table' : `the other ${unclear}`}`,
            },
          ]
        : []),
      { value: 'some', label: 'Let me choose' },
    ],
  });
  if (which !== 'some') return which === 'ready' ? ready : possible;
  return askByName(prompts, offer);
}

/** Tables that have an entry are selected already. */
async function askByName(
  prompts: Prompts,
  { possible, configured, mayBeEmpty }: Offer,
): Promise<readonly TableProposal[]> {
  const named = configured?.named ?? [];
  const names = await prompts.chooseMany({
    message: 'Tables to copy',
    choices: possible.map((table) => ({
      value: table.name,
      label: labelOf(table).trimEnd(),
      hint: named.includes(table.name) ? 'has an entry' : hintOf(table),
    })),
    mayBeEmpty,
    ...(configured && { initial: named }),
  });
  return possible.filter(({ name }) => names.includes(name));
}

/** So many tables with the same keys share a line. */
const ALIKE = 3;
/** Characters of names. */
const TWO_LINES = 130;

/** The keys that most tables have come first, so that the exceptions are seen. */
function keyLines(clear: readonly TableProposal[]): string[] {
  const groups = [...Map.groupBy(clear, keysText)].map(([keys, tables]) => ({ keys, tables }));
  const line = (label: string, keys: string) =>
    `${padEnd(truncate(label, NAME_WIDTH, '...'), NAME_WIDTH)}  ${keys}`;
  return groups
    .toSorted((a, b) => Number(b.tables.length >= ALIKE) - Number(a.tables.length >= ALIKE))
    .flatMap(({ keys, tables }) =>
      tables.length >= ALIKE
        ? [
            `${keys}:`,
            `  ${listedWithin(
              tables.map(({ name }) => name),
              TWO_LINES,
            )}`,
          ]
        : tables.map(({ name }) => line(name, keys)),
    );
}

const keysText = ({ key, mergeKey }: TableProposal): string =>
  `${key?.column ?? ''} (${key?.reasons.join(', ') ?? ''}); by ${mergeKey?.columns.join(', ') ?? ''}`;

async function askWhichToChange(prompts: Prompts, clear: readonly TableProposal[]): Promise<string[]> {
  const lines = keyLines(clear);
  prompts.say(
    [
      'Replication key, its reason, and unique key:',
      ...lines.slice(0, MOST_LISTED),
      ...(lines.length > MOST_LISTED ? [`... and ${lines.length - MOST_LISTED} more`] : []),
    ].join('\n'),
  );
  const keyed = clear.map(asItIs);
  const [about, caution] = [triggerNote(keyed, clear), versionCaution(keyed, clear)];
  if (about !== undefined) prompts.say(about);
  if (caution !== undefined) prompts.warn(caution);
  const areRight = await prompts.confirm({ message: 'Are these keys correct?', initial: true });
  if (areRight) return [];
  return prompts.chooseMany({
    message: 'Tables to change or leave out',
    choices: clear.map(({ name, key }) => ({ value: name, label: name, hint: `by ${key?.column ?? ''}` })),
  });
}

async function askKeys(
  prompts: Prompts,
  table: TableProposal,
  addLater: string,
): Promise<ChosenTable | LeftOut> {
  const { name } = table;
  const leftOutByChoice: LeftOut = { name, why: 'you left it out', next: addLater };
  // Without these columns, a replication key has no effect.
  const isFirst = table.mergeKeys.length === 0 && possibleKeys(table).length > 0;
  const columns = isFirst ? await askMergeKey(prompts, table) : undefined;
  if (columns === LEAVE_OUT) return leftOutByChoice;
  if (columns === WHOLE) return { name, mergeKey: [], because: withoutUniqueKey(table) };
  const replicationKey = await askReplicationKey(prompts, table);
  if (replicationKey === LEAVE_OUT) return leftOutByChoice;
  if (replicationKey === WHOLE) {
    const known = columns ?? table.mergeKey?.columns;
    return { name, mergeKey: known ?? [], because: withoutReplicationKey(table, known) };
  }
  if (missesLowerKeys(table, replicationKey, columns))
    prompts.warn(
      `New rows of ${name} whose ${replicationKey} is lower than that of earlier rows are not copied, and changed rows are not copied.`,
    );
  else if (seesOnlyInserts(table, replicationKey))
    prompts.warn(`"${replicationKey}" shows only inserts, so changed rows of ${name} are not copied.`);
  const mergeKey = columns ?? (await askMergeKey(prompts, table));
  if (mergeKey === LEAVE_OUT) return leftOutByChoice;
  if (mergeKey === WHOLE) return { name, mergeKey: [], because: withoutUniqueKey(table, replicationKey) };
  return { name, replicationKey, mergeKey };
}

/** No column name contains this character. */
const WHOLE = '\0';
const LEAVE_OUT = '\0leave out';
const leaveOut = { value: LEAVE_OUT, label: 'Leave the table out' } as const;
const readWhole = (label: string, { relation: { estimatedRows } }: TableProposal) =>
  ({
    value: WHOLE,
    label: `${label}: read the whole table each time${estimatedRows === undefined ? '' : ` (${rowsText({ rows: estimatedRows, isMore: false })})`}`,
  }) as const;

/** If no key is clear, the first choice is the one that never misses a change. */
async function askReplicationKey(prompts: Prompts, table: TableProposal): Promise<string> {
  const ranked = table.keys.map(({ column, reasons }): PromptChoice<string> => ({
    value: column,
    label: column,
    hint: missesLowerKeys(table, column) ? 'misses new rows with a lower value' : reasons.join(', '),
  }));
  const others = possibleKeys(table)
    .filter((name) => !table.keys.some(({ column }) => column === name))
    .map((name): PromptChoice<string> => ({
      value: name,
      label: name,
      hint: missesLowerKeys(table, name)
        ? 'misses new rows with a lower value'
        : 'only if it grows with every change',
    }));
  const whole = readWhole('No column', table);
  const columns = [...ranked, ...others];
  return prompts.choose({
    message: `${table.name}: which column grows with every change? ${factsOf(table)}`,
    choices: [...(table.key ? [...columns, whole] : [whole, ...columns]), leaveOut],
    initial: table.key?.column ?? WHOLE,
  });
}

/** The choice of single columns. No index name contains this character. */
const BY_HAND = '\0by hand';

async function askMergeKey(
  prompts: Prompts,
  table: TableProposal,
): Promise<readonly string[] | typeof WHOLE | typeof LEAVE_OUT> {
  const { name, mergeKeys, relation } = table;
  const whole = readWhole('No columns', table);
  const found = mergeKeys.map(({ columns, reason }, index): PromptChoice<string> => ({
    value: String(index),
    label: columns.join(', '),
    hint: reason,
  }));
  const byHand = { value: BY_HAND, label: found.length > 0 ? 'Other columns' : 'Choose the columns' };
  const chosen = await prompts.choose<string>({
    message: `${name}: which columns identify a row? ${factsOf(table)}`,
    choices: found.length > 0 ? [...found, byHand, whole, leaveOut] : [whole, byHand, leaveOut],
    initial: found.length > 0 ? '0' : WHOLE,
  });
  if (chosen === WHOLE || chosen === LEAVE_OUT) return chosen;
  if (chosen !== BY_HAND) return mergeKeys[Number(chosen)]?.columns ?? [];
  const columns = await prompts.chooseMany({
    message: `${name}: all columns that identify a row`,
    choices: relation.columns.map((column) => ({
      value: column.name,
      label: column.name,
      hint: column.type,
    })),
  });
  prompts.say(`Unique key of ${name}: ${columns.join(', ')}`);
  return columns;
}
