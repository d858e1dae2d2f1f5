/** Describes the tables of both sides in batches, on the connection of a run or, for several batches at once, on a second one. */
import type { TableSettings } from '../../config/settings.ts';
import { attempt } from '../../errors.ts';
import { batchesOf } from '../../postgres/batches.ts';
import { completeTables, relationNames, schemasQuestion, tablesQuestion } from '../../postgres/catalog.ts';
import type { ServerIdentity } from '../../postgres/identity.ts';
import type { PipelinedReading } from '../../postgres/pipelined-reading.ts';
import { askAll } from '../../postgres/catalog-question.ts';
import { tableKey } from '../../schema/names.ts';
import { hasSql } from '../../schema/selection.ts';
import type { RunContext } from '../context/run-context.ts';
import { describeDestination } from './describe-destination.ts';
import { describeSources } from './source-selection.ts';
import { tableNames, type TableNames } from './table-names.ts';

type DescribingContext = Pick<RunContext, 'settings' | 'source' | 'destination'>;

export interface ChosenEntry {
  readonly settings: TableSettings;
  readonly names: TableNames;
}

export const namedTables = (context: DescribingContext, tables: readonly TableSettings[]): ChosenEntry[] =>
  tables.map((settings) => ({ settings, names: tableNames(context, settings) }));

export type Sides = readonly [
  Awaited<ReturnType<typeof describeSource>>,
  Awaited<ReturnType<typeof describeDestination>>,
];

/** `reading` borrows a connection of each side, for one batch at a time or for several. */
export async function describeSides(
  { settings, source, destination }: DescribingContext,
  tables: readonly ChosenEntry[],
  reading: { readonly source: PipelinedReading; readonly destination: PipelinedReading },
): Promise<Sides> {
  const destinationTables = tables.map(({ settings: table, names }) => ({
    ...names,
    settings: table,
    windowName: table.chunk ? names.windowName : undefined,
  }));
  const servers = await Promise.all([source.identity(), destination.identity()]);
  const sides = [
    describeSource(servers[0], { tables, configured: settings.tables }, reading.source),
    describeDestination(
      { server: servers[1], settings: destination.settings, read: reading.destination },
      destinationTables,
      settings.pipeline,
    ),
  ] as const;
  // A batch is repeated if one side fails, and then the other side must be idle.
  await Promise.allSettled(sides);
  return Promise.all(sides);
}

/** By the first table of a batch. */
export type EarlySides = Map<TableSettings | undefined, { readonly count: number; readonly sides: Sides }>;

/**
 * Describes several batches at the same time, on connections that nothing else uses meanwhile. It leaves out batches with SQL in their settings, which need a transaction of
 * several statements, and batches that a server refuses: they are described one by one.
 */
export async function describeEarly(
  context: DescribingContext,
  tables: readonly TableSettings[],
): Promise<EarlySides> {
  const early: EarlySides = new Map();
  const batches = [...batchesOf(tables)].filter((batch) => !batch.some(({ selection }) => hasSql(selection)));
  if (batches.length < 2) return early;
  const [source, destination] = await Promise.all([
    context.source.batches.pipelined(),
    context.destination.batches.pipelined(),
  ]);
  if (!source || !destination) return early;
  const work = batches.map(async (batch) => {
    const described = await attempt(() =>
      describeSides(context, namedTables(context, batch), { source, destination }),
    );
    if (described.kind === 'done') early.set(batch[0], { count: batch.length, sides: described.value });
  });
  await Promise.all(work);
  return early;
}

interface DescribedTables {
  readonly tables: readonly ChosenEntry[];
  /** All tables of the pipeline, also those that this run was not asked for. */
  readonly configured: readonly TableSettings[];
}

/** Reads the catalog entries of the source tables and of their schemas. */
async function describeSource(
  server: ServerIdentity,
  { tables, configured }: DescribedTables,
  read: PipelinedReading,
) {
  const schemas = [...new Set(tables.map(({ names }) => names.sourceName.schema))];
  return read(async (client) => {
    // A query may have the name of an unrelated table.
    const wanted = tables
      .filter(({ settings }) => settings.selection.query === null)
      .map(({ names }) => names.sourceName);
    const [accessOf, found] = await askAll(client, [schemasQuestion(schemas), tablesQuestion(wanted)]);
    const relations = await completeTables(client, wanted, found);
    const lacking = wanted.filter((table) => !relations.has(tableKey(table))).map(({ schema }) => schema);
    const names = lacking.length === 0 ? [] : await relationNames(client, [...new Set(lacking)]);
    const namesIn = (schema: string) =>
      names.filter((name) => name.schema === schema).map(({ table }) => table);
    const there = new Set(names.map(tableKey));
    const tablesOfPipeline = configured.filter(({ selection }) => selection.query === null);
    const lacksAll =
      tablesOfPipeline.length > 1 &&
      tablesOfPipeline.every(
        ({ source: name }) => lacking.includes(name.schema) && !there.has(tableKey(name)),
      );
    const selectables = tables.map(({ settings, names: { sourceName } }) => ({
      settings,
      name: sourceName,
      table: settings.selection.query === null ? relations.get(tableKey(sourceName)) : undefined,
    }));
    const described = await describeSources(client, selectables, true);
    const selected = new Map(described.map((each, index) => [tables[index]?.settings, each]));
    return { server, accessOf, relations, selected, namesIn, lacksAll };
  });
}
