/** What `check` has looked at, as far as a test does not say otherwise. */
import { fixedCredential } from '../../../src/config/connection/credential.ts';
import { NOTHING_FOUND } from '../../../src/check/table-findings.ts';
import { NO_PARAMETERS } from '../../../src/config/connection/url-parameters.ts';
import type { ConnectionSettings } from '../../../src/config/settings.ts';
import type { Inspection } from '../../../src/check/inspect.ts';
import type { ClientTools } from '../../../src/postgres/client-tools.ts';
import type { TableFacts } from '../../../src/sync/facts/facts.ts';
import { planCompletely } from '../../../src/sync/plan/complete-plan.ts';
import { ordinaryRequest, type Plan } from '../../../src/sync/plan/plan.ts';
import { AS_A_WHOLE } from '../../../src/sync/plan/chunk-choice.ts';
import { BY_COPY } from '../../../src/sync/plan/loader-choice.ts';
import { planTable } from '../../../src/sync/plan/plan-table.ts';
import { facts } from '../sync/table-facts.ts';

const TLS = { protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' };

export const connection = (change: Partial<ConnectionSettings> = {}): ConnectionSettings => ({
  side: 'source',
  host: 'localhost',
  hostAddress: undefined,
  otherServers: [],
  port: 5432,
  user: 'reader',
  credential: fixedCredential(undefined),
  database: 'live',
  schema: 'public',
  isSchemaGiven: false,
  bastion: undefined,
  parameters: NO_PARAMETERS,
  tls: {
    mode: 'prefer',
    rootCert: undefined,
    cert: undefined,
    key: undefined,
    keyPassword: undefined,
    crl: undefined,
  },
  ...change,
});
export const LOCAL = {
  source: connection(),
  destination: connection({ side: 'destination' }),
  jobs: 1,
  destinations: [],
  tables: [],
};

/** A load goes by COPY here, as a whole. */
function planFor(table: TableFacts): Plan {
  const draft = planTable(table, ordinaryRequest());
  return draft.kind === 'load' ? { ...draft, loader: BY_COPY, chunking: AS_A_WHOLE } : draft;
}

/** Of a table of which nothing but the programs has to be known. */
export const planWith = (tools: ClientTools, table: TableFacts): Promise<Plan> =>
  planCompletely(
    {
      tools: () => Promise.resolve(tools),
      get source(): never {
        throw new Error('a test without a server asked the source');
      },
    },
    table,
    ordinaryRequest(),
  );

export function inspection(
  change: Partial<Inspection> = {},
  { isStandby = false, table = facts() } = {},
): Inspection {
  const { source, destination } = table.servers;
  return {
    facts: {
      servers: { source: { ...source, isStandby }, destination },
      schemas: new Map(),
      tables: [table],
      failures: [],
    },
    failures: [],
    unreadable: new Map(),
    plans: new Map([[table, planFor(table)]]),
    keys: new Map([[table, NOTHING_FOUND]]),
    costs: new Map(),
    writeRefusal: undefined,
    sourceRole: {
      role: 'reader',
      isSuper: false,
      canReplicate: false,
      powerfulRoles: [],
      schemas: [{ schema: 'public', isOwned: false, createGrantees: [] }],
    },
    writable: [],
    longTransactions: [],
    duplicated: new Set(),
    equal: new Map(),
    lockNeeds: new Map(),
    withoutUpdateTrigger: new Set([table.source?.oid ?? '']),
    preparedTransactions: [],
    replay: undefined,
    clockSkewSeconds: 0,
    clockError: 0,
    encryption: { source: TLS, destination: undefined },
    limits: { source: undefined, destination: undefined },
    owners: new Map(),
    publications: new Map(),
    withoutIdentity: new Map(),
    deletionLogs: new Map(),
    copies: new Map(),
    conflictLogs: new Map(),
    keyTriggers: new Map(),
    eventTriggers: [],
    rowTriggers: new Map(),
    dependents: new Map(),
    quiet: new Set(),
    gone: new Map(),
    conversions: new Map(),
    hasLargeObjects: false,
    pgDump: undefined,
    ...change,
  };
}
