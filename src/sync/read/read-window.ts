/** Copies rows of the source, in one snapshot, into the staging table. */
import type pg from 'pg';
import * as z from 'zod';
import { IncrepError } from '../../errors.ts';
import type { Loader } from '../../events.ts';
import { copyInto, type Copied } from '../../postgres/copy-pipe.ts';
import { ask } from '../../postgres/user-search-path.ts';
import { copyFormatFor } from '../../schema/copy-format.ts';
import { printName } from '../../schema/names.ts';
import { canLock, type Relation } from '../../schema/relations.ts';
import { copyIn, copyOut, type CopyFormat } from '../../sql/copy.ts';
import { fromItem, onRows, type RowSource } from '../../sql/row-source.ts';
import { shapeStamp } from '../../sql/catalog.ts';
import type { Statement } from '../../sql/search-path.ts';
import { lockOnly } from '../../sql/partitions.ts';
import { serverInstance } from '../../sql/session.ts';
import { hasRows, lockShape, selectWindow, type Window } from '../../sql/window.ts';
import type { CopyFacts } from '../facts/facts.ts';
import type { IncrementalPlan, LoadPlan } from '../plan/plan.ts';
import { copyGroups, type CopiedRows } from '../facts/copy-groups.ts';
import { readGroups } from '../facts/partition-groups.ts';
import { ensureShape, mayReadMore } from './shape-check.ts';
import { receiveCopy, receiveDump } from './fan-out-rows.ts';
import { ensureSameServer, instanceOf } from '../facts/server-instance.ts';
import { withTableDump } from './table-dump.ts';
import { withView, type SourceView } from './table-snapshot.ts';
import type { WindowChoice } from '../fence/window-choice.ts';
import type { RunContext } from '../context/run-context.ts';

interface WindowReading {
  readonly context: RunContext;
  readonly facts: CopyFacts;
  readonly plan: IncrementalPlan | LoadPlan;
  readonly destination: pg.ClientBase;
  /** Whether both sides are compared in the snapshot. That takes long, so it needs a separate session. */
  readonly isCompared?: boolean;
}

interface BeforeCopy {
  /** Prepares the destination, while the source opens its snapshot. */
  readonly prepare: () => Promise<void>;
  /** Called if there are rows to copy. */
  readonly onCopy: () => Promise<void>;
}

/**
 * Reads a window. `afterwards` runs in the same snapshot. Work that does not need the snapshot belongs after the return, so
 * that the transaction at the source ends early.
 */
export async function readWindow<T>(
  reading: WindowReading & Partial<BeforeCopy>,
  { basis, questions, choose }: WindowChoice,
  afterwards: (source: pg.ClientBase, copied: Copied, window: Window) => Promise<T>,
): Promise<T> {
  const { prepare, onCopy } = reading;
  const prepared = prepare?.() ?? Promise.resolve();
  // It is awaited in the snapshot. Until then, the error has no other handler.
  prepared.catch(() => undefined);
  try {
    return await withTableSnapshot(reading, basis, questions, async (view, answers) => {
      const { window, isQuiet } = await view.query((source) => choose(source, answers));
      if (!isQuiet) await onCopy?.();
      await prepared;
      const copied = isQuiet ? { rows: 0, bytes: 0 } : await copyRows(reading, view, window, false);
      return view.afterCopy((source) => afterwards(source, copied, window));
    });
  } catch (error) {
    // The destination must be idle before its transaction ends.
    await prepared.catch(() => undefined);
    throw error;
  }
}

/** Reads the whole table with the planned loader. */
export async function readWhole<T>(
  reading: WindowReading,
  loader: Loader,
  afterwards: (source: pg.ClientBase, copied: Copied) => Promise<T>,
): Promise<T> {
  return withTableSnapshot(reading, loader, [], async (view) => {
    const copied =
      loader === 'pg_dump' ? await dumpRows(reading, view) : await copyRows(reading, view, undefined, true);
    if (copied.rows === 0) await view.query((source) => throwIfFilled(reading, source));
    return view.afterCopy((source) => afterwards(source, copied));
  });
}

/**
 * Opens a snapshot in which the table has its planned shape. It locks the table against ALTER first and then compares the
 * shape. If the shape changed, the error makes increp plan the table again.
 */
export async function withTableSnapshot<T>(
  reading: Omit<WindowReading, 'destination'>,
  basis: string | undefined,
  questions: readonly Statement[],
  read: (view: SourceView, answers: readonly pg.QueryResult[]) => Promise<T>,
): Promise<T> {
  const { context, facts, plan, isCompared = false } = reading;
  const { inGroups } = facts.sourceRows;
  const lock = canLock(plan.source) ? [(inGroups ? lockOnly : lockShape)(facts.sourceName)] : [];
  const first = [...lock, serverInstance(facts.servers.source), shapeStamp(facts.sourceName), ...questions];
  const selectionKey =
    basis === undefined || !context.group || inGroups
      ? undefined
      : JSON.stringify([basis, first, fromItem(facts.sourceRows), rowsAs(reading)]);
  return withView(context, { selectionKey, first, isCompared }, async (view, answers) => {
    const [instance, stamp, ...others] = answers.slice(lock.length);
    ensureSameServer(instanceOf(facts), instance?.rows[0]);
    if (mayReadMore(facts) || !isStamped(plan.source, stamp?.rows[0]))
      await view.query((source) => ensureShape(source, facts, plan));
    return read(view, others);
  });
}

