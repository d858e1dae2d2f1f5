/** How fresh are the copies? */
import { formatStatus } from '../observe/status.ts';
import { redactedJson } from '../redact.ts';
import { FORMAT_VERSION } from '../summary-json.ts';
import { tableStatuses, type Statuses, type TableStatus } from '../sync/table-status.ts';
import { withContext } from './context.ts';
import type { GlobalOptions } from './options.ts';
import { selectTables } from './select-tables.ts';

export interface StatusOptions extends GlobalOptions {
  readonly json: boolean;
  readonly exitCode: boolean;
}

export async function statusCommand(tables: readonly string[], options: StatusOptions): Promise<number> {
  return withContext(options, async ({ settings, work, terminal, redact }) => {
    const statuses = await tableStatuses(
      work,
      selectTables(settings.tables, { names: tables, excluded: [] }),
    );
    if (options.json) terminal.out(redactedJson(toJson(settings.pipeline, statuses), redact));
    else terminal.out(redact(formatStatus(statuses.tables, terminal.look, new Date())));
    const { unreachable } = statuses;
    if (unreachable)
      terminal.say(
        redact(
          `warning: from the state files alone, because ${unreachable.message}\n  next: ${unreachable.next}\n`,
        ),
      );
    const isFine =
      !unreachable &&
      statuses.tables.every(({ condition }) => ['ok', 'running', 'disabled'].includes(condition));
    return options.exitCode && !isFine ? 2 : 0;
  });
}

const toJson = (pipeline: string, { tables, unreachable }: Statuses): object => ({
  type: 'status',
  format_version: FORMAT_VERSION,
  pipeline,
  destination_error: unreachable
    ? { code: unreachable.code, message: unreachable.message, hint: unreachable.next }
    : null,
  tables: tables.map(tableJson),
});

function tableJson({ name, condition, failures, cursor, completeUpTo, lastSuccessAt, lastRun }: TableStatus) {
  return {
    name,
    state: condition,
    failures_since_success: failures,
    cursor,
    complete_up_to: completeUpTo,
    last_success_at: lastSuccessAt?.toISOString() ?? null,
    last_run: lastRun ?? null,
  };
}
