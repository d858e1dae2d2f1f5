/** Compares the rows of both sides up to the cursor. It writes nothing. */
import type pg from 'pg';
import type { TableSettings } from '../config/settings.ts';
import { IncrepError } from '../errors.ts';
import { canLock, type Relation } from '../schema/relations.ts';
import { isAppend } from '../schema/row-identity.ts';
import { describeRelations } from '../postgres/catalog.ts';
import { askAll } from '../postgres/catalog-question.ts';
import { rowsFrom } from '../schema/selection.ts';
import { shapeOf } from '../schema/shape.ts';
import { resetRecordSchema, stateRecordSchema, type StateRecord } from '../schema/state-record.ts';
import { reasonText } from '../report/reasons.ts';
import { tableCommand } from '../shell-word.ts';
import { lockOnly } from '../sql/partitions.ts';
import { stateTable } from '../sql/state.ts';
import { lockShape } from '../sql/window.ts';
import { compareSides } from '../sync/compare/compare-sides.ts';
import { sidesOf } from '../sync/compare/sides.ts';
import type { RowDifference } from '../sync/compare/differences.ts';
import { withoutGone } from './changed-since-read.ts';
import { newerThanSource, type NewerThanSource } from './newer-than-source.ts';
import type { TableFacts } from '../sync/facts/facts.ts';
import { keepsRest } from '../sync/plan/reload-guard.ts';
import { pendingAtSource, writersQuestion } from '../sync/fence/pending-rows.ts';
import { ordinaryRequest } from '../sync/plan/plan.ts';
import { nullKeysAtSource } from '../sync/write/null-keys.ts';
import { isWithin } from '../sync/load/removed-rows.ts';
import { planTable } from '../sync/plan/plan-table.ts';
import { ensureShape, mayReadMore } from '../sync/read/shape-check.ts';
import { stateQuestion, type StateRows } from '../sync/facts/state-rows.ts';
import type { RunContext } from '../sync/context/run-context.ts';

/** The number of keys of each kind in a report. */
const NAMED_KEYS = 5;

export interface Verified {
  readonly name: string;
  readonly sourceRows: number;
  readonly destinationRows: number;
  readonly missing: number;
  readonly extra: number;
  readonly changed: number;
  /** Keys of more than one row, on either side. */
  readonly duplicated: number;
  /** Of these, keys of more than one row of the source, which a repair cannot fix. */
  readonly duplicatedAtSource: number;
  /** Rows of the source that differ, because the next sync reads them. They are not differences. */
  readonly waiting: number;
  /** Rows of a table without a cursor that were changed or deleted at the source since the last sync. They are not differences. */
  readonly outdated: number;
  /** Rows that are newer at the destination, if the settings allow them. They are not differences. */
  readonly newer: number;
  /** Rows that are only at the destination, if the settings allow them. */
  readonly kept: number;
  /** The setting that keeps these rows. */
  readonly keptBy: 'deletes' | 'mode' | 'on_conflict' | 'merge' | undefined;
  /** Of these, versions that are newer than all rows of the source. */
  readonly aboveSource?: NewerThanSource | undefined;
  /**
   * The first keys of each kind, as JSON: the values of the unique key as text, or the beginning of a row without a
   * key.
   */
  readonly keys: Readonly<Record<RowDifference['kind'] | 'kept', readonly string[]>>;
  /** Whether a repair would remove more rows than `delete_limit` allows. */
  readonly isOverLimit: boolean;
  /** Columns that hold values of both sides and were not compared, at the destination. */
  readonly mergedColumns: readonly string[];
  readonly rowsFrom: 'where' | 'query' | undefined;
  /** Whether a repair marks rows as deleted in place of removing them. */
  readonly isMarked: boolean;
  /** Remarks about the counts. */
  readonly notes: readonly string[];
  readonly durationSeconds: number;
}

export const isEqual = ({ missing, extra, changed, duplicated }: Verified): boolean =>
  missing + extra + changed + duplicated === 0;

