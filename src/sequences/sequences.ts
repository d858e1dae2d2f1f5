/** `increp sequences`: the destination gives out numbers from where the source stopped. */
import type pg from 'pg';
import * as z from 'zod';
import type { TableSettings } from '../config/settings.ts';
import { asIncrepError, attempt, done, IncrepError, type Attempted } from '../errors.ts';
import { ask, queryUsually } from '../postgres/user-search-path.ts';
import { printName, tableKey, type TableName } from '../schema/names.ts';
import { valueBeyond } from '../schema/sequence-value.ts';
import { qualified } from '../sql/identifiers.ts';
import { onTables } from '../sql/search-path.ts';
import {
  addIdentity,
  commentOnSequence,
  createSequence,
  drawFrom,
  extremesOf,
  ownSequence,
  RELATION_CALLED,
  setSequence,
} from '../sql/sequences.ts';
import type { Gathering } from '../sync/facts/facts.ts';
import { tableNames } from '../sync/facts/table-names.ts';
import { withHolders } from '../sync/lock/lock-holders.ts';
import { copyMark, readMark } from '../sync/objects/mark.ts';
import { findTablesToLeave, type LastFailures } from './tables-to-leave.ts';
import { withMissingRights } from './missing-rights.ts';
import type { DrawnSequence } from './drawn-sequences.ts';
import { readColumns, type DrawnColumn } from './drawn-columns.ts';
import { findFreeSequences, type FreeSequence } from './free-sequences.ts';

/** One column of a destination table, or a table whose sequences could not be read. */
export interface SequenceResult {
  readonly table: string;
  /** Null if the sequences of the table could not be read. */
  readonly column: string | null;
  /** At the destination; as it would be called, if it is missing. */
  readonly sequence: TableName | null;
  readonly isCreated: boolean;
  /** `missing`: the settings do not ask for it. `unchanged`: it is far enough. */
  readonly kind: 'set' | 'unchanged' | 'missing' | 'failed';
  readonly from: string | null;
  readonly to: string | null;
  /**
   * The sequence of the source, if the role may not read it. Then only the rows show how far the source has come. Rows that
   * were deleted there had later values.
   */
  readonly unread: UnreadSequence | undefined;
  /** Create the sequence that is `missing`, at the destination. */
  readonly statements: readonly string[];
  readonly error: IncrepError | undefined;
}

interface UnreadSequence {
  readonly name: TableName;
  readonly role: string;
}

interface SequenceRequest {
  /** Says what would be done, and does nothing. */
  readonly isDryRun: boolean;
  readonly lastFailures: LastFailures;
  /** Whether the tables are all tables of the pipeline. */
  readonly isWhole: boolean;
}

interface SequenceReport {
  readonly results: readonly SequenceResult[];
  /** Sequences that no copied column draws from, and that are missing or behind at the destination. */
  readonly free: Attempted<readonly FreeSequence[]>;
}

export async function setSequences(
  context: Gathering,
  tables: readonly TableSettings[],
  { isDryRun, lastFailures, isWhole }: SequenceRequest,
): Promise<SequenceReport> {
  const enabled = tables.filter(({ isEnabled, selection }) => isEnabled && selection.query === null);
  const { foreign, unsynced, unknown } = await findTablesToLeave(context, enabled, lastFailures);
  const readable = enabled.filter(({ name }) => !unknown.has(name));
  const { here, drawn, unread } = await readColumns(context, readable);
  const failures = new Map([...unknown, ...unread]);
  // Without a sequence at the source, nothing is left out.
  const [refused] = [...foreign].flatMap(([name, error]) => (unsynced.has(name) ? [] : [error]));
  if (drawn.length === 0 && failures.size === 0 && refused) throw refused;
  const work: SequenceWork = { context, drawn, isDryRun, locked: new Map() };
  const columnsOfTable = Map.groupBy(drawn, ({ settings }) => settings.name);
  const results: SequenceResult[] = [];
  for (const { name } of enabled) {
    const failure = failures.get(name);
    if (failure) results.push(unreadTable(name, failure));
    const refusal = foreign.get(name);
    for (const column of columnsOfTable.get(name) ?? [])
      results.push(refusal ? failedColumn(column, refusal) : await settle(work, column));
  }
  const read = readable.filter(({ name }) => !unread.has(name));
  return {
    results,
    free: isWhole ? await attempt(() => findFreeSequences(context, read, { here })) : done([]),
  };
}

interface SequenceWork {
  readonly context: Gathering;
  /** The columns of all tables. */
  readonly drawn: readonly DrawnColumn[];
  readonly isDryRun: boolean;
  /** By the name of the table: the LOCK_TIMEOUT of a table, so that increp waits for its lock once. */
  readonly locked: Map<string, IncrepError>;
}

const headOf = ({ settings, column, sequence, here, there }: DrawnColumn) => ({
  ...{ table: settings.name, column, sequence, from: there?.last ?? null },
  unread: here?.canRead === false ? { name: here.name, role: here.role } : undefined,
  statements: [],
});

const failedColumn = (column: DrawnColumn, error: IncrepError): SequenceResult => ({
  ...headOf(column),
  ...{ isCreated: false, kind: 'failed', to: null, error },
});

const unreadTable = (table: string, error: IncrepError): SequenceResult => ({
  ...{ table, column: null, sequence: null, isCreated: false },
  ...{ kind: 'failed', from: null, to: null, unread: undefined, statements: [], error },
});

