/** What `check` has looked at, as far as a test does not say otherwise. */
import { NOTHING_FOUND } from '../../../src/check/table-findings.ts';
import { NO_PARAMETERS } from '../../../src/config/connection/url-parameters.ts';
import type { ConnectionSettings } from '../../../src/config/settings.ts';
import type { Inspection } from '../../../src/check/inspect.ts';
import { ordinaryRequest } from '../../../src/sync/plan/plan.ts';
import { planTable } from '../../../src/sync/plan/plan-table.ts';
import { facts } from '../sync/table-facts.ts';

const TLS = { protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' };

export const connection = (change: Partial<ConnectionSettings> = {}): ConnectionSettings => ({
  side: 'source',
  host: 'localhost',
  port: 5432,
  user: 'reader',
  password: undefined,
  database: 'live',
  schema: 'public',
  isSchemaGiven: false,
  parameters: NO_PARAMETERS,
  tls: { mode: 'prefer', rootCert: undefined, cert: undefined, key: undefined },
  ...change,
});
export const LOCAL = { source: connection(), destination: connection({ side: 'destination' }) };

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
    plans: new Map([[table, planTable(table, ordinaryRequest())]]),
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
    preparedTransactions: [],
    clockSkewSeconds: 0,
    encryption: { source: TLS, destination: undefined },
    owners: new Map(),
    publications: new Map(),
    withoutIdentity: new Map(),
    keyTriggers: new Map(),
    eventTriggers: [],
    dependents: new Map(),
    gone: new Map(),
    pgDump: undefined,
    ...change,
  };
}
