/** Gathers everything that planning needs, in a few queries for each batch of tables. It only reads. */
import { dirname } from 'node:path';
import type { TableSettings } from '../../config/settings.ts';
import { destinationOf } from '../../config/tables/table-mapping.ts';
import { attempt, done, type Attempted, type IncrepError } from '../../errors.ts';
import { onceOnly } from '../../once-only.ts';
import { accessCommand, isStateOfRoot } from '../../ownership.ts';
import { inBatches } from '../../postgres/batches.ts';
import { findsDeleted } from '../../schema/deleted-rows.ts';
import { tableKey } from '../../schema/names.ts';
import type { Relation } from '../../schema/relations.ts';
import type { StateFile } from '../../state/state-files.ts';
import { writerHere } from '../../state/state-directory.ts';
import { fileFault, hasCode } from '../../system-fault.ts';
import type { RunContext } from '../context/run-context.ts';
import type { DestinationSchema } from './describe-destination.ts';
import { describeEarly, describeSides, namedTables, type EarlySides } from './describe-sides.ts';
import { findElsewhere, isElsewhere } from './elsewhere.ts';
import {
  isKnown,
  isUnknown,
  type Facts,
  type Gathering,
  type Servers,
  type TableFacts,
  type TableFailure,
} from './facts.ts';
import { gatherMergeFaults } from './merge-expressions.ts';
import { everyStateFile } from './every-state-file.ts';
import { findFormer, withFormer } from './former-tables.ts';
import { findRenamed } from './renamed-tables.ts';
import { reconcile, swappedByFile, swappedSides, type SavedState } from './saved-state.ts';
import { renamesOfQuery } from './source-renames.ts';
import { findSourceChanges } from './source-changes.ts';
import type { SelectedSource } from './source-selection.ts';
import { findSwapSign, isFirstSync } from './swap-signs.ts';
import { areSidesSwapped } from './swapped-sides.ts';
import { countUnclaimed, isUnclaimed } from './unclaimed.ts';
import { gatherNativeTypes, homesOf } from './user-types.ts';

/**
 * Uses a few queries for each batch of tables. A table that makes a query fail does not affect the other tables.
 * `describing` may have begun while the caller did something else.
 */
export async function gatherFacts(
  context: Gathering,
  tables: readonly TableSettings[],
  describing = describeEarly(context, tables),
): Promise<Facts> {
  const schemas = new Map<string, DestinationSchema>();
  const early = await describing;
  const findProof = onceOnly(() => swappedInAnyFile(context));
  const gathered = await inBatches(tables, async (batch) => {
    const together = await gatherTogether(context, batch, { early, findProof });
    for (const [name, schema] of together.schemas) schemas.set(name, schema);
    return together.tables;
  });
  const all = await withSwapSign(
    context,
    tables.flatMap((settings, index): (TableFacts | TableFailure)[] => {
      const result = gathered[index];
      if (!result) return [];
      return [result.kind === 'done' ? result.value : { settings, error: result.error }];
    }),
  );
  const placed = await withElsewhere(context, all);
  return {
    servers: await serversOf(context),
    schemas,
    tables: placed.filter(isKnown),
    failures: placed.filter(isUnknown),
  };
}

/** Both connections are opened at the same time. If both fail, the error is that of the source. */
export async function serversOf({
  source,
  destination,
}: Pick<RunContext, 'source' | 'destination'>): Promise<Servers> {
  const identities = [source.identity(), destination.identity()] as const;
  // A connection is used by one caller at a time, so both must be done before an error is thrown.
  await Promise.allSettled(identities);
  return { source: await identities[0], destination: await identities[1] };
}

interface GatheredBatch {
  readonly schemas: Facts['schemas'];
  /** One for each table, in their order. */
  readonly tables: readonly (TableFacts | TableFailure)[];
}

