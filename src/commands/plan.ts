/** What `sync` would do, and why. Writes nothing anywhere. */
import { gatherFacts } from '../sync/facts.ts';
import { ensureDifferentDatabases } from '../sync/same-database.ts';
import { foresee, type Foreseen } from '../sync/foresee.ts';
import { describeDependent } from '../sync/reshape/foreseen.ts';
import { formatPlan } from '../observe/plan.ts';
import { printName } from '../schema/names.ts';
import { redactedJson } from '../redact.ts';
import { errorToJson, FORMAT_VERSION } from '../summary-json.ts';
import { withContext } from './context.ts';
import { expandTables } from './expand-tables.ts';
import type { GlobalOptions } from './options.ts';
import { selectTables } from './select-tables.ts';
import { sayRemarks } from './trouble.ts';

export interface PlanOptions extends GlobalOptions {
  readonly exclude: readonly string[];
  readonly fullRefresh: boolean;
  readonly deletes: boolean;
  readonly json: boolean;
  /** Exit 2 where there is something to do. */
  readonly exitCode: boolean;
}

export async function planCommand(tables: readonly string[], options: PlanOptions): Promise<number> {
  return withContext(options, async (configured) => {
    const { context, unmatched, remarks, nothing } = await expandTables(configured, { source: 'must' });
    if (nothing) throw nothing;
    const { settings, work, terminal, redact } = context;
    const facts = await gatherFacts(
      work,
      selectTables(settings.tables, { names: tables, excluded: options.exclude }),
    );
    ensureDifferentDatabases(settings, facts.servers);
    const foreseen = await foresee(work, facts, {
      isFullRefresh: options.fullRefresh,
      areDeletesForced: options.deletes,
      now: new Date(),
    });
    terminal.out(
      options.json
        ? redactedJson(toJson(foreseen, unmatched), redact)
        : redact(formatPlan(foreseen.map(inWords), terminal.look)),
    );
    sayRemarks(remarks, context);
    return exitCodeFor(foreseen, options);
  });
}

function exitCodeFor(foreseen: readonly Foreseen[], { exitCode }: PlanOptions): number {
  const refused = foreseen.flatMap(({ error }) => (error ? [error.exitCode] : []));
  if (refused[0] !== undefined) return new Set(refused).size === 1 ? refused[0] : 1;
  return exitCode && foreseen.some(({ hasWork }) => hasWork) ? 2 : 0;
}

const inWords = (table: Foreseen) => ({
  ...table,
  copy: table.copyName === table.name ? undefined : printName(table.copy),
  builtOn: table.dependents.map((each) => describeDependent(each)),
});

const toJson = (foreseen: readonly Foreseen[], unmatched: readonly string[]): object => ({
  type: 'plan',
  format_version: FORMAT_VERSION,
  tables: foreseen.map(tableJson),
  unmatched_patterns: unmatched,
});

const tableJson = (table: Foreseen) => ({
  name: table.name,
  pattern: table.pattern ?? null,
  destination: { schema: table.copy.schema, table: table.copy.table },
  action: table.action,
  reason: table.reason,
  selects: table.selects ?? null,
  rules: table.rules,
  loader: table.loader ?? null,
  estimated_rows: table.estimated?.rows ?? null,
  estimated_bytes: table.estimated?.bytes ?? null,
  table_rows: table.whole?.rows ?? null,
  table_bytes: table.whole?.bytes ?? null,
  cursor: table.cursor,
  high_water_mark: table.high,
  looks_for_deletes: table.removesDeleted,
  alterations: table.evolution?.alterations ?? [],
  fills: table.evolution
    ? {
        columns: table.evolution.filled,
        compared_columns: table.evolution.compared,
        estimated_rows: table.evolution.rows ?? null,
      }
    : null,
  dependents: table.dependents.map(({ kind, name, of, owner, isOurs, canMove }) => ({
    kind,
    name,
    of_table: of,
    owner,
    can_move: canMove && isOurs,
  })),
  obstruction: table.obstruction ? { message: table.obstruction.what, hint: table.obstruction.next } : null,
  warnings: table.warnings,
  error: table.error ? errorToJson(table.error) : null,
});
