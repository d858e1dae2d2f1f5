/** Rows of the source, as one snapshot shows them, into the staging table. */
import type { Readable } from 'node:stream';
import type pg from 'pg';
import { z } from 'zod';
import { IncrepError } from '../errors.ts';
import type { Loader } from '../events.ts';
import { copyBetween, copyInto, type Copied } from '../postgres/copy-pipe.ts';
import { programName } from '../postgres/connect.ts';
import { LOCK_TIMEOUT_SECONDS } from '../postgres/database.ts';
import { wantsMore } from '../postgres/driver.ts';
import { withDump } from '../postgres/dump.ts';
import { copyFormatFor } from '../schema/copy-format.ts';
import { printName } from '../schema/names.ts';
import { canLock, type Relation } from '../schema/relations.ts';
import { copyIn, copyOut, type CopyFormat } from '../sql/copy.ts';
import { shapeStamp } from '../sql/catalog.ts';
import { startupOptions } from '../sql/session.ts';
import { hasRows, lockShape, selectWindow, type Window } from '../sql/window.ts';
import type { TableFacts } from './facts.ts';
import type { IncrementalPlan, LoadPlan } from './plan.ts';
import { ensureShape, mayReadMore } from './shape-in-view.ts';
import type { WindowChoice } from './window-choice.ts';
import type { Work } from './work.ts';

interface Reading {
  readonly work: Work;
  readonly facts: TableFacts;
  readonly plan: IncrementalPlan | LoadPlan;
  readonly destination: pg.ClientBase;
}

/**
 * `prepare` is called where there is something to copy. `afterwards` still sees the same snapshot; work that does not need it belongs after the return, so that the source
 * is let go.
 */
export async function readWindow<T>(
  reading: Reading,
  { questions, choose }: WindowChoice,
  prepare: () => Promise<void>,
  afterwards: (source: pg.ClientBase, copied: Copied, window: Window) => Promise<T>,
): Promise<T> {
  return withTableSnapshot(reading, questions, async (answers, source) => {
    const { window, isQuiet } = await choose(source, answers);
    if (isQuiet) return afterwards(source, { rows: 0, bytes: 0 }, window);
    await prepare();
    return afterwards(source, await copyRows(reading, source, window, false), window);
  });
}

/** The whole table by the planned loader. */
export async function readWhole<T>(
  reading: Reading,
  loader: Loader,
  afterwards: (source: pg.ClientBase, copied: Copied) => Promise<T>,
): Promise<T> {
  return withTableSnapshot(reading, [], async (_, source) => {
    const copied =
      loader === 'pg_dump'
        ? await dumpRows(reading, source)
        : await copyRows(reading, source, undefined, true);
    if (copied.rows === 0) await throwIfFilled(reading, source);
    return afterwards(source, copied);
  });
}

/** Locked against ALTER first, then looked at: from here on the shape is the planned one, or planning starts anew. */
export async function withTableSnapshot<T>(
  { work, facts, plan }: Omit<Reading, 'destination'>,
  questions: readonly string[],
  read: (answers: readonly pg.QueryResult[], source: pg.ClientBase) => Promise<T>,
): Promise<T> {
  const lock = canLock(plan.source) ? [lockShape(facts.sourceName)] : [];
  const first = [...lock, shapeStamp(facts.sourceName), ...questions];
  return work.source.withSnapshot(first, async (source, { answers }) => {
    const [stamp, ...others] = answers.slice(lock.length);
    if (mayReadMore(facts) || !isStamped(plan.source, stamp?.rows[0]))
      await ensureShape(source, facts, plan.shape);
    return read(others, source);
  });
}

const stampRow = z.object({ stamp: z.string() });

/** Where the stamp does not tell, the catalogs are read in full, which takes the server some milliseconds. */
const isStamped = ({ columns, stamp }: Relation, row: unknown): boolean =>
  columns.every(({ base }) => base.isBuiltIn) && stampRow.safeParse(row).data?.stamp === stamp;

async function copyRows(
  { work, facts, plan, destination }: Reading,
  source: pg.ClientBase,
  window: Window | undefined,
  isFresh: boolean,
): Promise<Copied> {
  const columns = plan.source.columns.map(({ name }) => name);
  const { servers } = facts;
  const format = copyFormatFor(plan.source.columns, facts.natives, {
    source: servers.source.version,
    destination: servers.destination.version,
  });
  const copied = await copyBetween(
    {
      client: source,
      place: work.source.place,
      copyOut: copyOut(selectWindow(facts.sourceRows, plan.source.columns, window), format),
    },
    {
      client: destination,
      place: work.destination.place,
      copyIn: copyIn(facts.stagingName, columns, { format, isFresh }),
    },
    flowOf(work, facts, format),
  );
  if (copied.rows !== copied.rowsSent) throw shortCopy(facts, copied.rowsSent, copied.rows);
  return copied;
}

async function dumpRows({ work, facts, plan, destination }: Reading, source: pg.ClientBase): Promise<Copied> {
  const { rows } = await source.query('SELECT pg_export_snapshot() AS snapshot');
  const { snapshot } = z.object({ snapshot: z.string() }).parse(rows[0]);
  const silence = new AbortController();
  let bytes = 0;
  let data: Readable | undefined;
  // The connection of pg_dump is its own, so nobody else would notice that it has gone dead.
  const applicationName = programName(work.settings.pipeline, 'pg_dump');
  using _ = work.source.watchProgram(applicationName, {
    moved: () => bytes,
    isServersTurn: () => data === undefined || wantsMore(data),
    giveUp: (error) => silence.abort(error),
  });
  const signal = AbortSignal.any([silence.signal, ...(work.signal ? [work.signal] : [])]);
  const flow = flowOf(work, facts, 'text');
  const request = {
    connection: work.settings.source,
    table: facts.sourceName,
    snapshot,
    sequences: plan.source.ownedSequences,
    lockTimeoutSeconds: LOCK_TIMEOUT_SECONDS,
    options: startupOptions(facts.servers.source),
    applicationName,
    signal,
  };
  const into = { client: destination, place: work.destination.place };
  const onBytes = (count: number, rowsSoFar: number | undefined) => flow.onBytes((bytes = count), rowsSoFar);
  return await withDump(request, (block) => {
    data = block.rows;
    const command = copyIn(facts.stagingName, block.columns, { format: 'text', isFresh: true });
    return copyInto(data, { ...into, copyIn: command }, { ...flow, onBytes, signal });
  });
}

const flowOf = ({ emit, signal }: Work, { settings }: TableFacts, format: CopyFormat) => ({
  format,
  onBytes: (bytes: number, rows: number | undefined) =>
    void emit({ type: 'rows-copied', table: settings.name, bytes, ...(rows !== undefined && { rows }) }),
  signal,
});

/** A tool that finds nothing to copy and says "done" must not leave an empty table behind. */
async function throwIfFilled({ facts }: Reading, source: pg.ClientBase): Promise<void> {
  const { rows } = await source.query<{ hasRows: boolean }>(hasRows(facts.sourceRows));
  if (rows[0]?.hasRows === true) throw shortCopy(facts, 'some', 0);
}

const shortCopy = ({ sourceName }: TableFacts, sent: number | string, arrived: number): IncrepError =>
  new IncrepError('SHORT_COPY', {
    what: `${printName(sourceName)} has ${sent} rows to copy and ${arrived} arrived`,
    next: 'Nothing was changed. Try initial_load: "copy", and please report this.',
  });
