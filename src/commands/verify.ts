/** `increp verify`: compares the destination tables with the source. */
import { asIncrepError, type IncrepError } from '../errors.ts';
import { formatVerification } from '../report/verify.ts';
import { redactedJson } from '../redact.ts';
import { errorToJson, FORMAT_VERSION } from '../report/summary-json.ts';
import { batchesOf } from '../postgres/batches.ts';
import { gatherFacts, inOrder, isUnknown, serversOf, type TableFacts } from '../sync/facts/facts.ts';
import { ensureDifferentDatabases } from '../sync/facts/same-database.ts';
import { repairTable, type Repaired } from '../verify/repair.ts';
import { repairWhole } from '../verify/repair-keyless.ts';
import { isEqual, verifyTable, type Verified } from '../verify/verify.ts';
import type { RunContext } from '../sync/context/run-context.ts';
import { withContext } from './pipeline/context.ts';
import { eachDestination, ofDestination, type DestinationResults } from './pipeline/each-destination.ts';
import { expandTables } from './pipeline/expand-tables.ts';
import type { GlobalOptions } from './terminal/options.ts';
import { selectTables } from './pipeline/select-tables.ts';
import { sayRemarks } from './pipeline/warn-unreachable.ts';

export interface VerifyOptions extends GlobalOptions {
  readonly destination: readonly string[];
  readonly json: boolean;
  /** Fetch or remove the rows that differ. */
  readonly repair: boolean;
  /** Without `delete_limit`. */
  readonly force: boolean;
}

/** For each table the differences, or the error that prevented the comparison. */
export type TableVerification =
  | { readonly verified: Verified; readonly repaired: Repaired | undefined }
  | { readonly name: string; readonly error: IncrepError };

export async function verifyCommand(tables: readonly string[], options: VerifyOptions): Promise<number> {
  return withContext(options, async (configured) => {
    const { context, remarks, noTables } = await expandTables(configured, { source: 'must' });
    if (noTables) throw noTables;
    const { settings, terminal, redact } = context;
    const chosen = selectTables(settings.tables, { names: tables, excluded: [] }).filter(
      ({ isEnabled }) => isEnabled,
    );
    const names = chosen.map(({ name }) => name);
    const result = await eachDestination(context, {
      isJson: options.json,
      run: async ({ name, settings: own, runContext }) => {
        ensureDifferentDatabases(own, await serversOf(runContext));
        const verdicts: TableVerification[] = [];
        const addVerdict = (verdict: TableVerification): void => {
          verdicts.push(verdict);
          if (!options.json) terminal.out(redact(formatVerification(verdict, names, terminal.style)));
        };
        for (const batch of batchesOf(chosen)) {
          const { tables: known, failures } = await gatherFacts(runContext, batch);
          for (const table of inOrder([...known, ...failures], batch))
            addVerdict(
              isUnknown(table)
                ? { name: table.settings.name, error: table.error }
                : await verdictOn(runContext, table, options),
            );
        }
        return {
          result: verdicts.map((verdict) => ({ verdict, of: ofDestination({ name }) })),
          exitCode: exitCodeFor(verdicts),
        };
      },
    });
    if (options.json) terminal.out(redactedJson(toJson(result), redact));
    sayRemarks(remarks, context);
    return result.exitCode;
  });
}

async function verdictOn(
  runContext: RunContext,
  facts: TableFacts,
  { repair, force }: Pick<VerifyOptions, 'repair' | 'force'>,
): Promise<TableVerification> {
  try {
    const verified = await verifyTable(runContext, facts);
    if (!repair || isEqual(verified)) return { verified, repaired: undefined };
    const isKeyless = facts.settings.mergeKey.length === 0;
    const repaired = await (isKeyless ? repairWhole : repairTable)(runContext, facts, { isForced: force });
    // The differences after a repair replace those before it.
    return { verified: await verifyTable(runContext, facts), repaired };
  } catch (error) {
    runContext.signal?.throwIfAborted();
    return { name: facts.settings.name, error: asIncrepError(error) };
  }
}

function exitCodeFor(verdicts: readonly TableVerification[]): number {
  const failed = verdicts.find((verdict) => 'error' in verdict);
  if (failed && 'error' in failed) return failed.error.exitCode;
  return verdicts.every((verdict) => 'verified' in verdict && isEqual(verdict.verified)) ? 0 : 2;
}

interface DestinationVerification {
  readonly verdict: TableVerification;
  readonly of: object;
}

const toJson = ({ results, json }: DestinationResults<readonly DestinationVerification[]>): object => ({
  type: 'verify',
  format_version: FORMAT_VERSION,
  ...json,
  tables: results.flat().map(({ verdict, of }) => {
    const { name, ...result } = tableJson(verdict);
    return { name, ...of, ...result };
  }),
});

function tableJson(verdict: TableVerification) {
  if ('error' in verdict) {
    return { name: verdict.name, status: 'failed', error: errorToJson(verdict.error) };
  }
  const { name, sourceRows, destinationRows, keys, notes, durationSeconds } = verdict.verified;
  const { missing, extra, changed, duplicated, newer, kept } = verdict.verified;
  return {
    name,
    status: isEqual(verdict.verified) ? 'equal' : 'different',
    rows_source: sourceRows,
    rows_destination: destinationRows,
    repaired: verdict.repaired ?? null,
    ...{ missing, extra, changed, duplicated, newer, kept },
    first_keys: Object.fromEntries(
      Object.entries(keys).map(([kind, list]) => [kind, list.map((key): unknown => JSON.parse(key))]),
    ),
    notes,
    duration_s: durationSeconds,
  };
}
