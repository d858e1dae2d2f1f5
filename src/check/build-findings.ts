/** Converts the facts of `inspect` to findings: pure. */
import type { Settings } from '../config/settings.ts';
import type { TableFacts } from '../sync/facts/facts.ts';
import { conflictLogFindings } from './conflict-log-findings.ts';
import { constraintFindings, tablesByOid, type TablesByOid } from './constraint-findings.ts';
import { deletionLogFindings } from './deletion-log-findings.ts';
import { destinationFindings } from './destination-findings.ts';
import { connectionFindings } from './connection-findings.ts';
import { failureFinding, note, warning, type Finding } from './finding.ts';
import type { Inspection } from './inspect.ts';
import { objectFindings } from './object-findings.ts';
import { selectionFindings } from './selection-findings.ts';
import { serverFindings, type SideConnections } from './server-findings.ts';
import { sourceTableFindings } from './table-findings.ts';

/** Without `canSync`, no sync can write the state directory. Another finding says why. */
export function buildFindings(
  found: Inspection,
  configured: SideConnections & Pick<Settings, 'jobs' | 'destinations' | 'tables'>,
  canSync = true,
): Finding[] {
  const { jobs, destinations, tables } = configured;
  const byOid = tablesByOid(found.facts.tables);
  const checked = new Set([...found.facts.tables, ...found.facts.failures].map((each) => each.settings.name));
  const isWhole = tables.every(({ name }) => checked.has(name));
  return [
    ...serverFindings(found, configured),
    ...connectionFindings(found, { jobs, destinations: Math.max(1, destinations.length) }),
    ...found.failures.map(({ settings, error }) => failureFinding(error, settings.name)),
    ...found.facts.tables.flatMap((table) => tableFindings(table, { found, canSync, byOid, isWhole })),
  ];
}

interface Findable {
  readonly found: Inspection;
  readonly canSync: boolean;
  readonly byOid: TablesByOid;
  readonly isWhole: boolean;
}

function tableFindings(table: TableFacts, { found, canSync, byOid, isWhole }: Findable): Finding[] {
  const plan = found.plans.get(table);
  const { name } = table.settings;
  // A table without a plan is among the failures.
  if (!plan) return [];
  if (plan.kind === 'skip') return [note('DISABLED', name, 'the table is disabled')];
  if (plan.kind === 'refuse') return [plan.error, ...plan.others].map((error) => failureFinding(error, name));
  const unreadable = found.unreadable.get(table);
  return [
    ...(unreadable ? [failureFinding(unreadable, name)] : []),
    ...sourceTableFindings(table, plan, found),
    ...selectionFindings(table, found),
    ...deletionLogFindings(table, found.deletionLogs.get(table)),
    ...objectFindings(table, found.copies.get(table)),
    ...conflictLogFindings(table, found.conflictLogs.get(table)),
    ...stateFindings(table, canSync),
    ...destinationFindings(table, plan, found),
    ...constraintFindings(table, { byOid, isWhole }),
  ];
}

/** If no sync can write the directory, its finding has the fix of these too. */
const stateFindings = ({ saved, settings }: TableFacts, canSync: boolean): Finding[] =>
  'warnings' in saved && canSync
    ? saved.warnings.map((message) =>
        warning('STATE', settings.name, message, 'The next sync writes the file again, if it can.'),
      )
    : [];
