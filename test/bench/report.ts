/** A result in the words of docs/performance.md and of the README. */
import { formatBytes, formatCount } from '../../src/format.ts';
import type { BenchResult, ContestantResult } from './result.ts';
import { formatRatio, formatWall } from './table.ts';

export function machineLines({ date, machine, rows, table_bytes, rounds, is_quick }: BenchResult): string {
  const settings = Object.entries(machine.server_settings).map(([name, value]) => `${name} ${value}`);
  const programs = Object.entries(machine.tools).flatMap(([name, version]) =>
    version === null || name === 'bash' ? [] : [version],
  );
  return [
    ...(is_quick
      ? [
          '**A quick run: few rows and few rounds. It shows the form of a result, and no numbers to go by.**',
          '',
        ]
      : []),
    `- ${date.slice(0, 10)}; ${machine.cpu}, ${machine.cores} cores, ${formatBytes(machine.memory_bytes)} of memory; ${machine.system}; Node ${machine.node}`,
    `- a table of ${formatCount(rows)} rows, ${formatBytes(table_bytes)}; medians of ${rounds} rounds`,
    `- two PostgreSQL ${machine.postgres} on loopback, both with ${settings.join(', ')}`,
    `- ${programs.length === 0 ? 'no client programs of Postgres' : programs.join('; ')}`,
  ].join('\n');
}

/** Three of them; what was not measured has none. */
export function readmeLines(result: BenchResult): string {
  const lines = [loadLine(result), changeLine(result), quietLine(result)];
  return lines
    .filter((line) => line !== undefined)
    .map((line) => `- ${line}`)
    .join('\n');
}

const scenarioOf = ({ scenarios }: BenchResult, name: string) => scenarios.find((each) => each.name === name);

function loadLine(result: BenchResult): string | undefined {
  const found = scenarioOf(result, 'initial-copy');
  const [increp] = found?.contestants ?? [];
  if (!found || !increp) return undefined;
  return `${formatCount(result.rows)} rows (${formatBytes(result.table_bytes)}) loaded in ${timeOf(increp)}${against(found.comparisons[0])}.`;
}

function changeLine(result: BenchResult): string | undefined {
  const found = scenarioOf(result, 'incremental');
  const increp = found?.contestants.find(({ name }) => name === 'increp');
  if (!found || !increp) return undefined;
  const [comparison] = found.comparisons;
  return `${found.title}, applied in ${timeOf(increp)}${against(comparison)}.`;
}

function quietLine(result: BenchResult): string | undefined {
  const [increp] = scenarioOf(result, 'quiet')?.contestants ?? [];
  return increp && `Nothing changed: ${increp.name.replace('increp, ', '')} checked in ${timeOf(increp)}.`;
}

const timeOf = ({ median }: ContestantResult) => formatWall(median.wall_s);

const against = (comparison: { reference: string; ratio_of_medians: number } | undefined) =>
  comparison
    ? `, ${formatRatio(comparison.ratio_of_medians)} times the duration of ${comparison.reference}`
    : '';