/** @throws IncrepError if there is no destination table to compare */
export async function verifyTable(context: RunContext, facts: TableFacts): Promise<Verified> {
  const startedAt = performance.now();
  const compared = await compareTable(context, facts);
  return verified(facts, { ...compared, durationSeconds: (performance.now() - startedAt) / 1000 });
}

/** Known from the settings and the counts. */
type Derived = 'name' | 'keptBy' | 'isOverLimit' | 'mergedColumns' | 'rowsFrom' | 'isMarked';

const verified = ({ settings }: TableFacts, compared: Omit<Verified, Derived>): Verified => ({
  name: settings.name,
  ...compared,
  notes: [
    ...compared.notes,
    ...(compared.extra > 0 && settings.deletes === 'ignore' && settings.mode !== 'full-refresh'
      ? [
          'no sync removes rows that are deleted at the source, because "deletes" is "ignore"; with "hard", a sync removes them',
        ]
      : []),
    ...(compared.kept * 2 > compared.destinationRows && !isAppend(settings)
      ? ['most rows of the destination table are not at the source; check whether it is the right table']
      : []),
  ],
  keptBy: keptBy(settings),
  isOverLimit:
    compared.extra > 0 &&
    !isWithin(settings, {
      gone: compared.extra,
      of: compared.destinationRows,
      left: compared.sourceRows,
    }),
  mergedColumns: settings.merge.map((column) => column.name),
  isMarked: settings.deletes === 'soft',
  rowsFrom: rowsFrom(settings.selection),
});

function keptBy(settings: TableSettings): Verified['keptBy'] {
  if (settings.deletes === 'keep') return 'deletes';
  if (isAppend(settings)) return 'mode';
  if (settings.onConflict === 'last_update_wins') return 'on_conflict';
  return settings.merge.length > 0 ? 'merge' : undefined;
}

/** The result for a table with the same rows on both sides. */
export const equalRows = (facts: TableFacts, rows: number, durationSeconds: number): Verified =>
  verified(facts, {
    sourceRows: rows,
    destinationRows: rows,
    ...noDifferences(),
    outdated: 0,
    notes: [],
    durationSeconds,
  });

/**
 * The view of the destination is opened first. All its rows came from the source before the source's view, so
 * concurrent writes never look like a difference.
 */
async function compareTable(
  context: RunContext,
  facts: TableFacts,
): Promise<Omit<Verified, Derived | 'durationSeconds'>> {
  const { relation, known } = comparableTable(facts);
  const state = facts.stateTable === 'readable' ? stateQuestion(facts.pipeline, [facts]) : undefined;
  const first = state?.statement === undefined ? [] : [state.statement];
  return context.destination.withSnapshot(first, async (destination, { answers: [found] }) => {
    const record =
      (state && found ? recordOf(state.read(found.rows)(facts)) : await recordIn(destination, facts)) ??
      known;
    return withSettledSides(context, facts, { relation, record }, async (source, sides) => {
      const comparison = await compareSides(
        { database: context.source, client: source, rows: sides.source },
        { client: destination, rows: sides.destination },
      );
      const differences = await countDifferences(comparison.differences, keepsRest(facts.settings));
      const held = { database: context.source, holder: source };
      const counted = await withoutGone(held, facts, relation, record, { ...comparison, ...differences });
      // No window reads the rows without a key, so they may be the ones that differ.
      const mayLackKeys = counted.missing + counted.changed > 0;
      const causes = mayLackKeys ? await nullKeysAtSource(held, facts, relation) : [];
      const aboveSource = counted.kept > 0 ? await newerThanSource(facts, source, destination) : undefined;
      return { ...counted, aboveSource, notes: [...counted.notes, ...causes] };
    });
  });
}

interface ComparedTable {
  readonly relation: Relation;
  readonly record: StateRecord;
}

