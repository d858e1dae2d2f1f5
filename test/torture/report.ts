/** What a person wants to know of a run. */
import type { Comparison } from './compare.ts';
import type { TortureResult } from './harness.ts';
import type { SyncCounts } from './sync-counts.ts';

export function formatReport(result: TortureResult): string {
  const { options, writes, syncs, reader, meddled } = result;
  return [
    `seed ${options.seed}, ${options.writers} writers, ${result.seconds.toFixed(0)} s`,
    '',
    `writers    ${writes.committed} committed, ${writes.prepared} prepared (${writes.preparedCommitted} committed, ` +
      `${writes.preparedRolledBack} rolled back, ${writes.preparedLost} lost), ${writes.rolledBack} rolled back, ${writes.failed} failed on ` +
      `conflicts; ${writes.long} open for more than 3 s`,
    `           ${writes.rows} rows written`,
    ...syncLines('syncs', syncs),
    ...syncLines('second', result.spokeSyncs),
    `people     ${meddled.truncated} times TRUNCATE, ${meddled.reset} times reset, ${meddled.refused} times locked out`,
    `reader     ${reader.looks} looks, the slowest ${reader.slowest.toFixed(2)} s`,
    '',
    ...comparisonLines('increp', result.copy),
    ...result.copy.flatMap(({ examples }) => examples.map((line) => `    ${line}`)),
    ...comparisonLines('second pipeline, from the destination of the first', result.spoke),
    ...result.spoke.flatMap(({ examples }) => examples.map((line) => `    ${line}`)),
    ...comparisonLines(`plain max(key) cursor (${result.controlRuns} runs, never killed)`, result.control),
    result.failures.length === 0
      ? 'PASSED'
      : `FAILED\n${result.failures.map((line) => `- ${line}`).join('\n')}`,
    '',
  ].join('\n');
}

const syncLines = (name: string, syncs: SyncCounts): string[] => [
  `${name.padEnd(10)} ${syncs.runs} runs: ${syncs.completed} completed, ${syncs.killed} killed, ${syncs.terminated} ` +
    `terminated, ${syncs.disconnected} disconnected, ${syncs.failedOver} failed over, ${syncs.failed} failed once, ` +
    `${syncs.locked} locked out; ${syncs.fenced} left fences`,
  `           ${syncs.rowsRead} rows read: ${syncs.rowsInserted} inserted, ${syncs.rowsUpdated} updated, ` +
    `${syncs.rowsUnchanged} unchanged; ${syncs.rowsDeleted} deleted`,
];

function comparisonLines(title: string, comparison: Comparison): string[] {
  const lines = comparison.map(
    ({ table, sourceRows, missing, stale, extra }) =>
      `  ${table.padEnd(9)} ${String(sourceRows).padStart(8)} rows at the source, ${missing} missing, ${stale} stale, ${extra} extra`,
  );
  return [title, ...lines, ''];
}
