/** Tests the connection of each side, and whether a pipeline can work with it. */
import { throughWords } from '../config/connection/bastion.ts';
import type { ConnectionSettings } from '../config/settings.ts';
import { IncrepError, reworded } from '../errors.ts';
import { describeSchema } from '../postgres/catalog.ts';
import { Database } from '../postgres/database.ts';
import type { Tunnels } from '../postgres/tunnel/tunnels.ts';
import { encryptionOf } from '../postgres/driver.ts';
import type { ServerIdentity } from '../postgres/identity.ts';
import type { Relation } from '../schema/relations.ts';
import type { Timing } from '../timing.ts';
import { schemaFault, SWAP_CHECK } from '../sync/plan/destination-refusals.ts';
import { ensureDifferentDatabases } from '../sync/facts/same-database.ts';
import { writeRefusal } from '../sync/facts/writable-destination.ts';
import { countText } from './propose-options.ts';
import {
  readSchemaRights,
  readSchemas,
  readTables,
  type SchemaRights,
  type SchemaSummary,
  type SourceTables,
} from './read-tables.ts';
import { findExistingTables, type ExistingTables, type NewPipeline } from './existing-tables.ts';

/** The same as the default of STALL_TIMEOUT. */
const STALL_TIMEOUT_SECONDS = 120;

export interface Visit {
  readonly pipeline: string;
  /** All visits of a side share its tunnel. */
  readonly tunnels: Tunnels;
  readonly signal: AbortSignal;
  readonly timing: Timing;
  /** The command that adds tables of the same schema later. */
  readonly addingCommand: string;
}

export interface TestedSide {
  readonly identity: ServerIdentity;
  /** For example `PostgreSQL 15.4 at db.example.com:5432/shop as "reader", TLS`. */
  readonly description: string;
}

async function visit<T>(
  settings: ConnectionSettings,
  { pipeline, tunnels, signal, timing }: Visit,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  await using database = new Database(settings, {
    tunnels,
    pipeline,
    stallTimeoutSeconds: STALL_TIMEOUT_SECONDS,
    signal,
    timing,
  });
  return await work(database);
}

async function describeSide(database: Database): Promise<TestedSide> {
  const identity = await database.identity();
  const { endpoint } = database;
  const encryption = await database.withReading(async (client) => encryptionOf(client));
  const version = `${Math.floor(identity.version / 10_000)}.${identity.version % 10_000}`;
  return {
    identity,
    description: `PostgreSQL ${version} at ${endpoint.address} as "${endpoint.role}", ${encryption ? 'TLS' : 'no TLS'}${throughWords(database.settings)}`,
  };
}

export interface SourceSide extends TestedSide {
  readonly schemas: readonly SchemaSummary[];
}

/** @throws IncrepError that says why the source cannot be reached */
export const visitSource = (settings: ConnectionSettings, how: Visit): Promise<SourceSide> =>
  visit(settings, how, async (database) => ({
    ...(await describeSide(database)),
    schemas: await readSchemas(database),
  }));

/** @throws IncrepError if the schema does not exist or has no tables */
export const visitSourceSchema = (settings: ConnectionSettings, how: Visit): Promise<SourceTables> =>
  visit(settings, how, async (database) => {
    const found = await readTables(database, how.addingCommand);
    if (found && found.tables.length > 0) return found;
    const schemas = await readSchemas(database);
    const others = schemas.map((each) => `${each.name} (${countText(each)})`).join(', ');
    throw new IncrepError('TABLE_NOT_FOUND', {
      what: found
        ? `the schema "${settings.schema}" of the source has no tables`
        : `the source has no schema "${settings.schema}", or role "${settings.user}" may not use it`,
      next:
        others === ''
          ? 'No other schema that this role may use has tables. Check the name of the database, and that source and destination are not swapped.'
          : `Set SOURCE_SCHEMA (--source-schema) to a schema with tables: ${others}.`,
    });
  });

export interface DestinationSide extends TestedSide {
  readonly rights: SchemaRights;
}

/** @throws IncrepError that says why the destination cannot be reached, or refuses writes */
export const visitDestination = (settings: ConnectionSettings, how: Visit): Promise<DestinationSide> =>
  visit(settings, how, async (database) => {
    const side = await describeSide(database);
    const refusal = writeRefusal({ destination: database }, { destination: side.identity });
    if (refusal) throw asSwapped(refusal);
    return { ...side, rights: await readSchemaRights(database) };
  });

/** @throws IncrepError if increp cannot create tables in that schema, or if it is the schema of the source */
export const visitDestinationSchema = (
  { source, destination }: { readonly source: ConnectionSettings; readonly destination: ConnectionSettings },
  servers: { readonly source: ServerIdentity; readonly destination: ServerIdentity },
  how: Visit,
): Promise<void> =>
  visit(destination, how, async (database) => {
    ensureDifferentDatabases({ source, destination }, servers);
    const access = await database.withReading((client) => describeSchema(client, destination.schema));
    const fault = schemaFault(destination.schema, access, false, 'DEST_SCHEMA (--dest-schema)');
    if (fault) throw asSwapped(fault);
  });

/** A destination that refuses writes may be the source. */
const asSwapped = (refusal: IncrepError): IncrepError =>
  reworded(refusal, {
    what: refusal.message,
    next: refusal.next.endsWith(SWAP_CHECK) ? refusal.next : `${refusal.next}\n${SWAP_CHECK}`,
    cause: refusal,
  });

/** Checks the destination tables of the selected tables. */
export const visitDestinationTables = (
  destination: ConnectionSettings,
  pipeline: NewPipeline,
  sources: readonly Relation[],
  how: Visit,
): Promise<ExistingTables> =>
  visit(destination, how, (database) => findExistingTables(database, pipeline, sources));
