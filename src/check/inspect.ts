/** Reads the facts that only `check` needs. It writes nothing. */
import type pg from 'pg';
import * as z from 'zod';
import type { IncrepError } from '../errors.ts';
import { pathOf, type ClientTools } from '../postgres/client-tools.ts';
import type { Database } from '../postgres/database.ts';
import type { Dependent } from '../postgres/dependent-object-list.ts';
import { readQueryCost, type QueryCost } from '../postgres/query-plan.ts';
import { encryptionOf, type Encryption } from '../postgres/driver.ts';
import { explainWindow, readNothing } from '../sql/estimate.ts';
import { EVENT_TRIGGERS } from '../sql/event-triggers.ts';
import type { Statement } from '../sql/search-path.ts';
import { WITHOUT_IDENTITY } from '../sql/publications.ts';
import { publicationsOver } from '../sync/write/publications.ts';
import {
  CONNECTION_LIMITS,
  DESTINATION_TABLE_OWNERS,
  inspectKeys,
  KEY_TRIGGERS,
  LONG_TRANSACTIONS,
  PREPARED_TRANSACTIONS,
  SOURCE_ROLE,
  ROW_TRIGGERS,
  WITHOUT_UPDATE_TRIGGER,
  WRITABLE_TABLES,
  HAS_LARGE_OBJECTS,
} from '../sql/inspect.ts';
import { secondsAhead } from '../postgres/server-clock.ts';
import { hasRows, type Window } from '../sql/window.ts';
import type { Facts, TableFacts, TableFailure } from '../sync/facts/facts.ts';
import { previewConversions, type ConversionPreview } from '../sync/load/preview-conversions.ts';
import { previewRemovedRows, type RemovedRowsPreview } from '../sync/load/preview-removed-rows.ts';
import { readKnownDifferences } from '../state/known-differences-file.ts';
import type { KeyType } from '../schema/keys.ts';
import type { LockNeeds } from '../schema/lock-needs.ts';
import { readLockNeeds } from '../sync/facts/lock-needs.ts';
import { highWaterMark } from '../sql/fence.ts';
import { inspectConflictLogs, type ConflictLogInspection } from './inspect-conflict-logs.ts';
import { inspectDeletionLogs, type DeletionLogInspection } from './inspect-deletion-logs.ts';
import { describeSequences, keyOrigin } from '../sql/key-origin.ts';
import { markedRows, originRow, OWN_WRITES, readMark, type KeyOrigin } from '../sync/fence/fence.ts';
import { gatherDependents } from '../sync/facts/gather-dependents.ts';
import type { CopiedTable } from '../sync/objects/copied-table.ts';
import { previewCopies } from '../sync/objects/preview-copies.ts';
import { stagingFault } from '../sync/plan/destination-refusals.ts';
import { planAll } from '../sync/plan/complete-plan.ts';
import { ordinaryRequest, type KeyedPlan, type Plan } from '../sync/plan/plan.ts';
import type { RunContext } from '../sync/context/run-context.ts';
import { failuresWithHolders, withHolders } from '../sync/lock/lock-holders.ts';
import { beginQuietSweep } from '../sync/run/quiet-sweep.ts';
import { writeRefusal } from '../sync/facts/writable-destination.ts';