/** The columns and the format in which the rows are copied. */
const rowsAs = ({ facts: { servers, natives }, plan }: Pick<WindowReading, 'facts' | 'plan'>) => ({
  columns: plan.source.columns.map(({ name }) => name),
  format: copyFormatFor(plan.source.columns, natives, {
    source: servers.source.version,
    destination: servers.destination.version,
  }),
});

const stampRow = z.object({ stamp: z.string() });

/** The stamp covers built-in types only. For other types the catalogs are read in full, which takes some milliseconds. */
const isStamped = ({ columns, stamp }: Relation, row: unknown): boolean =>
  columns.every(({ base }) => base.isBuiltIn) && stampRow.safeParse(row).data?.stamp === stamp;

async function copyRows(
  reading: WindowReading,
  view: SourceView,
  window: Window | undefined,
  isFresh: boolean,
): Promise<Copied> {
  const { context, facts, plan, destination } = reading;
  const { columns, format } = rowsAs(reading);
  const wanted = {
    rows: facts.sourceRows,
    copyOut: (rows: RowSource) => copyOut(selectWindow(rows, plan.source.columns, window), format),
  };
  const into = {
    client: destination,
    endpoint: context.destination.endpoint,
    copyIn: copyIn(facts.stagingName, columns, { format, isFresh }),
  };
  const copied = await copyFrom(context, view, wanted, into, flowOf(context, facts, format));
  if (copied.rows !== copied.rowsSent) throw shortCopy(facts, copied.rowsSent, copied.rows);
  return copied;
}

async function copyFrom(
  context: RunContext,
  { from }: SourceView,
  wanted: CopiedRows,
  into: Parameters<typeof copyInto>[1],
  flow: Parameters<typeof copyInto>[2],
): Promise<Copied & { readonly rowsSent: number }> {
  if ('own' in from) return copyGroups({ database: context.source, holder: from.own }, wanted, into, flow);
  const { data, sent } = await receiveCopy(
    context,
    from.shared,
    onRows(wanted.rows, wanted.copyOut(wanted.rows)),
  );
  const copied = await copyInto(data, into, flow);
  return { ...copied, rowsSent: await sent.rows };
}

async function dumpRows(reading: WindowReading, view: SourceView): Promise<Copied> {
  const { context, facts, destination } = reading;
  const { from } = view;
  const flow = flowOf(context, facts, 'text');
  const into = (columns: readonly string[]) => ({
    client: destination,
    endpoint: context.destination.endpoint,
    copyIn: copyIn(facts.stagingName, columns, { format: 'text', isFresh: true }),
  });
  if ('shared' in from) {
    const { data, columns, verdict } = await receiveDump(reading, from.shared);
    // If the destination refuses a row, copyInto rejects with that error first. pg_dump then fails only because its reader is gone.
    const copied = await copyInto(data, into(columns), flow);
    await verdict;
    return copied;
  }
  try {
    return await withTableDump({ ...reading, source: from.own }, (block, { moved, signal }) => {
      const onBytes = (bytes: number, rows: number | undefined) => {
        moved(bytes);
        flow.onBytes(bytes, rows);
      };
      return copyInto(block.rows, into(block.columns), { ...flow, onBytes, signal });
    });
  } catch (error) {
    if (!(error instanceof IncrepError) || error.code !== 'SERVER_CHANGED') throw error;
    // pg_dump asks for the snapshot before it reads rows, so the staging table is still empty.
    await context.emit({
      type: 'warning',
      table: facts.settings.name,
      message:
        'the address of the source leads to several servers, and pg_dump reached another server than increp; the table is loaded by COPY, with the same result',
    });
    return copyRows(reading, view, undefined, true);
  }
}

const flowOf = ({ emit, signal }: RunContext, { settings }: CopyFacts, format: CopyFormat) => ({
  format,
  onBytes: (bytes: number, rows: number | undefined) =>
    void emit({ type: 'rows-copied', table: settings.name, bytes, ...(rows !== undefined && { rows }) }),
  signal,
});

/** A loader that copies no rows and reports success must not result in an empty table. */
async function throwIfFilled({ context, facts }: WindowReading, source: pg.ClientBase): Promise<void> {
  const asked = readGroups({ database: context.source, holder: source }, facts.sourceRows, (client, rows) =>
    ask<{ hasRows: boolean }>(client, hasRows(rows)),
  );
  for await (const { rows } of asked) if (rows[0]?.hasRows === true) throw shortCopy(facts, 'some', 0);
}

const shortCopy = ({ sourceName }: CopyFacts, sent: number | string, arrived: number): IncrepError =>
  new IncrepError('ROW_COUNT_MISMATCH', {
    what: `${printName(sourceName)} has ${sent} rows to copy, but ${arrived} arrived`,
    next: 'Nothing was changed. Set "initial_load": "copy", and please report this.',
  });
