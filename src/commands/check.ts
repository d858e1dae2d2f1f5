/** Trouble, before it happens. */
import { formatFindings } from '../observe/findings.ts';
import { redactedJson } from '../redact.ts';
import { FORMAT_VERSION } from '../summary-json.ts';
import { check } from '../sync/check/check.ts';
import type { Finding } from '../sync/check/finding.ts';
import { withContext } from './context.ts';
import { expandTables } from './expand-tables.ts';
import type { GlobalOptions } from './options.ts';
import { selectTables } from './select-tables.ts';

export interface CheckOptions extends GlobalOptions {
  readonly json: boolean;
  /** Send a test message to the webhook. */
  readonly webhook: boolean;
}

export async function checkCommand(tables: readonly string[], options: CheckOptions): Promise<number> {
  return withContext(options, async (configured) => {
    const { context, unmatched, nothing } = await expandTables(configured, { source: 'may' });
    const { settings, work, terminal, redact } = context;
    const findings = await check(work, {
      tables: nothing ? [] : selectTables(settings.tables, { names: tables, excluded: [] }),
      unmatched,
      nothing,
      testsWebhook: options.webhook,
    });
    terminal.out(
      options.json ? redactedJson(toJson(findings), redact) : redact(formatFindings(findings, terminal.look)),
    );
    return findings.find(({ level }) => level === 'error')?.exitCode ?? 0;
  });
}

const toJson = (findings: readonly Finding[]): object => ({
  type: 'check',
  format_version: FORMAT_VERSION,
  findings: findings.map(({ level, code, table = null, message, action = null }) => ({
    level,
    code,
    table,
    message,
    action,
  })),
});
