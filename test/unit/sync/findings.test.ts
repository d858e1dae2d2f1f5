/** Findings that no test on a server can bring about at will. */
import { expect, test } from 'vitest';
import { buildFindings } from '../../../src/sync/check/findings.ts';
import type { Inspection } from '../../../src/sync/check/inspect.ts';
import { ordinaryRequest, planTable } from '../../../src/sync/plan.ts';
import { facts } from './table-facts.ts';

function inspection(change: Partial<Inspection> = {}, isStandby = false): Inspection {
  const table = facts();
  const { source, destination } = table.servers;
  return {
    facts: {
      servers: { source: { ...source, isStandby }, destination },
      destinationSchema: table.destinationSchema,
      hasStateTable: true,
      hasRunsTable: true,
      hasLoadTables: true,
      tables: [table],
    },
    plans: new Map([[table, planTable(table, ordinaryRequest())]]),
    keys: new Map([[table, { nullKeys: 0, futureKeys: 0, cachedSequence: null }]]),
    writeRefusal: undefined,
    writable: [],
    longTransactions: [],
    clockSkewSeconds: 0,
    isEncrypted: { source: true, destination: false },
    ...change,
  };
}

const found = (given: Inspection, code: string) => buildFindings(given).find((each) => each.code === code);

test('servers are named with their versions and their encryption', () => {
  const { message } = found(inspection(), 'SERVERS') ?? {};
  expect(message).toBe('source: PostgreSQL 15.0, TLS; destination: PostgreSQL 15.0, no TLS');
});

test('clocks that are apart, in either direction', () => {
  expect(found(inspection({ clockSkewSeconds: 1.9 }), 'CLOCKS')).toBeUndefined();
  for (const clockSkewSeconds of [2.5, -2.5]) {
    expect(found(inspection({ clockSkewSeconds }), 'CLOCKS')).toMatchObject({
      level: 'warning',
      action: 'Let both follow NTP.',
    });
  }
});

test('a standby as source', () => {
  expect(found(inspection({}, true), 'STANDBY')).toMatchObject({ level: 'warning', table: undefined });
  expect(found(inspection(), 'STANDBY')).toBeUndefined();
});

test('transactions that have been open for long, each', () => {
  const longTransactions = [
    { who: 'pid 7 of app', seconds: 3600.4 },
    { who: 'pid 8 of app', seconds: 61 },
  ];
  const messages = buildFindings(inspection({ longTransactions }))
    .filter(({ code }) => code === 'LONG_TRANSACTION')
    .map(({ message }) => message);
  expect(messages).toEqual([
    'pid 7 of app has had a transaction open at the source for 3600 s',
    'pid 8 of app has had a transaction open at the source for 61 s',
  ]);
});
