/** Prints the run as JSON for `sync --json`: one object per line, the summary last. */
import type { Listener, RunEvent } from '../events.ts';
import { inFields, mapStrings, type Redact } from '../redact.ts';
import { reasonText } from '../report/reasons.ts';
import { FORMAT_VERSION, summaryToJson, tableToJson } from '../report/summary-json.ts';

/** Undefined for events without a line. Warnings and retries go to the log. */
function eventToJson(event: RunEvent) {
  switch (event.type) {
    case 'run-started':
      return {
        type: 'run_started' as const,
        format_version: FORMAT_VERSION,
        run_id: event.runId,
        pipeline: event.pipeline,
        started_at: event.startedAt.toISOString(),
        tables: event.tables,
        ...(event.destinations && { destinations: event.destinations }),
        ...(event.jobs !== undefined && { jobs: event.jobs }),
      };
    case 'table-planned':
      return {
        type: 'table_planned' as const,
        name: event.table,
        ...(event.destination !== undefined && { destination: event.destination }),
        action: event.action,
        reason: reasonText(event.reasons),
        estimated_rows: event.estimatedRows ?? null,
      };
    case 'table-finished':
      return { type: 'table' as const, ...tableToJson(event.outcome) };
    case 'run-finished':
      return summaryToJson(event.summary);
    default:
      return undefined;
  }
}

/** `write` receives whole lines, including the newline. */
export function jsonListener(write: (line: string) => void, redact: Redact = (text) => text): Listener {
  return (event) => {
    const json = eventToJson(event);
    if (json) write(`${JSON.stringify(mapStrings(json, inFields(redact)))}\n`);
  };
}