async function gatherTogether(
  context: Gathering,
  tables: readonly TableSettings[],
  { early, findProof }: { readonly early: EarlySides; readonly findProof: FindProof },
): Promise<GatheredBatch> {
  const named = namedTables(context, tables);
  const known = early.get(tables[0]);
  early.delete(tables[0]);
  const [source, destination] =
    known?.count === tables.length
      ? known.sides
      : await describeSides(context, named, {
          source: (read) => context.source.withReading(read),
          destination: (read) => context.destination.withReading(read),
        });
  const servers = { source: source.server, destination: destination.server };
  const nativesOf = await gatherNativeTypes(
    context,
    named.flatMap(({ settings, names }) =>
      settings.types === 'native'
        ? [{ ...selectedOf(source.selected, settings), homes: homesOf(names) }]
        : [],
    ),
  );
  const facts = named.map(async ({ settings: configured, names }): Promise<TableFacts | TableFailure> => {
    const { relation, rows, ...selected } = selectedOf(source.selected, configured);
    const settings = withKeysOf(configured, relation);
    const state = destination.stateOf(names);
    const read = await ownStateFile(context, settings, names.recordName);
    if (read.kind === 'failed' && state.record === undefined) return { settings, error: read.error };
    // The state row counts, so a file that this user may not read is replaced after the commit.
    const stateFile =
      read.kind === 'failed'
        ? deniedFile(context.stateFiles.pathOf(names.recordName), read.error)
        : read.value;
    const { sourceName, destinationName } = names;
    const [from, to] = [tableKey(sourceName), tableKey(destinationName)];
    const schema = destination.schemas.get(destinationName.schema);
    if (!schema) throw new Error(`schema ${destinationName.schema} was not described`);
    return {
      pipeline: context.settings.pipeline,
      settings,
      ...names,
      source: relation,
      sourceRows: rows,
      sourceColumns: source.relations.get(from)?.columns.map(({ name }) => name),
      selected,
      destination: destination.relations.get(to),
      staging: destination.relations.get(tableKey(names.stagingName)),
      window: destination.relations.get(tableKey(names.windowName)),
      natives: nativesOf(settings.types === 'native' ? relation : undefined),
      destinationHasRows: destination.filled.has(to),
      unclaimed: undefined,
      renamedTo: [],
      mergeFault: undefined,
      isNewSchema: !state.isHomeSchema,
      formerStateName: state.formerName,
      hasOthersRows: destination.withOthers.has(to),
      pendingLoad: destination.pendingLoads.get(tableKey(names.stateName)),
      stateFile,
      saved: reconcile(stateFile, state, {
        label: settings.name,
        pipeline: context.settings.pipeline,
        source: { database: servers.source.database, ...sourceName },
        sourceOid: relation?.kind === 'query' ? undefined : relation?.oid,
        destination: destinationName,
        hasTable: destination.relations.has(to),
        hasRows: destination.filled.has(to),
        writtenTo: {
          table: destination.relations.get(to)?.oid ?? null,
          stateTable: schema.stateTableOid,
        },
        writer: writerHere(context.settings.stateDirectory),
        byService: context.byService,
        findsDeleted: findsDeleted(settings),
        systemIdentifier: servers.source.systemIdentifier,
        destinationServer: servers.destination,
      }),
      servers,
      sourceSchema: source.accessOf(sourceName.schema),
      destinationSchema: schema.access,
      stateTable: schema.stateTable,
      otherSourceNames: source.namesIn(sourceName.schema),
      lacksAllTables: source.lacksAll,
      destinationEndpoint: context.destination.endpoint,
      sourcePassword: context.settings.source.credential.known,
      sourceParameters: context.settings.source.parameters,
    };
  });
  const all = await withSwapped(context, servers, await Promise.all(facts), findProof);
  const found = all.filter(isKnown);
  const unclaimed = await countUnclaimed(
    context,
    found.filter((table) => isUnclaimed({ ...table, isTaken: destination.stateOf(table).isTaken })),
  );
  const renamed = await findRenamed(context, destination.schemas, found);
  const former = await findFormer(context, found);
  const sourceChanges = await findSourceChanges(context, found);
  const isMoved = [...sourceChanges.values()].some(({ movedTo }) => movedTo !== undefined);
  const mergeFaults = await gatherMergeFaults(context, found);
  return {
    schemas: destination.schemas,
    tables: all.map((table) =>
      isUnknown(table)
        ? table
        : {
            ...withFormer(table, former.get(table)),
            ...{ unclaimed: unclaimed.get(table), renamedTo: renamed.get(table) ?? [] },
            sourceChanges: sourceChanges.get(table),
            queryRenames: renamesOfQuery(table, found),
            lacksAllTables: table.lacksAllTables && !isMoved,
            mergeFault: mergeFaults.get(table),
          },
    ),
  };
}

