/** What `sync` would do, and why. Writes nothing anywhere. */
import { gatherFacts } from '../sync/facts.ts';
import { ensureDifferentDatabases } from '../sync/same-database.ts';
import { foresee, type Foreseen } from '../sync/foresee.ts';
import { describeDependent } from '../sync/reshape/foreseen.ts';
import { formatPlan } from '../observe/plan.ts';
import { redactedJson } from '../redact.ts';
import { errorToJson, FORMAT_VERSION } from '../summary-json.ts';
import { withContext } from './context.ts';
import type { GlobalOptions } from './options.ts';
import { selectTables } from './select-tables.ts';

export interface PlanOptions extends GlobalOptions {
  readonly exclude: readonly string[];
  readonly fullRefresh: boolean;
  readonly deletes: boolean;
  readonly json: boolean;
  /** Exit 2 where there is something to do. */
  readonly exitCode: boolean;
}

export async function planCommand(tables: readonly string[], options: PlanOptions): Promise<number> {
  return withContext(options, async ({ settings, work, terminal, redact }) => {
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
        ? redactedJson(toJson(foreseen), redact)
        : redact(formatPlan(foreseen.map(inWords), terminal.look)),
    );
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
  builtOn: table.dependents.map((each) => describeDependent(each)),
});

const toJson = (foreseen: readonly Foreseen[]): object => ({
  type: 'plan',
  format_version: FORMAT_VERSION,
  tables: foreseen.map(tableJson),
});

const tableJson = (table: Foreseen) => ({
  name: table.name,
  action: table.action,
  reason: table.reason,
  rules: table.rules,
  loader: table.loader ?? null,
  estimated_rows: table.estimated?.rows ?? null,
  estimated_bytes: table.estimated?.bytes ?? null,
  table_rows: table.whole?.rows ?? null,
  table_bytes: table.whole?.bytes ?? null,
  cursor: table.cursor,
  high_water_mark: table.high,
  looks_for_deletes: table.removesDeleted,
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
