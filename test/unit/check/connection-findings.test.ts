/** How many connections a sync needs, and which of the limits is too low. */
import { expect, test } from 'vitest';
import { connectionFindings } from '../../../src/check/connection-findings.ts';
import type { ConnectionLimits, Inspection } from '../../../src/check/inspect.ts';
import type { Plan } from '../../../src/sync/plan/plan.ts';
import { facts } from '../sync/table-facts.ts';

const limits = (change: Partial<ConnectionLimits> = {}): ConnectionLimits => ({
  role: 'reader',
  database: 'shop',
  maxConnections: 100,
  reserved: 3,
  roleLimit: null,
  databaseLimit: null,
  inUse: 10,
  ofRole: 0,
  ofDatabase: 4,
  ...change,
});

interface Situation {
  readonly source?: Partial<ConnectionLimits>;
  readonly destination?: Partial<ConnectionLimits>;
  readonly jobs?: number;
  readonly destinations?: number;
  readonly plans?: readonly object[];
  readonly loadJobs?: number;
}

const LOAD = { kind: 'load', chunking: { kind: 'whole' }, loader: { loader: 'copy' } };
const DUMP = { ...LOAD, loader: { loader: 'pg_dump' } };
const CHUNKS = { ...LOAD, chunking: { kind: 'chunks' } };
const CHANGES = { kind: 'incremental' };

function found({
  source,
  destination,
  jobs = 1,
  destinations = 1,
  plans = [CHANGES],
  loadJobs = 4,
}: Situation) {
  const planned = plans.map((plan) => {
    const table = facts();
    return [{ ...table, settings: { ...table.settings, loadJobs } }, plan as Plan] as const;
  });
  const given: Pick<Inspection, 'limits' | 'plans'> = {
    limits: { source: limits(source), destination: limits(destination) },
    plans: new Map(planned),
  };
  return connectionFindings(given, { jobs, destinations });
}

/** The number of connections in the message, with no connection left on that side. */
const needed = (side: 'source' | 'destination', situation: Situation): number =>
  Number(
    /up to (\d+) connections/.exec(
      found({ ...situation, [side]: { maxConnections: 0 } })[0]?.message ?? '',
    )?.[1],
  );

test('one job needs one connection to the source, and two to the destination', () => {
  expect(needed('source', {})).toBe(1);
  expect(needed('destination', {})).toBe(2);
  expect(needed('source', { plans: [DUMP, DUMP] })).toBe(2);
  expect(needed('source', { plans: [CHUNKS] })).toBe(5);
  expect(needed('destination', { plans: [CHUNKS] })).toBe(6);
});

test('several jobs need no more connections to the source for chunks, and no more than there are tables', () => {
  const plans = [CHANGES, CHANGES, CHUNKS, DUMP, DUMP];
  expect(needed('source', { plans, jobs: 4 })).toBe(6);
  expect(needed('source', { plans: [CHANGES, CHUNKS], jobs: 4 })).toBe(2);
  expect(needed('destination', { plans, jobs: 4 })).toBe(6);
  expect(needed('source', { plans: [CHANGES, CHANGES], jobs: 2, destinations: 3 })).toBe(8);
});

test('enough connections are no finding, and behind a pooler nothing is known', () => {
  expect(found({ jobs: 16 })).toEqual([]);
  const unknown = { limits: { source: undefined, destination: undefined }, plans: new Map() };
  expect(connectionFindings(unknown, { jobs: 16, destinations: 1 })).toEqual([]);
});

test('each limit that is too low is named with its numbers, and with what to set', () => {
  const plans = Array.from({ length: 8 }, () => CHANGES);
  const source = { inUse: 93, roleLimit: 5, ofRole: 2, databaseLimit: 200 };
  expect(found({ source, jobs: 8, plans })).toMatchObject([
    {
      level: 'warning',
      code: 'CONNECTIONS',
      message:
        'a sync with 8 jobs needs up to 8 connections to the source, and 3 are left: max_connections is 100, of which 3 are reserved and 93 in use; the CONNECTION LIMIT of role "reader" is 5, of which 2 are in use',
      action:
        'Set "jobs" to 3 in tables-config.json. Or at the source, raise max_connections to 104 or more; run: ALTER ROLE "reader" CONNECTION LIMIT 10',
    },
  ]);
});

test('with one job there is no smaller number to set', () => {
  expect(found({ destination: { databaseLimit: 5, ofDatabase: 4 } })).toMatchObject([
    {
      message:
        'a sync needs up to 2 connections to the destination, and 1 is left: the CONNECTION LIMIT of database "shop" is 5, of which 4 are in use',
      action: 'At the destination, run: ALTER DATABASE "shop" CONNECTION LIMIT 6',
    },
  ]);
});
