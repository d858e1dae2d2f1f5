/** The plan of a table that is in order, except for what a test changes. */
import type { TableFacts } from '../../../src/sync/facts/facts.ts';
import { reasonText } from '../../../src/report/reasons.ts';
import { ordinaryRequest, type PlanRequest } from '../../../src/sync/plan/plan.ts';
import { planTable } from '../../../src/sync/plan/plan-table.ts';
import { PLAINLY } from '../../../src/schema/state-record.ts';
import { facts, record, relation } from './table-facts.ts';

export const planFor = (now: TableFacts, request: Partial<PlanRequest> = {}) => {
  const planned = planTable(now, { ...ordinaryRequest(), ...request });
  return { ...planned, reason: reasonText(planned.reasons) };
};
export const plan = (change: Partial<TableFacts> = {}, isFullRefresh = false) =>
  planFor(facts(change), { isFullRefresh });
export const settings = (change: Partial<TableFacts['settings']>) => ({
  settings: { ...facts().settings, ...change },
});
export const none = { kind: 'none', why: { code: 'cursor-unknown' }, warnings: [] } as const;

export const versionKey = { index: 'orders_pkey', columns: ['id', 'updated_at'] };
export const historyCopy = (change: object = {}) =>
  relation({ oid: '2', uniqueKeys: [versionKey], ...change });
export const asHistory = (change: Partial<TableFacts> = {}): Partial<TableFacts> => ({
  ...settings({ mode: 'incremental-append' }),
  destination: historyCopy(),
  saved: {
    kind: 'record',
    record: record({ writtenAs: { ...PLAINLY, mode: 'incremental-append' } }),
    warnings: [],
  },
  ...change,
});
