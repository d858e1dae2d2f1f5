/** Facts of a table that is in order, for tests that change one of them. */
import { NO_PARAMETERS } from '../../../src/config/connection/url-parameters.ts';
import { endpointFor } from '../../../src/postgres/endpoint.ts';
import type { TableFacts } from '../../../src/sync/facts/facts.ts';
import type { Column } from '../../../src/schema/columns.ts';
import { NO_NATIVE_TYPES } from '../../../src/schema/native-types.ts';
import { EVERYTHING } from '../../../src/schema/selection.ts';
import type { Relation } from '../../../src/schema/relations.ts';
import { fingerprintOf, shapeOf } from '../../../src/schema/shape.ts';
import { stateRecordSchema, type StateRecord } from '../../../src/schema/state-record.ts';
import { column } from '../schema/columns.ts';

export const ORDERS_COLUMNS: readonly Column[] = [
  column({ name: 'id', type: 'bigint', position: 1, isNotNull: true }),
  column({ name: 'note', type: 'text', position: 2 }),
  column({ name: 'updated_at', type: 'timestamp with time zone', position: 3, isNotNull: true }),
];

export const relation = (change: Partial<Relation> = {}): Relation => ({
  name: { schema: 'public', table: 'orders' },
  oid: '1',
  kind: 'table',
  isUnlogged: false,
  hasChildren: false,
  comment: null,
  columns: ORDERS_COLUMNS,
  uniqueKeys: [{ index: 'orders_pkey', columns: ['id'] }],
  indexedColumns: ['id'],
  estimatedRows: 10,
  bytes: 8192,
  canSelect: true,
  unreadableColumns: [],
  demandedColumns: [],
  filtersRows: false,
  partitions: null,
  stamp: '1 2',
  hasRules: false,
  hasRowTriggers: false,
  files: ['1:1'],
  references: [],
  ownedSequences: [],
  hasForeignRows: false,
  keptBy: null,
  hasOwnStorage: false,
  canSelectTable: true,
  owner: 'increp',
  ...change,
});

export const record = (change: Partial<StateRecord> = {}): StateRecord => {
  const shape = shapeOf(relation());
  // Read as it would be from a file, so that what has a default may be left out here.
  return stateRecordSchema.parse({
    format: 1,
    pipeline: 'shop',
    source: { database: 'live', schema: 'public', table: 'orders' },
    destination: { schema: 'public', table: 'orders' },
    sourceLife: { systemIdentifier: '7', timeline: 1, startedAt: '1000' },
    sourceTime: '2026-01-01 12:00:00+00',
    networkSeconds: 0,
    fencedAt: '2026-01-01T12:00:00.000Z',
    replicationKey: 'updated_at',
    keyType: 'timestamptz',
    mergeKey: ['id'],
    cursor: '2026-01-01 11:00:00+00',
    fences: [],
    settledXid: null,
    shape,
    fingerprint: fingerprintOf(shape),
    generation: 3,
    runId: 'run',
    syncedAt: '2026-01-01T12:00:00.000Z',
    ...change,
  });
};

const server = {
  version: 150000,
  isLinux: true,
  database: 'live',
  databaseOid: '5',
  isStandby: false,
  readOnlyFrom: null,
  isPooled: false,
  serverClock: { at: 0, hereAt: 0, receivedAt: 0 },
  startedAt: '1000',
  timeZone: 'UTC',
  encoding: 'UTF8',
  canReadControl: true,
  canMark: true,
  showsWal: true,
  systemIdentifier: '7',
  timeline: 1,
};
const rights = { exists: true, canUse: true, canCreate: true, canCreateSchema: true, otherSchemas: [] };
const access = { ...rights, role: 'increp', database: 'copy' };

export const facts = (change: Partial<TableFacts> = {}): TableFacts => ({
  pipeline: 'shop',
  settings: {
    name: 'orders',
    source: { schema: 'public', table: 'orders' },
    destinationTable: 'orders',
    destinationSchema: undefined,
    replicationKey: 'updated_at',
    mergeKey: ['id'],
    inheritedKeys: [],
    selection: EVERYTHING,
    mode: 'incremental-deduped',
    initialLoad: 'pg_dump',
    chunk: undefined,
    loadJobs: 1,
    onSchemaChange: 'reset',
    lookbackSeconds: 10,
    nullKeys: 'warn',
    deletes: 'ignore',
    deletesEverySeconds: 86_400,
    deletionLog: undefined,
    skipUnchanged: false,
    deleteLimit: 0.5,
    droppedColumns: 'drop',
    metadataColumns: [],
    onConflict: 'source_wins',
    merge: [],
    conflictLog: false,
    conflictRetentionSeconds: 7_776_000,
    types: 'text',
    indexes: 'ignore',
    constraints: 'ignore',
    maxStalenessSeconds: undefined,
    warnStalenessSeconds: undefined,
    isEnabled: true,
    pattern: undefined,
    conflict: undefined,
  },
  sourceName: { schema: 'public', table: 'orders' },
  destinationName: { schema: 'public', table: 'orders' },
  recordName: 'orders',
  stateName: { schema: 'public', table: 'orders' },
  stagingName: { schema: 'public', table: 'orders_stg' },
  windowName: { schema: 'public', table: 'orders_increp_window' },
  source: relation(),
  sourceRows: { schema: 'public', table: 'orders' },
  sourceColumns: ['id', 'note', 'updated_at'],
  selected: { fault: undefined, changing: [], isSteady: true, types: [] },
  destination: relation({ oid: '2' }),
  staging: undefined,
  window: undefined,
  natives: NO_NATIVE_TYPES,
  destinationHasRows: true,
  unclaimed: undefined,
  renamedTo: [],
  isNewSchema: false,
  mergeFault: undefined,
  formerStateName: undefined,
  hasOthersRows: false,
  pendingLoad: undefined,
  stateFile: { kind: 'none' },
  saved: { kind: 'record', record: record(), warnings: [] },
  servers: { source: server, destination: { ...server, database: 'copy', systemIdentifier: '8' } },
  sourceSchema: access,
  destinationSchema: access,
  stateTable: 'readable',
  otherSourceNames: ['items'],
  lacksAllTables: false,
  destinationEndpoint: endpointFor({
    ...{ side: 'destination', host: 'wh', port: 5432 },
    ...{ user: 'loader', database: 'wh' },
  }),
  sourcePassword: 'secret',
  sourceParameters: NO_PARAMETERS,
  ...change,
});