async function withSwapSign(
  context: Gathering,
  tables: readonly (TableFacts | TableFailure)[],
): Promise<readonly (TableFacts | TableFailure)[]> {
  const swapSign = await findSwapSign(context, tables.filter(isKnown));
  if (swapSign === undefined) return tables;
  return tables.map((table) => (isKnown(table) && isFirstSync(table) ? { ...table, swapSign } : table));
}

async function withElsewhere(
  context: Gathering,
  tables: readonly (TableFacts | TableFailure)[],
): Promise<readonly (TableFacts | TableFailure)[]> {
  const elsewhere = await findElsewhere(context, tables.filter(isKnown));
  if (elsewhere === undefined) return tables;
  return tables.map((table) =>
    isKnown(table) && table.saved.kind === 'none' && isElsewhere(elsewhere, table)
      ? { ...table, saved: { ...table.saved, elsewhere } }
      : table,
  );
}

/**
 * Without a state at the destination, only a state at the source shows that the sides are swapped. It may belong to an opposite
 * pipeline, unless the state of another table shows the same, also a table of another batch.
 */
async function withSwapped(
  context: Gathering,
  { destination }: Servers,
  tables: readonly (TableFacts | TableFailure)[],
  findProof: FindProof,
): Promise<readonly (TableFacts | TableFailure)[]> {
  const isNew = (table: TableFacts | TableFailure) => isKnown(table) && table.saved.kind === 'none';
  if (!tables.some(isNew) || !(await areSidesSwapped(context))) return tables;
  const proof = tables
    .filter(isKnown)
    .find(({ saved }) => saved.kind === 'foreign' && saved.isSwapped === true);
  const saved =
    proof?.saved ?? (await findProof()) ?? swappedSides(context.settings.pipeline, destination.database);
  return tables.map((table) => (isNew(table) ? { ...table, saved } : table));
}

type FindProof = () => Promise<SavedState | undefined>;

/** Reads state files of the pipeline until one shows that the sides are swapped. */
async function swappedInAnyFile(context: Gathering): Promise<SavedState | undefined> {
  const destinationServer = await context.destination.identity();
  for await (const files of everyStateFile(context)) {
    const found = files.map(({ names: { destinationName: destination }, file }) =>
      swappedByFile(file, { destination, destinationServer }),
    );
    const proof = found.find((each) => each !== undefined);
    if (proof) return proof;
  }
  return undefined;
}

/**
 * The state file of a table, or the error why it cannot be read. The older script had one schema on each side, so its
 * files do not count for tables in other schemas.
 */
async function ownStateFile(
  { settings, stateFiles }: Gathering,
  table: TableSettings,
  recordName: string,
): Promise<Attempted<StateFile>> {
  const read = await attempt(() => stateFiles.read(recordName));
  if (read.kind === 'failed') return read;
  const file = read.value;
  const isOlder = file.kind === 'legacy' || (file.kind === 'unreadable' && file.path.endsWith('.txt'));
  const isInScriptSchemas =
    table.source.schema === settings.source.schema &&
    destinationOf(settings.destination, table).schema === settings.destination.schema;
  return !isOlder || isInScriptSchemas ? read : done({ kind: 'none' });
}

/** A table in mode full-refresh needs no key, so `defaults` cannot name a column for it that it does not have. */
function withKeysOf(settings: TableSettings, relation: Relation | undefined): TableSettings {
  const { mode, inheritedKeys, replicationKey, mergeKey } = settings;
  if (!relation || mode !== 'full-refresh') return settings;
  const isAbsent = (name: string) => !relation.columns.some((column) => column.name === name);
  return {
    ...settings,
    ...(inheritedKeys.includes('replication_key') &&
      replicationKey !== undefined &&
      isAbsent(replicationKey) && { replicationKey: undefined }),
    ...(inheritedKeys.includes('unique_cols') && mergeKey.some(isAbsent) && { mergeKey: [] }),
  };
}

const deniedFile = (path: string, { cause }: IncrepError): StateFile => ({
  kind: 'unreadable',
  path,
  why: fileFault(cause),
  ...(hasCode(cause, 'EACCES') && {
    why: `${fileFault(cause)}. ${accessCommand([dirname(path)], 'To give the files to the user that runs increp, ', isStateOfRoot(dirname(path)))}`,
    isShared: true as const,
  }),
});

function selectedOf(
  selected: ReadonlyMap<TableSettings | undefined, SelectedSource>,
  settings: TableSettings,
): SelectedSource {
  const found = selected.get(settings);
  if (!found) throw new Error('a table was not described');
  return found;
}
