/** Reads the facts that only `check` needs. It writes nothing. */
import type pg from 'pg';
import * as z from 'zod';
import type { IncrepError } from '../errors.ts';
import { pathOf, type ClientTools } from '../postgres/client-tools.ts';
import type { Database } from '../postgres/database.ts';
import type { Dependent } from '../postgres/dependent-object-list.ts';
import { encryptionOf, type Encryption } from '../postgres/driver.ts';
import { secondsAhead } from '../postgres/server-clock.ts';
import type { LockNeeds } from '../schema/lock-needs.ts';
import { CONNECTION_LIMITS } from '../sql/inspect.ts';
import { readComparisons } from '../state/known-differences-file.ts';
import type { RunContext } from '../sync/context/run-context.ts';
import { thisClockError } from '../sync/context/this-clock.ts';
import { stalledReplay, type StalledReplay } from '../sync/facts/standby-replay.ts';
import { withSelectionCause } from '../sync/facts/selection-cause.ts';
import type { Facts, TableFacts, TableFailure } from '../sync/facts/facts.ts';
import { gatherDependents } from '../sync/facts/gather-dependents.ts';
import { readLockNeeds } from '../sync/facts/lock-needs.ts';
import { writeRefusal } from '../sync/facts/writable-destination.ts';
import { previewConversions, type ConversionPreview } from '../sync/load/preview-conversions.ts';
import { previewRemovedRows, type RemovedRowsPreview } from '../sync/load/preview-removed-rows.ts';
import { failuresWithHolders, withHolders } from '../sync/lock/lock-holders.ts';
import type { CopiedTable } from '../sync/objects/copied-table.ts';
import { previewCopies } from '../sync/objects/preview-copies.ts';
import { planAll } from '../sync/plan/complete-plan.ts';
import { stagingFault } from '../sync/plan/destination-refusals.ts';
import { ordinaryRequest, type Plan } from '../sync/plan/plan.ts';
import { beginQuietSweep } from '../sync/run/quiet-sweep.ts';
import { inspectConflictLogs, type ConflictLogInspection } from './inspect-conflict-logs.ts';
import { inspectDeletionLogs, type DeletionLogInspection } from './inspect-deletion-logs.ts';
import {
  ownersOf,
  type TableOwner,
  type PublicationsAndTriggers,
  publicationsAndTriggers,
  keyTriggersOf,
} from './inspect-destination.ts';
import { inspectKeysOf, type Inspected } from './inspect-keys.ts';
import {
  inspectSource,
  type SourceRole,
  type WritableTable,
  type LongTransaction,
  type PreparedTransaction,
} from './inspect-source.ts';
import { queryRows } from './query-rows.ts';
import { carryFormerFiles } from '../sync/facts/former-directories.ts';

export interface Inspection extends Inspected, PublicationsAndTriggers {
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
  /** Set if the source is a standby that does not replay the changes of its primary. */
  readonly replay: StalledReplay | undefined;
  /** The clock of the destination minus the clock of the source, in seconds. */
  readonly clockSkewSeconds: number;
  /** Milliseconds by which this machine is ahead of both servers. */
  readonly clockError: number;
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
  readonly dependents: ReadonlyMap<TableFacts, readonly Dependent[]>;
  /** Tables in which the last comparison found rows of the source with the same unique key. */
  readonly duplicated: ReadonlySet<TableFacts>;
  /** When a comparison found a table equal after a failed sync, by its name in the history. */
  readonly equal: ReadonlyMap<string, string>;
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

export async function inspect(context: RunContext, facts: Facts): Promise<Inspection> {
  const { planned, failures } = await planAll(context, facts, ordinaryRequest());
  const plans = new Map(planned.map(({ table, plan }) => [table, plan]));
  const inspected = await inspectKeysOf(context.source, plans);
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
    clockError: thisClockError(context),
    replay: await stalledReplay(context.source),
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
    ...(await knownComparisons(context, facts)),
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
  for (const [table, error] of unreadable)
    named.set(table, withSelectionCause(table, await withHolders(context, table, error)));
  return named;
}

async function knownComparisons(
  context: RunContext,
  { tables }: Facts,
): Promise<Pick<Inspection, 'duplicated' | 'equal'>> {
  const { stateDirectory } = context.settings;
  await carryFormerFiles(context);
  const { differences, equal } = await readComparisons(stateDirectory);
  const isDuplicated = ({ recordName }: TableFacts) =>
    (differences.get(recordName)?.duplicates ?? null) !== null;
  return { duplicated: new Set(tables.filter(isDuplicated)), equal };
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

const readEncryption = (client: pg.ClientBase): Promise<Encryption | undefined> =>
  Promise.resolve(encryptionOf(client));

async function limitsOf(database: Database): Promise<ConnectionLimits | undefined> {
  const { isPooled } = await database.identity();
  if (isPooled) return undefined;
  const [row] = await database.withReading((client) => queryRows(client, limitsRow, CONNECTION_LIMITS));
  return row;
}

async function findPgDump(context: RunContext, { tables }: Facts): Promise<Inspection['pgDump']> {
  const isWanted = tables.some(
    ({ settings: { initialLoad, isEnabled } }) => isEnabled && initialLoad !== 'copy',
  );
  return isWanted
    ? { tools: await context.tools(), path: await pathOf('pg_dump', context.searchPath) }
    : undefined;
}
