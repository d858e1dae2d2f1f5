/** At the end of a run: what `--verify` found, and which tables a comparison has found to differ. */
import type { RunSummary, TableOutcome } from '../events.ts';
import { LISTED, listed, utcTime, labelInList } from '../format.ts';
import type { Reason } from '../reasons.ts';
import { keptRowsLost } from '../report/lost-rows.ts';
import type { NotedComparison } from '../schema/known-differences.ts';
import { tablesCommand } from '../shell-word.ts';
import { noteComparisons } from '../state/known-differences-file.ts';
import type { PipelineContext } from './context.ts';
import { isLoaded } from './note-requested.ts';
import { nameIn, recordNameIn } from './record-names.ts';

/** Returns warnings of the run. A table that failed has its own error. */
export async function noteDifferences(
  { pipelines }: Pick<PipelineContext, 'pipelines'>,
  { tables }: RunSummary,
  isVerified: boolean,
): Promise<readonly string[]> {
  const different: { readonly name: string; readonly label: string; readonly since: string }[] = [];
  for (const { name: destination, settings } of pipelines) {
    const own = tables.filter((table) => table.destination === destination);
    const recordNameOf = recordNameIn(settings);
    const nameOf = nameIn(settings);
    const results = own.flatMap((table) => comparedIn(table, recordNameOf(table.name), isVerified));
    const succeeded = new Map(own.flatMap((table) => (table.status === 'ok' ? [[table.name, table]] : [])));
    for (const { table, since, foundBy, message } of await noteComparisons(
      settings.stateDirectory,
      results,
    )) {
      // The sync of the table has said it, and `status` does.
      if (foundBy === 'lost-rows' || foundBy === 'lost-kept-rows') continue;
      const outcome = succeeded.get(nameOf(table));
      if (!outcome) continue;
      const label = labelInList(outcome);
      different.push({
        name: outcome.name,
        label: foundBy === 'verify' ? `${label} (${message})` : label,
        since,
      });
    }
  }
  const times = different.map(({ since }) => utcTime(since)).toSorted();
  const [first] = times;
  if (first === undefined) return [];
  const names = [...new Set(different.map(({ name }) => name))];
  const command = tablesCommand('verify', names.length > LISTED ? [] : names, []);
  const labels = different.map(({ label }) => label);
  const when = `${new Set(times).size === 1 ? 'at' : 'since'} ${first}`;
  return [
    `a comparison found differences in ${listed(labels, LISTED)} before this run, ${when}; to see whether they are still there, run "${command}"`,
  ];
}

/** Reasons of loads that a command requested. */
const REQUESTED: readonly Reason['code'][] = [
  'full-refresh-requested',
  'was-reset',
  'rows-replaced',
  'adopted',
];

const LOSS = `the destination table was missing or empty, so increp loaded it again; ${keptRowsLost()}`;

function comparedIn(outcome: TableOutcome, table: string, isVerified: boolean): NotedComparison[] {
  const { action, status, error, reasons, cursorBefore: cursor } = outcome;
  const { areDeletesDone = false, hasUniqueKeys = false, lostRows } = outcome;
  if (error?.code === 'VERIFY_FAILED')
    return [
      {
        kind: 'different',
        table,
        cursor,
        foundBy: 'sync',
        message: error.message,
        only: null,
        duplicates: null,
      },
    ];
  if (status !== 'ok') return [];
  const isLoad = isLoaded(outcome);
  const isRead = action !== 'skipped';
  const isRequested = isLoad && reasons.some(({ code }) => REQUESTED.includes(code));
  const isLoss = !isRequested && reasons.some((reason) => 'keptRows' in reason);
  const lost = { foundBy: 'lost-rows', only: 'extra', duplicates: null } as const;
  const lostKept = { foundBy: 'lost-kept-rows', only: null, duplicates: null } as const;
  return [
    {
      kind: 'synced',
      table,
      cursor,
      isLoad,
      isRequested,
      isVerified: isVerified && isRead,
      areDeletesDone,
      hasUniqueKeys,
    },
    ...(lostRows === undefined
      ? []
      : [{ kind: 'different', table, cursor, message: lostRows, ...lost } as const]),
    ...(isLoss ? [{ kind: 'different', table, cursor, message: LOSS, ...lostKept } as const] : []),
  ];
}