export interface Inspection extends Inspected {
  readonly facts: Facts;
  readonly plans: ReadonlyMap<TableFacts, Plan>;
  /** Tables that were dropped during the check. */
  readonly failures: readonly TableFailure[];
  /** Why the destination cannot be written to. */
  readonly writeRefusal: IncrepError | undefined;
  readonly sourceRole: SourceRole;
  /** Source tables that the role of increp could write to. */
  readonly writable: readonly WritableTable[];
  readonly longTransactions: readonly LongTransaction[];
  readonly preparedTransactions: readonly PreparedTransaction[];
  /** The oids of source tables without a trigger that may set the replication key at an update. */
  readonly withoutUpdateTrigger: ReadonlySet<string>;
  /** The clock of the destination minus the clock of the source, in seconds. */
  readonly clockSkewSeconds: number;
  readonly encryption: {
    readonly source: Encryption | undefined;
    readonly destination: Encryption | undefined;
  };
  /** Undefined behind a pooler, which decides itself how many sessions there are. */
  readonly limits: {
    readonly source: ConnectionLimits | undefined;
    readonly destination: ConnectionLimits | undefined;
  };
  /** By the oid of the destination table. */
  readonly owners: ReadonlyMap<string, TableOwner>;
  /** By destination schema: publications that include every new table. */
  readonly publications: ReadonlyMap<string, readonly string[]>;
  /** By the oid of a destination table that needs a replica identity and has none: one of its publications. */
  readonly withoutIdentity: ReadonlyMap<string, string>;
  /** By the oid of a source table with partitions. */
  readonly lockNeeds: ReadonlyMap<string, LockNeeds>;
  /** Whether the source has any large object. */
  readonly hasLargeObjects: boolean;
  /** Triggers that may set the replication key of a destination table, if the key decides which row wins. */
  readonly keyTriggers: ReadonlyMap<TableFacts, readonly string[]>;
  /** Of the tables with `deletes_from`. */
  readonly deletionLogs: ReadonlyMap<TableFacts, DeletionLogInspection>;
  /** Of the tables whose indexes are copied. */
  readonly copies: ReadonlyMap<TableFacts, CopiedTable>;
  readonly conflictLogs: ReadonlyMap<TableFacts, ConflictLogInspection>;
  /** Event triggers of the destination. */
  readonly eventTriggers: readonly EventTrigger[];
  /** Row-level BEFORE triggers, by the oid of the destination table. */
  readonly rowTriggers: ReadonlyMap<string, readonly string[]>;
  readonly dependents: ReadonlyMap<TableFacts, readonly Dependent[]>;
  /** Tables in which the last comparison found rows of the source with the same unique key. */
  readonly duplicated: ReadonlySet<TableFacts>;
  /** Tables without changes, among those whose sync with changes would fail. */
  readonly quiet: ReadonlySet<TableFacts>;
  /** Rows of a destination table that a load would remove. */
  readonly gone: ReadonlyMap<TableFacts, RemovedRowsPreview>;
  /** Whether the kept rows of a table survive a change of type. */
  readonly conversions: ReadonlyMap<TableFacts, ConversionPreview>;
  /** Undefined if no table uses pg_dump. */
  readonly pgDump: { readonly tools: ClientTools; readonly path: string | undefined } | undefined;
}

const limitsRow = z.object({
  role: z.string(),
  database: z.string(),
  maxConnections: z.number(),
  /** Connections that are kept for other roles. */
  reserved: z.number(),
  /** Null if there is no limit. */
  roleLimit: z.number().nullable(),
  databaseLimit: z.number().nullable(),
  /** Sessions of other programs: all, those of the role, and those in the database. */
  inUse: z.number(),
  ofRole: z.number(),
  ofDatabase: z.number(),
});
export type ConnectionLimits = Readonly<z.infer<typeof limitsRow>>;

const countsRow = z.object({ nullKeys: z.number(), futureKeys: z.number() });
const sequencesRow = z.object({
  /** The sequence of an integer key that hands out numbers in advance to sessions. */
  cachedSequence: z.string().nullable(),
  /** A sequence that leaves the numbers in between to an application. */
  pool: z.object({ name: z.string(), increment: z.string() }).nullable(),
  /** A sequence whose last value the role of increp may not read. */
  unreadableSequence: z.string().nullable(),
  /** Whether a sequence sets the key. */
  hasSequence: z.boolean(),
});
const topRow = z.object({ top: z.string().nullable() });

export interface KeyInspection extends z.infer<typeof countsRow>, z.infer<typeof sequencesRow> {
  /** The largest value of an integer key, if it is above the high-water mark. */
  readonly farAhead: { readonly top: string; readonly high: string | null } | undefined;
  readonly isUncertain: boolean;
  readonly origin: KeyOrigin;
}

export const NO_SEQUENCES = {
  cachedSequence: null,
  pool: null,
  unreadableSequence: null,
  hasSequence: false,
};

const roleRow = z.object({
  role: z.string(),
  isSuper: z.boolean(),
  canReplicate: z.boolean(),
  powerfulRoles: z.array(z.string()),
  /** The schemas that exist. */
  schemas: z.array(
    z.object({
      schema: z.string(),
      isOwned: z.boolean(),
      /** The roles whose grants allow it to create in the schema. An empty text means PUBLIC. */
      createGrantees: z.array(z.string()),
    }),
  ),
});
export type SourceRole = Readonly<z.infer<typeof roleRow>>;

const writableRow = z.object({
  schema: z.string(),
  table: z.string(),
  isOwned: z.boolean(),
  /** A null grantee means PUBLIC. */
  grants: z.array(z.object({ grantee: z.string().nullable(), privileges: z.array(z.string()) })),
});
export type WritableTable = Readonly<z.infer<typeof writableRow>>;

