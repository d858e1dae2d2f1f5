/** What the last sync of each table said, because `check` cannot foresee each failure. */
import { formatAge } from '../report/age.ts';
import { codesText } from '../report/error.ts';
import { isRecorded } from '../report/same-failure.ts';
import { resetAtOf } from '../sync/facts/saved-state.ts';
import {
  failureBefore,
  failureWord,
  isBeforeReset,
  plannedSince,
  type RunRecord,
} from '../schema/run-record.ts';
import type { TableFacts } from '../sync/facts/facts.ts';
import { note, warning, type Finding } from './finding.ts';

interface KnownFindings {
  readonly findings: readonly Finding[];
  readonly now: Date;
  /** Of the plan of a table. */
  readonly actionOf: (name: string) => string | undefined;
}

/** Only for tables without an error of their own, which is probably the reason, and not for an error that the pipeline has now. */
export function lastFailureFindings(
  tables: readonly Pick<TableFacts, 'settings' | 'recordName' | 'saved'>[],
  failures: ReadonlyMap<string, RunRecord>,
  { findings, now, actionOf }: KnownFindings,
): Finding[] {
  const ofPipeline = findings.filter(({ level, table }) => level === 'error' && table === undefined);
  const refused = new Set(findings.flatMap(({ level, table }) => (level === 'error' ? [table] : [])));
  return tables.flatMap(({ settings, recordName, saved }) => {
    const { name, isEnabled } = settings;
    const run = failures.get(recordName);
    if (!run || isBeforeReset(run, resetAtOf(saved)) || failureWord(run) !== 'failed' || refused.has(name))
      return [];
    const recorded = { code: run.error_code, message: run.error_message };
    if (ofPipeline.some((finding) => isRecorded(finding, recorded))) return [];
    const { code, sqlstate, message, hint } = failureBefore(
      run,
      isEnabled ? plannedSince(settings) : 'answered',
      actionOf(name),
    );
    const age = formatAge((now.getTime() - Date.parse(run.started_at)) / 1000);
    const text = `the last sync failed ${age} ago: ${message} (${codesText(code, sqlstate)})`;
    return [
      hint === '' && run.error_hint
        ? note('LAST_SYNC_FAILED', name, text)
        : warning('LAST_SYNC_FAILED', name, text, hint),
    ];
  });
}