/** Several columns may draw from one sequence, so the rows of all of them count. */
async function settle(work: SequenceWork, drawn: DrawnColumn): Promise<SequenceResult> {
  const { context, isDryRun } = work;
  const { settings, here, there, sequence } = drawn;
  const head = headOf(drawn);
  const shape = there ?? here;
  if (!shape) throw new Error('a column without a sequence');
  if (!there && here && settings.constraints !== 'copy')
    return {
      ...{ ...head, statements: creation(drawn, here) },
      ...{ isCreated: false, kind: 'missing', to: null, error: undefined },
    };
  const sharing = work.drawn.filter((each) => tableKey(each.sequence) === tableKey(sequence));
  try {
    const used = await usedValues(work, sharing, shape);
    const current = there?.last ?? null;
    const next = valueBeyond(shape, current, used);
    if (next && !next.isInRange) throw beyondRange(sequence, next.value);
    const to = next?.value ?? null;
    if (!isDryRun && (!there || to !== null))
      await waitingOnce(work, settings, () =>
        context.destination.withWriting([], async (client) => {
          if (!there && here) await create(client, context.settings.pipeline, drawn, here);
          if (to !== null) await client.query(setSequence(sequence, to));
        }),
      );
    return {
      ...head,
      isCreated: !there,
      kind: to === null && there ? 'unchanged' : 'set',
      to,
      error: undefined,
    };
  } catch (thrown) {
    const error = await withMissingRights(
      context.destination,
      {
        columns: sharing.map((each) => ({ table: each.destinationName, column: each.column })),
        sequence,
        createdFor: there ? undefined : drawn.destinationName,
      },
      asIncrepError(thrown),
    );
    if (error.code === 'INTERNAL') throw thrown;
    return failedColumn(drawn, error);
  }
}

const extremesRow = z.object({ min: z.string().nullable(), max: z.string().nullable() });

/** The values of rows, and the last value at the source. After a cycle, rows say nothing. */
async function usedValues(
  work: SequenceWork,
  sharing: readonly DrawnColumn[],
  { increment, isCycling }: DrawnSequence,
): Promise<readonly string[]> {
  const lasts = sharing.flatMap(({ here }) => here?.last ?? []);
  if (isCycling && lasts.length > 0) return lasts;
  const isDown = increment.startsWith('-');
  const values = [...lasts];
  for (const each of sharing) {
    const { min, max } = await extremesIn(work, each);
    const value = isDown ? min : max;
    // Not a whole number: the values do not come from the sequence.
    if (value !== null && /^-?\d+$/.test(value)) values.push(value);
  }
  return values;
}

/** A lock on this table is not always on the table whose column is set: tables may share a sequence. */
async function extremesIn(
  work: SequenceWork,
  { settings, destinationName, column }: DrawnColumn,
): Promise<z.infer<typeof extremesRow>> {
  const statement = onTables(extremesOf(destinationName, column));
  const { rows } = await waitingOnce(work, settings, () =>
    work.context.destination.withReading((client) => ask(client, statement)),
  );
  return extremesRow.parse(rows[0]);
}

/** Names the sessions that hold a lock on the table. Only the first work on it waits for the lock. */
async function waitingOnce<T>(
  { context, locked }: SequenceWork,
  settings: TableSettings,
  work: () => Promise<T>,
): Promise<T> {
  const known = locked.get(settings.name);
  if (known) throw known;
  try {
    return await work();
  } catch (thrown) {
    const error = await withHolders(context, tableNames(context, settings), asIncrepError(thrown));
    if (error.code === 'LOCK_TIMEOUT') locked.set(settings.name, error);
    throw error;
  }
}

const relationRow = z.object({ kind: z.string(), comment: z.string().nullable() });

/** The statements for a sequence that does not exist yet. */
function creation(
  { destinationName, column, sequence }: DrawnColumn,
  here: DrawnSequence,
): readonly string[] {
  const { identity } = here;
  if (identity !== '') return [addIdentity(destinationName, column, { ...here, name: sequence, identity })];
  return [
    createSequence(sequence, here),
    drawFrom(destinationName, column, sequence),
    ...(here.isOwned ? [ownSequence(sequence, destinationName, column)] : []),
  ];
}

async function create(
  client: pg.ClientBase,
  pipeline: string,
  drawn: DrawnColumn,
  here: DrawnSequence,
): Promise<void> {
  const { destinationName, column, sequence } = drawn;
  const [first = '', ...others] = creation(drawn, here);
  if (here.identity !== '') {
    await queryUsually(client, first);
    return;
  }
  const { rows } = await client.query(RELATION_CALLED, [sequence.schema, sequence.table]);
  const taken = relationRow.optional().parse(rows[0]);
  // Another table of the pipeline may draw from it, too.
  if (taken && readMark(taken.comment)?.name !== here.name.table)
    throw new IncrepError('QUERY_FAILED', {
      what: `the destination has another relation ${printName(sequence)}, so increp cannot create the sequence of "${column}"`,
      next: `Rename that relation. Or use it: ${drawFrom(destinationName, column, sequence)}`,
    });
  if (!taken) {
    await queryUsually(client, first);
    const mark = copyMark({ pipeline, name: here.name.table, hash: '' });
    await queryUsually(client, commentOnSequence(sequence, mark));
  }
  for (const statement of others) await queryUsually(client, statement);
}

const beyondRange = (sequence: TableName, value: string): IncrepError =>
  new IncrepError('QUERY_FAILED', {
    what: `the values reach ${value}, which is outside the range of the sequence ${printName(sequence)}`,
    next: `Change its range at the destination: ALTER SEQUENCE ${qualified(sequence)} AS bigint NO MINVALUE NO MAXVALUE. Then run this command again.`,
  });