const longRow = z.object({ pid: z.number(), user: z.string(), seconds: z.number() });
type LongTransaction = Readonly<z.infer<typeof longRow>>;

const preparedRow = z.object({ gid: z.string(), owner: z.string(), seconds: z.number() });
type PreparedTransaction = Readonly<z.infer<typeof preparedRow>>;

const oidRow = z.object({ oid: z.string() });

const ownerRow = z.object({
  oid: z.string(),
  owner: z.string(),
  isOurs: z.boolean(),
  canWrite: z.boolean(),
});
export type TableOwner = Readonly<z.infer<typeof ownerRow>>;

const eventTriggerRow = z.object({
  name: z.string(),
  function: z.string(),
  /** Whether the function sets its own search_path. */
  hasPath: z.boolean(),
});
type EventTrigger = Readonly<z.infer<typeof eventTriggerRow>>;

const largeObjectsRow = z.object({ hasLargeObjects: z.boolean() });

const triggerRow = z.object({ oid: z.string(), name: z.string() });

/** Rows are counted up to this number, which is enough to say "many". */
export const MANY = 1000;
/** A prepared transaction normally exists for an instant. */
const FORGOTTEN_SECONDS = 60;

export async function inspect(context: RunContext, facts: Facts): Promise<Inspection> {
  const { planned, failures } = await planAll(context, facts, ordinaryRequest());
  const plans = new Map(planned.map(({ table, plan }) => [table, plan]));
  const inspected = await inspectAll(context.source, plans);
  return {
    facts,
    plans,
    failures: await failuresWithHolders(context, failures),
    ...inspected,
    unreadable: await namingHolders(context, inspected.unreadable),
    writeRefusal: writeRefusal(context, facts.servers),
    ...(await inspectSource(context.source, facts)),
    lockNeeds: await readLockNeeds(
      context.source,
      facts.tables.map((table) => table.source),
    ),
    clockSkewSeconds:
      secondsAhead(facts.servers.destination.serverClock) - secondsAhead(facts.servers.source.serverClock),
    encryption: {
      source: await context.source.withReading(readEncryption),
      destination: await context.destination.withReading(readEncryption),
    },
    limits: {
      source: await limitsOf(context.source),
      destination: await limitsOf(context.destination),
    },
    owners: await ownersOf(context.destination, facts),
    deletionLogs: await inspectDeletionLogs(context.source, facts),
    copies: await previewCopies(context, facts.tables),
    conflictLogs: await inspectConflictLogs(context.destination, facts),
    keyTriggers: await keyTriggersOf(context.destination, facts),
    ...(await publicationsAndTriggers(context.destination, facts)),
    dependents: await gatherDependents(context, facts.tables),
    duplicated: await knownDuplicates(context, facts),
    quiet: await findQuiet(context, plans),
    gone: await previewRemovedRows(context, plans),
    conversions: await previewConversions(context, plans),
    pgDump: await findPgDump(context, facts),
  };
}

async function namingHolders(
  context: RunContext,
  unreadable: Inspected['unreadable'],
): Promise<Inspected['unreadable']> {
  const named = new Map<TableFacts, IncrepError>();
  for (const [table, error] of unreadable) named.set(table, await withHolders(context, table, error));
  return named;
}

async function knownDuplicates(
  { settings: { stateDirectory } }: RunContext,
  { tables }: Facts,
): Promise<ReadonlySet<TableFacts>> {
  const known = await readKnownDifferences(stateDirectory);
  const names = new Set(known.flatMap(({ table, duplicates }) => (duplicates === null ? [] : [table])));
  return new Set(tables.filter(({ recordName }) => names.has(recordName)));
}

async function findQuiet(
  context: RunContext,
  plans: ReadonlyMap<TableFacts, Plan>,
): Promise<ReadonlySet<TableFacts>> {
  const faulty = [...plans].flatMap(([table, plan]) => (stagingFault(table, plan) ? [table] : []));
  const sweep = await beginQuietSweep(context, faulty, ordinaryRequest());
  return new Set(
    [...(await sweep())].flatMap(([table, { verdict }]) => (verdict.kind === 'quiet' ? [table] : [])),
  );
}

interface Inspected {
  readonly keys: ReadonlyMap<TableFacts, KeyInspection>;
  /** For queries. */
  readonly costs: ReadonlyMap<TableFacts, QueryCost>;
  /** Why the source refuses to read a table although its catalog allows it. */
  readonly unreadable: ReadonlyMap<TableFacts, IncrepError>;
}

