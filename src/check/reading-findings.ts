/** Findings about the way in which a table is read: its loader, long transactions and locks. */
import { formatBytes } from '../format.ts';
import { copyCauseText } from '../report/reasons.ts';
import { fillsLockTable, lockNeedsAdvice, lockNeedsText } from '../schema/lock-needs.ts';
import { printName } from '../schema/names.ts';
import type { TableFacts } from '../sync/facts/facts.ts';
import { unfitForChunks } from '../sync/plan/chunk-choice.ts';
import { unfitTools } from '../sync/plan/loader-choice.ts';
import { isKeyedPlan } from '../sync/plan/plan.ts';
import { note, warning, type Finding } from './finding.ts';
import type { Inspection } from './inspect.ts';
import type { Workable } from './table-findings.ts';

/** A problem with pg_dump itself is reported once, for all tables. */
export function loaderFindings(
  { settings: { name } }: TableFacts,
  plan: Workable,
  found: Inspection,
): Finding[] {
  if (plan.kind !== 'load' || !plan.loader.cause || plan.loader.cause.code === 'small-table') return [];
  const { pgDump, facts } = found;
  if (
    pgDump &&
    plan.loader.cause.code === unfitTools({ tools: pgDump.tools, server: facts.servers.source })?.code
  )
    return [];
  return [note('LOADER', name, copyCauseText(plan.loader.cause))];
}

/** Bytes. A load of a larger table locks it against ALTER TABLE for minutes. */
const LARGE = 1_000_000_000;

/** A statement that waits for the lock of a load makes all later queries of the table wait. */
export function largeLoadFindings({ settings: { name, chunk } }: TableFacts, plan: Workable): Finding[] {
  const { source } = plan;
  const isAdvised =
    plan.kind === 'load' &&
    isKeyedPlan(plan) &&
    plan.adoption === undefined &&
    chunk === undefined &&
    source.bytes > LARGE &&
    unfitForChunks(source) === undefined;
  return isAdvised
    ? [
        note(
          'LARGE_LOAD',
          name,
          `the load reads ${formatBytes(source.bytes)} of ${printName(source.name)} in one transaction; an ALTER TABLE waits for its end, and all later queries of the table wait for the ALTER TABLE`,
          `Set "chunk": "1GB", so that each transaction reads one chunk. In migrations of the source, set lock_timeout.`,
        ),
      ]
    : [];
}

const READ_IN_GROUPS =
  'increp reads the partitions in groups if its role has SELECT on each of them, no policy applies, and SQL of the entry names no column of the table with its schema.';

/** Partitions that fill the lock table of the source, before a sync meets them. */
export function lockFindings(
  { settings, sourceRows }: TableFacts,
  { source }: Workable,
  { lockNeeds }: Inspection,
): Finding[] {
  const needs = lockNeeds.get(source.oid);
  if (needs && sourceRows.inGroups)
    return [
      note(
        'LOCK_TABLE',
        settings.name,
        `${printName(source.name)} ${lockNeedsText(needs)}; increp reads the partitions in groups`,
        `No action is needed, except for "deletes_from": it reads the table in one statement. ${lockNeedsAdvice(needs)}`,
      ),
    ];
  return needs && fillsLockTable(needs)
    ? [
        warning(
          'LOCK_TABLE',
          settings.name,
          `${printName(source.name)} ${lockNeedsText(needs)}`,
          `${READ_IN_GROUPS} ${lockNeedsAdvice(needs)}`,
        ),
      ]
    : [];
}