/** Locks the source table, and describes all rows, as far as the state of the last sync covers them. */
export const withSettledSides = <T>(
  context: RunContext,
  facts: TableFacts,
  { relation, record }: ComparedTable,
  read: (source: pg.ClientBase, sides: ReturnType<typeof sidesOf>) => Promise<T>,
): Promise<T> => {
  const lock = canLock(relation) ? [(facts.sourceRows.inGroups ? lockOnly : lockShape)(relation.name)] : [];
  const first = [...lock, ...writersQuestion(facts, relation, record)];
  return context.source.withSnapshot(first, async (source, { answers }) => {
    if (mayReadMore(facts)) await ensureShape(source, facts, { shape: shapeOf(relation) });
    const isPending = pendingAtSource(facts, record, answers[lock.length]);
    const { destinationName: destination } = facts;
    return read(source, sidesOf(facts, { relation, what: 'rows', where: 'true', isPending, destination }));
  });
};

/** The source table and the saved state of its destination table, after a check that both have the same shape. */
export function comparableTable(facts: TableFacts): {
  readonly relation: Relation;
  readonly known: StateRecord;
} {
  const plan = planTable(facts, ordinaryRequest());
  if (plan.kind === 'refuse') throw plan.error;
  if (plan.kind === 'incremental' && !plan.evolution && 'cursor' in plan.since)
    return { relation: plan.source, known: plan.since };
  // Full-refresh is the mode of the table here, because no flag asked for it.
  if (plan.kind === 'load' && plan.action === 'full-refresh' && facts.saved.kind === 'record')
    return { relation: plan.source, known: facts.saved.record };
  const why =
    plan.kind === 'incremental' && !plan.evolution
      ? 'only the older script has synced it'
      : reasonText(plan.reasons);
  throw new IncrepError('NOT_SYNCED', {
    what: `table "${facts.settings.name}" cannot be compared: ${why}`,
    // Dependent objects can stop a change of shape, and the plan names them. It also names a renamed destination table.
    next:
      plan.action === 'reset' ||
      facts.saved.kind === 'record' ||
      (plan.kind === 'incremental' && plan.evolution)
        ? `Compare after the next sync. To see what it does, run "${tableCommand('plan', facts.settings.name)}".`
        : `First run "${tableCommand('sync', facts.settings.name)}".`,
  });
}

/** Undefined if the destination has no state. Then the file is used. */
export async function recordIn(
  destination: pg.ClientBase,
  facts: TableFacts,
): Promise<StateRecord | undefined> {
  const { schema } = facts.destinationName;
  const states = stateTable(schema).table;
  if (!(await describeRelations(destination, schema, [states])).has(states)) return undefined;
  const [stateOf] = await askAll(destination, [stateQuestion(facts.pipeline, [facts])]);
  return recordOf(stateOf(facts));
}

const recordOf = ({ record }: StateRows): StateRecord | undefined =>
  record === undefined || resetRecordSchema.safeParse(record).success
    ? undefined
    : stateRecordSchema.parse(record);

const noDifferences = () => ({
  ...{ missing: 0, extra: 0, changed: 0, duplicated: 0, duplicatedAtSource: 0 },
  ...{ waiting: 0, newer: 0, kept: 0 },
  keys: noKeys(),
});

const noKeys = (): Record<RowDifference['kind'] | 'kept', string[]> => ({
  ...{ missing: [], extra: [], changed: [], duplicated: [] },
  ...{ waiting: [], newer: [], kept: [] },
});

async function countDifferences(differences: AsyncIterable<RowDifference>, areExtraKept: boolean) {
  const { keys, ...counts } = noDifferences();
  for await (const { kind: found, key, ...difference } of differences) {
    const kind = found === 'extra' && areExtraKept ? 'kept' : found;
    counts[kind] += 'rows' in difference ? (difference.rows ?? 1) : 1;
    if ('side' in difference && difference.side === 'source') counts.duplicatedAtSource += 1;
    if (keys[kind].length < NAMED_KEYS) keys[kind].push(key);
  }
  return { ...counts, keys };
}
