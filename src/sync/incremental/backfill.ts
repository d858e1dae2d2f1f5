/**
 * Prepares a change of shape in place. It reads the snapshot of the source while nothing at the destination is locked yet.
 * It compares the values of converted columns, because a USING clause at the source may convert them differently than the
 * destination would. It copies the values that the destination table lacks.
 */
import type pg from 'pg';
import type { Copied } from '../../postgres/copy-pipe.ts';
import { copyGroups } from '../facts/copy-groups.ts';
import { codeOf } from '../../postgres/identity.ts';
import { queryUsually } from '../../postgres/user-search-path.ts';
import { IncrepError } from '../../errors.ts';
import type { Evolution } from '../../schema/evolution.ts';
import { keepsDeleted } from '../../schema/deleted-rows.ts';
import { copyFormatFor } from '../../schema/copy-format.ts';
import { fillName, printName } from '../../schema/names.ts';
import { isUniqueBy, type Relation } from '../../schema/relations.ts';
import { isKeyed } from '../../schema/state-record.ts';
import { copyIn, copyOut } from '../../sql/copy.ts';
import { analyze, createTable } from '../../sql/destination.ts';
import { hasDuplicates, selectBackfill } from '../../sql/backfill.ts';
import { isAfter } from '../../sql/window.ts';
import { compareSides } from '../compare/compare-sides.ts';
import { sidesOf } from '../compare/sides.ts';
import type { TableFacts } from '../facts/facts.ts';
import type { RunContext } from '../context/run-context.ts';
import type { EvolutionObstacle } from '../../reasons.ts';
import { columnsText, obstacleText } from '../../report/shape-texts.ts';
import { Replan } from '../plan/replan.ts';
import { enterPhase } from '../context/phases.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';

export interface Evolving {
  readonly context: RunContext;
  readonly facts: TableFacts;
  /** At the source. */
  readonly relation: Relation;
  readonly evolution: Evolution;
  readonly destination: pg.ClientBase;
}

/** Values that wait in a table at the destination, by unique key. */
export interface Fill {
  readonly columns: readonly string[];
  readonly copied: Copied;
}

/** Undefined if the destination table lacks no values. @throws Replan */
export async function readFill(evolving: Evolving, source: pg.ClientBase): Promise<Fill | undefined> {
  const { evolution } = evolving;
  const isOtherwise = evolution.compared.length > 0 && (await isConvertedOtherwise(evolving, source));
  // Rows that are gone from the source have only the value that the server computes.
  if (isOtherwise && evolution.retyped.length > 0 && keepsDeleted(evolving.facts.settings))
    throw notInPlace({
      code: 'converted-otherwise',
      columns: evolution.retyped.map(({ name }) => name),
    });
  const columns = [...evolution.filled, ...(isOtherwise ? evolution.compared : [])];
  return columns.length === 0 ? undefined : { columns, copied: await copyFill(evolving, source, columns) };
}

/**
 * Rows with a key above the cursor are read whole by the window, so they are not compared. The rest of the window is compared.
 * If the window holds all rows and USING changed the unique key, its rows would otherwise look like new rows.
 */
async function isConvertedOtherwise(
  { context, facts, relation, evolution, destination }: Evolving,
  source: pg.ClientBase,
): Promise<boolean> {
  const { compared, retyped } = evolution;
  const { mergeKey, replicationKey } = facts.settings;
  await enterPhase(context, facts, 'copy', { detail: `comparing ${columnsText(compared)}` });
  const sides = sidesOf(facts, {
    relation,
    what: 'rows',
    where: 'true',
    isPending: isNewer(facts),
    destination: facts.destinationName,
  });
  const casts = new Map(retyped.map(({ name, to }) => [name, to]));
  const { differences } = await compareSides(
    { database: context.source, client: source, rows: { ...sides.source, columns: compared } },
    { client: destination, rows: { ...sides.destination, columns: compared, casts } },
  );
  const isKeyCompared = mergeKey.some((name) => compared.includes(name));
  for await (const difference of differences) {
    const { kind } = difference;
    if (kind === 'duplicated') throw notInPlace(notUnique(facts, difference.side));
    if (isKeyCompared && kind === 'missing')
      throw notInPlace({ code: 'key-values-changed', columns: mergeKey });
    if (kind !== 'changed') continue;
    if (replicationKey !== undefined && compared.includes(replicationKey))
      throw notInPlace({ code: 'replication-key-values-changed', column: replicationKey });
    // One difference is enough. Closing the cursors ends the comparison on both sides.
    await Promise.all([source.query('CLOSE ALL'), destination.query('CLOSE ALL')]);
    return true;
  }
  return false;
}

