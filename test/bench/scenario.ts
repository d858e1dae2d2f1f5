/** A scenario is a few contestants that do the same work, in turn: A B A B. */
import type { Pool } from 'pg';
import { fingerprint } from './data.ts';
import { isIncrep, type ContestantResult, type Figures, type Limit, type ScenarioResult } from './result.ts';
import type { Size, Stage } from './stage.ts';
import { compare, summarise, type Amount } from './statistics.ts';

export interface Contestant {
  readonly name: string;
  /** Not timed; the servers write a checkpoint after it. */
  prepare(): Promise<void>;
  run(): Promise<Figures>;
  /** Not timed. @throws Error when the work was not done */
  check(): Promise<void>;
}

export interface Scenario {
  readonly contestants: readonly Contestant[];
  readonly comparisons: readonly {
    readonly subject: string;
    readonly reference: string;
    readonly target?: number;
  }[];
  readonly beforeRound?: () => Promise<void>;
  readonly afterRound?: () => Promise<void>;
  /** What one run moves; asked when all have run. */
  readonly amount: () => Amount;
  readonly findLimits?: (of: (name: string) => ContestantResult) => Limit[] | Promise<Limit[]>;
  readonly notes?: readonly string[];
  /** Takes down what the next scenario must not meet. */
  readonly end?: () => Promise<void>;
}

export interface ScenarioKind {
  readonly name: string;
  readonly title: (size: Size) => string;
  /** Undefined when a tool is missing that all of it needs. */
  readonly open: (stage: Stage) => Promise<Scenario | undefined>;
  /** Short ones can have more than were asked for. */
  readonly rounds?: (asked: number) => number;
}

export async function runScenario(
  kind: ScenarioKind,
  stage: Stage,
  asked: number,
  say: (line: string) => void,
): Promise<ScenarioResult | undefined> {
  const scenario = await kind.open(stage);
  if (!scenario) return undefined;
  const rounds = kind.rounds?.(asked) ?? asked;
  const runs = new Map<string, Figures[]>(scenario.contestants.map(({ name }) => [name, []]));
  for (let round = 1; round <= rounds; round += 1) {
    await scenario.beforeRound?.();
    for (const contestant of scenario.contestants) {
      const figures = await runOnce(contestant, stage);
      runs.get(contestant.name)?.push(figures);
      say(`${kind.name} ${round}/${rounds}  ${contestant.name}  ${figures.wall_s.toFixed(3)} s`);
    }
    await scenario.afterRound?.();
  }
  const amount = scenario.amount();
  const results = scenario.contestants.map(({ name }) => summarise(name, runs.get(name) ?? [], amount));
  const of = (name: string) => {
    const found = results.find((result) => result.name === name);
    if (!found) throw new Error(`${kind.name} has no contestant ${name}`);
    return found;
  };
  const limits = (await scenario.findLimits?.(of)) ?? [];
  await scenario.end?.();
  return {
    name: kind.name,
    title: kind.title(stage.size),
    ...amount,
    contestants: [...results.filter(isIncrep), ...results.filter((result) => !isIncrep(result))],
    comparisons: scenario.comparisons.map(({ subject, reference, target }) =>
      compare(of(subject), of(reference), target ?? null),
    ),
    limits,
    notes: scenario.notes ?? [],
  };
}

async function runOnce(contestant: Contestant, stage: Stage): Promise<Figures> {
  await contestant.prepare();
  await stage.checkpoint();
  const figures = await contestant.run();
  await contestant.check();
  return figures;
}

/** So that nobody is fast by doing nothing. */
export async function expectSameRows(source: Pool, copy: Pool, table: string, who: string): Promise<void> {
  const [expected, found] = await Promise.all([fingerprintOf(source, table), fingerprintOf(copy, table)]);
  if (expected !== found) throw new Error(`${who}: ${table} has ${found}, and its source ${expected}`);
}

async function fingerprintOf(pool: Pool, table: string): Promise<string> {
  const { rows } = await pool.query<{ fingerprint: string }>(fingerprint(table));
  return rows[0]?.fingerprint ?? '';
}
