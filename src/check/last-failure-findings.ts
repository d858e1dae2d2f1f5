/** What the last sync of each table said, because `check` cannot foresee each failure. */
import { formatAge } from '../report/age.ts';
import { codesText } from '../report/error.ts';
import { isRecorded } from '../report/same-failure.ts';
import { resetAtOf } from '../sync/facts/saved-state.ts';
import {
  failureBefore,
  failureWord,
  isBeforeReset,
  isEqualSince,
  plannedSince,
  type KnownSince,
  type RunRecord,
} from '../schema/run-record.ts';
import type { TableFacts } from '../sync/facts/facts.ts';
import { mayStage } from '../sync/plan/destination-refusals.ts';
import type { Plan } from '../sync/plan/plan.ts';
import { note, warning, type Finding } from './finding.ts';

interface KnownFindings {
  readonly findings: readonly Finding[];
  /** When a comparison found a table equal after a failure, by the name in the history. */
  readonly equal: ReadonlyMap<string, string>;
  readonly now: Date;
}

/** Only for tables without an error of their own, which is probably the reason, and not for an error that the pipeline has now. */
export function lastFailureFindings(
  plans: ReadonlyMap<TableFacts, Plan>,
  failures: ReadonlyMap<string, RunRecord>,
  { findings, equal, now }: KnownFindings,
): Finding[] {
  const ofPipeline = findings.filter(({ level, table }) => level === 'error' && table === undefined);
  const refused = new Set(findings.flatMap(({ level, table }) => (level === 'error' ? [table] : [])));
  return [...plans].flatMap(([table, plan]) => {
    const { settings, recordName, saved } = table;
    const { name } = settings;
    const run = failures.get(recordName);
    if (!run || isBeforeReset(run, resetAtOf(saved)) || failureWord(run) !== 'failed' || refused.has(name))
      return [];
    const recorded = { code: run.error_code, message: run.error_message };
    if (ofPipeline.some((finding) => isRecorded(finding, recorded))) return [];
    const known = isEqualSince(run, equal.get(recordName)) ? 'equal' : sincePlan(table, plan, run);
    const { code, sqlstate, message, hint } = failureBefore(
      run,
      known,
      'action' in plan ? plan.action : undefined,
    );
    const age = formatAge((now.getTime() - Date.parse(run.started_at)) / 1000);
    const text = `the last sync failed ${age} ago: ${message} (${codesText(code, sqlstate)})`;
    return [
      known === 'equal' || (hint === '' && run.error_hint)
        ? note('LAST_SYNC_FAILED', name, text, hint === '' ? undefined : hint)
        : warning('LAST_SYNC_FAILED', name, text, hint),
    ];
  });
}

function sincePlan(table: TableFacts, plan: Plan, run: RunRecord): KnownSince {
  const { isEnabled, deletionLog } = table.settings;
  if (!isEnabled) return 'answered';
  const keepsShape =
    (plan.kind === 'incremental' && !plan.evolution) ||
    (plan.kind === 'load' && plan.action === 'full-refresh');
  const mayLoad = plan.kind === 'load' && plan.action === 'reset';
  return plannedSince(run, { deletionLog, keepsShape, mayStage: mayStage(table), mayLoad });
}