/** For --verify: compares the values that were copied apart from the window. @throws IncrepError VERIFY_FAILED */
export async function verifyFilled(
  { context, facts, relation, destination }: Evolving,
  source: pg.ClientBase,
  { columns }: Fill,
): Promise<void> {
  const sides = sidesOf(facts, {
    relation,
    what: 'rows',
    where: 'true',
    isPending: 'false',
    destination: facts.destinationName,
  });
  const { differences } = await compareSides(
    { database: context.source, client: source, rows: { ...sides.source, columns } },
    { client: destination, rows: { ...sides.destination, columns } },
  );
  for await (const { kind, key } of differences) {
    if (kind !== 'changed') continue;
    throw new IncrepError('VERIFY_FAILED', {
      what: `the row ${key} of ${printName(facts.sourceName)} differs from the source after it was copied (${columnsText(columns)})`,
      next: `Nothing was committed. If a trigger or rule of ${printName(facts.destinationName)} at the destination changes rows, drop it. Otherwise, please report this with the types of the table's columns.`,
    });
  }
}

const isNewer = ({ saved }: TableFacts): string =>
  saved.kind === 'record' && isKeyed(saved.record) && saved.record.cursor !== null
    ? isAfter(saved.record.replicationKey, saved.record.keyType, saved.record.cursor)
    : 'false';

async function copyFill(
  { context, facts, relation, evolution, destination }: Evolving,
  source: pg.ClientBase,
  filled: readonly string[],
): Promise<Copied> {
  const { settings, natives, servers, sourceRows } = facts;
  await enterPhase(context, facts, 'copy', { detail: columnsText(filled) });
  const wanted = new Set([...settings.mergeKey, ...filled]);
  const columns = relation.columns.filter(({ name }) => wanted.has(name));
  const table = fillTable(facts);
  await makeFillTable(destination, createTable(table, columns, natives, false), facts);
  const format = copyFormatFor(columns, natives, {
    source: servers.source.version,
    destination: servers.destination.version,
  });
  const isUnique = isUniqueBy(relation, settings.mergeKey);
  // A new column is NULL already, so its NULL values need not be copied. In an existing column, NULL may replace a value.
  const isNew = filled.every((name) => evolution.added.some((column) => column.name === name));
  const names = columns.map(({ name }) => name);
  const copied = await copyGroups(
    { database: context.source, holder: source },
    {
      rows: sourceRows,
      copyOut: (rows) => copyOut(selectBackfill(rows, columns, isNew && isUnique ? filled : []), format),
    },
    {
      client: destination,
      endpoint: context.destination.endpoint,
      copyIn: copyIn(table, names, { format, isFresh: false }),
    },
    {
      format,
      onBytes: (bytes, rows) =>
        void context.emit({
          type: 'rows-copied',
          table: settings.name,
          bytes,
          ...(rows !== undefined && { rows }),
        }),
      signal: context.signal,
    },
  );
  if (copied.rows !== copied.rowsSent)
    throw new IncrepError('ROW_COUNT_MISMATCH', {
      what: `${printName(facts.sourceName)} has ${copied.rowsSent} values of ${columnsText(filled)} to copy, but ${copied.rows} arrived`,
      next: 'Nothing was changed. Set "on_schema_change": "reset" to load the table again, and please report this.',
    });
  if (!isUnique) await throwIfDuplicated(destination, facts);
  await destination.query(analyze(table));
  return copied;
}

export const fillTable = ({ destinationName: { schema, table } }: TableFacts) => ({
  schema,
  table: fillName(table),
});

async function makeFillTable(destination: pg.ClientBase, create: string, facts: TableFacts): Promise<void> {
  try {
    await destination.query(create);
  } catch (error) {
    if (codeOf(error) !== SQLSTATE.duplicateTable) throw error;
    throw new IncrepError('STAGING_NAME_CONFLICT', {
      what: `${printName(fillTable(facts))} at the destination was not created by increp, which needs this name to alter "${facts.settings.name}" in place`,
      next: 'Rename or drop that table, then run increp again.',
      cause: error,
    });
  }
}

/** With several rows for a key, increp could not know which of them the destination table has. */
async function throwIfDuplicated(destination: pg.ClientBase, facts: TableFacts): Promise<void> {
  const { rows } = await queryUsually<{ hasDuplicates: boolean }>(
    destination,
    hasDuplicates(fillTable(facts), facts.settings.mergeKey),
  );
  if (rows[0]?.hasDuplicates === true) throw notInPlace(notUnique(facts, 'source'));
}

const notUnique = (
  { settings: { mergeKey } }: TableFacts,
  side: 'source' | 'destination',
): EvolutionObstacle => ({ code: 'key-not-unique', columns: mergeKey, side });

const notInPlace = (obstacle: EvolutionObstacle): Replan =>
  new Replan(new IncrepError('SCHEMA_CHANGED', { what: obstacleText(obstacle), next: 'Run increp again.' }), {
    notInPlace: obstacle,
  });
