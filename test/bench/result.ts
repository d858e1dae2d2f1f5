/** What a benchmark has found, as its JSON has it: seconds, bytes, times in RFC 3339 UTC. It only ever grows. */

export const FORMAT_VERSION = 1;

export interface Figures {
  readonly wall_s: number;
  /** Of the command with all that it starts, and of both servers; null where the system has no /proc. */
  readonly cpu_s: number | null;
  /** The largest resident set of any one process of the command; null where it is not known. */
  readonly peak_bytes: number | null;
}

export interface ContestantResult {
  readonly name: string;
  readonly runs: readonly Figures[];
  readonly median: Figures;
  readonly rows_per_s: number | null;
  readonly bytes_per_s: number | null;
}

export type Verdict = 'met' | 'ABOVE TARGET' | 'no target';

/** The subject's time over the reference's; below 1 the subject is faster. */
export interface Comparison {
  readonly subject: string;
  readonly reference: string;
  readonly ratio_of_medians: number;
  /** Of the runs of one round with each other. */
  readonly median_of_ratios: number;
  readonly target: number | null;
  readonly verdict: Verdict;
}

export type Unit = 's' | 'ms' | 'bytes' | 'rows' | 'round trips';

/** A figure that stands for itself. */
export interface Limit {
  readonly what: string;
  readonly unit: Unit;
  readonly value: number;
  readonly target: number | null;
  readonly verdict: Verdict;
}

export interface ScenarioResult {
  readonly name: string;
  readonly title: string;
  /** That one run moves; null where none are meant to move. */
  readonly rows: number | null;
  /** As COPY writes these rows. */
  readonly bytes: number | null;
  readonly contestants: readonly ContestantResult[];
  readonly comparisons: readonly Comparison[];
  readonly limits: readonly Limit[];
  readonly notes: readonly string[];
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memory_bytes: number;
  readonly system: string;
  readonly node: string;
  readonly postgres: string;
  readonly tools: Readonly<Record<string, string | null>>;
  readonly server_settings: Readonly<Record<string, string>>;
}

export interface BenchResult {
  readonly format_version: typeof FORMAT_VERSION;
  readonly increp: string;
  readonly date: string;
  readonly is_quick: boolean;
  readonly rounds: number;
  /** Of the large table. */
  readonly rows: number;
  /** Of the large table at the source, without its indexes. */
  readonly table_bytes: number;
  readonly machine: Machine;
  readonly scenarios: readonly ScenarioResult[];
  readonly notes: readonly string[];
}

/** increp itself, and not a reference; where it meets itself its name goes on. */
export const isIncrep = ({ name }: Pick<ContestantResult, 'name'>): boolean => name.startsWith('increp');

/** @throws Error when it is not a result of a version that we can read */
export function parseResult(text: string): BenchResult {
  const found: unknown = JSON.parse(text);
  const version =
    typeof found === 'object' && found && 'format_version' in found ? found.format_version : undefined;
  if (version !== FORMAT_VERSION)
    throw new Error(`format_version is ${String(version)}, not ${FORMAT_VERSION}`);
  return found as BenchResult;
}
