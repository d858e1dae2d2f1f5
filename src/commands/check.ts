/** `increp check`: finds problems before a sync does. */
import { exitCodeOfTables } from '../errors.ts';
import { onlyAtDestination } from '../shell-word.ts';
import { formatFindings } from '../report/findings.ts';
import { redactedJson } from '../redact.ts';
import { FORMAT_VERSION } from '../report/summary-json.ts';
import { check } from '../check/check.ts';
import type { Finding } from '../check/finding.ts';
import { withContext } from './pipeline/context.ts';
import { expandTables } from '../pipeline/expand-tables.ts';
import { eachDestination, ofDestination, type DestinationResults } from './pipeline/each-destination.ts';
import type { GlobalOptions } from './terminal/options.ts';
import { sharedFailures } from '../pipeline/shared-failures.ts';
import { selectTables } from '../pipeline/select-tables.ts';

export interface CheckOptions extends GlobalOptions {
  readonly destination: readonly string[];
  readonly json: boolean;
  readonly verbose: boolean;
  /** Send a test message to the webhook. */
  readonly webhook: boolean;
}

export async function checkCommand(tables: readonly string[], options: CheckOptions): Promise<number> {
  return withContext(options, async (configured) => {
    const { context, unmatched, noTables } = await expandTables(configured, { source: 'may' });
    const { settings, terminal, redact, pipelines } = context;
    const chosen = noTables ? [] : selectTables(settings.tables, { names: tables, excluded: [] });
    const enabled = chosen.filter(({ isEnabled }) => isEnabled).length;
    const failures = await sharedFailures(context);
    const told = new Set<string>();
    const result = await eachDestination(context, {
      isJson: options.json,
      run: async (pipeline) => {
        const found = await check(pipeline.runContext, {
          tables: chosen,
          unmatched,
          noTables,
          testsWebhook: options.webhook,
          isFirst: pipeline === pipelines[0],
          lastFailures: await failures.readLast(pipeline),
        });
        const findings = found.map((finding) => ({
          ...finding,
          action:
            finding.action && !(finding.code === 'LAST_SYNC_FAILED' && failures.has(finding.table ?? ''))
              ? onlyAtDestination(finding.action, pipeline.name)
              : finding.action,
          // The source has its findings at each destination. The errors of a destination stay together.
          isTold: finding.level !== 'error' && told.has(JSON.stringify(finding)),
        }));
        for (const finding of found) told.add(JSON.stringify(finding));
        if (!options.json) {
          const how = { tables: enabled, isVerbose: options.verbose };
          terminal.out(redact(formatFindings(findings, terminal.style, how)));
        }
        return {
          result: { findings, of: ofDestination(pipeline) },
          exitCode: exitCodeFor(findings, enabled),
        };
      },
    });
    if (options.json) terminal.out(redactedJson(toJson(result), redact));
    return result.exitCode;
  });
}

/** An error of the pipeline as a whole comes first. */
function exitCodeFor(findings: readonly Finding[], tables: number): number {
  const errors = findings.filter(({ level }) => level === 'error');
  const ofPipeline = errors.find(({ table }) => table === undefined);
  if (ofPipeline) return ofPipeline.exitCode ?? 1;
  // A sync reports the first error of a table.
  const firsts = [...Map.groupBy(errors, ({ table }) => table).values()].flatMap(([first]) => first ?? []);
  return exitCodeOfTables(
    firsts.map(({ exitCode }) => exitCode ?? 1),
    tables,
  );
}

interface DestinationFindings {
  readonly findings: readonly Finding[];
  readonly of: object;
}

const toJson = ({ results, json }: DestinationResults<DestinationFindings>): object => ({
  type: 'check',
  format_version: FORMAT_VERSION,
  ...json,
  findings: results.flatMap(({ findings, of }) =>
    findings.map(({ level, code, table = null, message, action = null }) => ({
      ...of,
      level,
      code,
      table,
      message,
      action,
    })),
  ),
});