/** One message for all tables, unless one of them is refused. */
async function inspectAll(source: Database, plans: ReadonlyMap<TableFacts, Plan>): Promise<Inspected> {
  const { timeZone } = await source.identity();
  // A table that is read in groups of partitions is not inspected, because one statement cannot read it.
  const workable = [...plans].flatMap(([table, plan]) =>
    'source' in plan && !table.sourceRows.inGroups ? [{ table, plan }] : [],
  );
  const keyed = workable.flatMap(({ table, plan }) => ('keyType' in plan ? [{ table, plan }] : []));
  const queries = keyed.filter(({ plan }) => plan.source.kind === 'query');
  const now = new Date().toISOString();
  const questions: Question[] = [
    ...workable.map(({ table, plan }) => ({
      table,
      about: 'reading' as const,
      statement: readNothing(table.sourceRows, plan.source.columns),
    })),
    ...keyed.flatMap(({ table, plan }) => keyQuestions(table, plan, timeZone)),
    ...queries.map(({ table, plan }) => ({
      table,
      about: 'cost' as const,
      statement: explainWindow(table.sourceRows, plan.source.columns, nextWindow(table, plan, now)),
    })),
    ...keyed.map(({ table }) => ({
      table,
      about: 'rows' as const,
      statement: hasRows(table.sourceRows),
    })),
  ];
  const answers = await source.readEach(questions.map(({ statement }) => statement));
  const answersTo = (wanted: Question['about']) =>
    new Map(
      questions.flatMap(({ table, about }, index) => {
        const answer = answers[index];
        return about === wanted && answer?.kind === 'done' ? [[table, answer.value.rows[0] as unknown]] : [];
      }),
    );
  const counts = answersTo('counts');
  const [marks, origins, sequences] = [answersTo('mark'), answersTo('origin'), answersTo('sequences')];
  return {
    keys: new Map(
      keyed.flatMap(({ table, plan }) =>
        counts.has(table) && marks.has(table)
          ? [
              [
                table,
                inspectionOf(plan.keyType, [
                  counts.get(table),
                  marks.get(table),
                  origins.get(table),
                  sequences.get(table),
                ]),
              ],
            ]
          : [],
      ),
    ),
    costs: new Map([...answersTo('cost')].map(([table, row]) => [table, readQueryCost(row)])),
    unreadable: new Map(
      questions.flatMap(({ table }, index) => {
        const answer = answers[index];
        return answer?.kind === 'failed' ? [[table, answer.error]] : [];
      }),
    ),
  };
}

interface Question {
  readonly table: TableFacts;
  readonly about: 'reading' | 'counts' | 'mark' | 'origin' | 'sequences' | 'cost' | 'rows';
  readonly statement: Statement;
}

function keyQuestions(table: TableFacts, plan: KeyedPlan, timeZone: string): Question[] {
  const marked = markedRows(table, plan);
  const { table: name, keyColumn, keyType } = marked;
  return [
    { table, about: 'counts', statement: inspectKeys(marked, { timeZone, limit: MANY }) },
    { table, about: 'mark', statement: highWaterMark(marked, timeZone) },
    ...(name ? [{ table, about: 'origin' as const, statement: keyOrigin({ ...marked, table: name }) }] : []),
    ...(name && keyType === 'integer'
      ? [{ table, about: 'sequences' as const, statement: describeSequences(name, keyColumn) }]
      : []),
  ];
}

function inspectionOf(
  keyType: KeyType,
  [counts, mark, origin, sequences]: readonly unknown[],
): KeyInspection {
  const { high, isUncertain } = readMark(keyType, mark);
  const top = keyType === 'integer' ? topRow.parse(mark).top : high;
  return {
    ...countsRow.parse(counts),
    ...(sequences === undefined ? NO_SEQUENCES : sequencesRow.parse(sequences)),
    farAhead: top === null || top === high ? undefined : { top, high },
    isUncertain,
    origin: origin === undefined ? OWN_WRITES : originRow.parse(origin),
  };
}

/** The window of a sync that would run now. */
const nextWindow = (
  { saved, settings }: TableFacts,
  { replicationKey, keyType }: KeyedPlan,
  now: string,
): Window => ({
  replicationKey,
  keyType,
  from: (saved.kind === 'record' ? saved.record.cursor : null) ?? (keyType === 'integer' ? null : now),
  lookbackSeconds: settings.lookbackSeconds,
  nullKeys: settings.nullKeys,
});

