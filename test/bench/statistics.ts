/** Medians and what is made of them. */
import type { Comparison, ContestantResult, Figures, Limit, Unit, Verdict } from './result.ts';

/** NaN when there are none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2;
}

export function medianFigures(runs: readonly Figures[]): Figures {
  const of = (pick: (figures: Figures) => number | null) => {
    const known = runs.map(pick).filter((value) => value !== null);
    return known.length === runs.length && known.length > 0 ? median(known) : null;
  };
  return {
    wall_s: median(runs.map(({ wall_s }) => wall_s)),
    cpu_s: of(({ cpu_s }) => cpu_s),
    peak_bytes: of(({ peak_bytes }) => peak_bytes),
  };
}

export interface Amount {
  readonly rows: number | null;
  readonly bytes: number | null;
}

export function summarise(name: string, runs: readonly Figures[], amount: Amount): ContestantResult {
  const middle = medianFigures(runs);
  const perSecond = (count: number | null) => (count === null ? null : count / middle.wall_s);
  return {
    name,
    runs,
    median: middle,
    rows_per_s: perSecond(amount.rows),
    bytes_per_s: perSecond(amount.bytes),
  };
}

export function compare(
  subject: ContestantResult,
  reference: ContestantResult,
  target: number | null,
): Comparison {
  const ratio = subject.median.wall_s / reference.median.wall_s;
  const ratios = subject.runs.map((run, round) => run.wall_s / (reference.runs[round]?.wall_s ?? Number.NaN));
  return {
    subject: subject.name,
    reference: reference.name,
    ratio_of_medians: ratio,
    median_of_ratios: median(ratios),
    target,
    verdict: verdictOn(ratio, target),
  };
}

export const limit = (what: string, unit: Unit, value: number, target: number | null): Limit => ({
  what,
  unit,
  value,
  target,
  verdict: verdictOn(value, target),
});

/** What was not measured has not met its target either. */
const verdictOn = (value: number, target: number | null): Verdict =>
  target === null ? 'no target' : value <= target ? 'met' : 'ABOVE TARGET';