async function inspectSource(source: Database, { tables }: Facts) {
  const oids = tables.flatMap((table) => (table.source ? [table.source.oid] : []));
  const schemas = [...new Set(tables.map(({ sourceName }) => sourceName.schema))];
  return source.withReading(async (client) => ({
    sourceRole: roleRow.parse((await client.query(SOURCE_ROLE, [schemas])).rows[0]),
    writable: await queryRows(client, writableRow, WRITABLE_TABLES, [oids]),
    longTransactions: await queryRows(client, longRow, LONG_TRANSACTIONS),
    preparedTransactions: await queryRows(client, preparedRow, PREPARED_TRANSACTIONS, [FORGOTTEN_SECONDS]),
    ...largeObjectsRow.parse((await client.query(HAS_LARGE_OBJECTS)).rows[0]),
    withoutUpdateTrigger: new Set(
      (await queryRows(client, oidRow, WITHOUT_UPDATE_TRIGGER, [oids])).map(({ oid }) => oid),
    ),
  }));
}

async function queryRows<T>(
  client: pg.ClientBase,
  row: z.ZodType<T>,
  sql: string,
  values: readonly unknown[] = [],
): Promise<T[]> {
  return z.array(row).parse((await client.query(sql, [...values])).rows);
}

const readEncryption = (client: pg.ClientBase): Promise<Encryption | undefined> =>
  Promise.resolve(encryptionOf(client));

async function limitsOf(database: Database): Promise<ConnectionLimits | undefined> {
  const { isPooled } = await database.identity();
  if (isPooled) return undefined;
  const [row] = await database.withReading((client) => queryRows(client, limitsRow, CONNECTION_LIMITS));
  return row;
}

async function ownersOf(destination: Database, { tables }: Facts): Promise<Map<string, TableOwner>> {
  const oids = tables.flatMap((table) => (table.destination ? [table.destination.oid] : []));
  const owners = await destination.withReading((client) =>
    queryRows(client, ownerRow, DESTINATION_TABLE_OWNERS, [oids]),
  );
  return new Map(owners.map((owner) => [owner.oid, owner]));
}

const identityRow = z.object({ oid: z.string(), publication: z.string() });

async function publicationsAndTriggers(
  destination: Database,
  { tables }: Facts,
): Promise<Pick<Inspection, 'publications' | 'withoutIdentity' | 'eventTriggers' | 'rowTriggers'>> {
  const { version } = await destination.identity();
  const oids = tables.flatMap((table) => (table.destination ? [table.destination.oid] : []));
  const schemas = new Set(tables.map(({ destinationName }) => destinationName.schema));
  return destination.withReading(async (client) => {
    const publications = new Map<string, readonly string[]>();
    for (const schema of schemas) {
      const names = await publicationsOver(client, schema, version);
      if (names.length > 0) publications.set(schema, names);
    }
    const lacking = await queryRows(client, identityRow, WITHOUT_IDENTITY, [oids]);
    const fired = tables.flatMap(({ destination: table }) => (table?.hasRowTriggers ? [table.oid] : []));
    const triggers = fired.length === 0 ? [] : await queryRows(client, triggerRow, ROW_TRIGGERS, [fired]);
    return {
      rowTriggers: new Map(
        [...Map.groupBy(triggers, ({ oid }) => oid)].map(([oid, rows]) => [
          oid,
          rows.map(({ name }) => name),
        ]),
      ),
      publications,
      eventTriggers: await queryRows(client, eventTriggerRow, EVENT_TRIGGERS),
      withoutIdentity: new Map(lacking.map(({ oid, publication }) => [oid, publication])),
    };
  });
}

async function keyTriggersOf(
  destination: Database,
  { tables }: Facts,
): Promise<Map<TableFacts, readonly string[]>> {
  const asked = tables.flatMap((table) =>
    table.settings.onConflict === 'last_update_wins' && table.destination
      ? [{ table, oid: table.destination.oid, key: table.settings.replicationKey }]
      : [],
  );
  if (asked.length === 0) return new Map();
  const [oids, keys] = [asked.map(({ oid }) => oid), asked.map(({ key }) => key)];
  const found = await destination.withReading((client) =>
    queryRows(client, triggerRow, KEY_TRIGGERS, [oids, keys]),
  );
  return new Map(
    asked.map(({ table, oid }) => [table, found.filter((row) => row.oid === oid).map(({ name }) => name)]),
  );
}

async function findPgDump(context: RunContext, { tables }: Facts): Promise<Inspection['pgDump']> {
  const isWanted = tables.some(
    ({ settings: { initialLoad, isEnabled } }) => isEnabled && initialLoad !== 'copy',
  );
  return isWanted
    ? { tools: await context.tools(), path: await pathOf('pg_dump', context.searchPath) }
    : undefined;
}
