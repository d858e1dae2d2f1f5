/** Thousands of small tables, near and far: what is left is the work for each table, and round trips. */
import { formatCount } from '../../../src/format.ts';
import type { OpenPair } from '../../support/open-pair.ts';
import { increpCommand } from '../increp.ts';
import { latencyProxy } from '../latency-proxy.ts';
import { measureCommand } from '../measure.ts';
import { expectSameRows, type Contestant, type ScenarioKind } from '../scenario.ts';
import type { Stage } from '../stage.ts';
import { limit } from '../statistics.ts';
import type { ContestantResult, Figures } from '../result.ts';

type Sides = OpenPair['pair'];

const ROWS = 10;
/** Of one transaction: each table and index takes a lock. */
const BATCH = 250;
const CHANGED = 50;
const LOADED = 500;
const NEAR_MS = 50;
const FAR_MS = 200;

const TARGETS = {
  ...{ quiet: 6, near: 8, far: 12, changed: 25, changedByJobs: 8, loaded: 15 },
  ...{ bytes: 250_000_000, roundTrips: 25 },
} as const;

export const manyTables: ScenarioKind = {
  name: 'many-tables',
  title: ({ manyTables: count }) => `${formatCount(count)} tables of ${ROWS} rows`,
  // A round takes a minute.
  rounds: (asked) => Math.min(asked, 3),
  open: async (stage) => {
    const count = stage.size.manyTables;
    const { pair, cleanUp } = await openTables(stage, count);
    const quiet = (name: string, milliseconds: number) => contestant(stage, pair, { name, milliseconds });
    const [here, near, far] = [
      quiet('increp, no changes', 0),
      quiet(`increp, no changes, ${NEAR_MS} ms away`, NEAR_MS),
      quiet(`increp, no changes, ${FAR_MS} ms away`, FAR_MS),
    ] as const;
    const changed = contestant(stage, pair, {
      name: `increp, ${CHANGED} with a change, ${NEAR_MS} ms away`,
      milliseconds: NEAR_MS,
      prepare: () => changeSome(pair, count),
    });
    const changedByJobs = contestant(stage, pair, {
      name: `increp, the same with 8 jobs`,
      milliseconds: NEAR_MS,
      args: ['--jobs', '8'],
      prepare: () => changeSome(pair, count),
    });
    const loaded = contestant(stage, pair, {
      name: `increp, first load of ${Math.min(LOADED, count)}`,
      milliseconds: 0,
      args: named(Math.min(LOADED, count)),
      prepare: () => dropCopies(pair, Math.min(LOADED, count)),
    });
    return {
      contestants: [here, near, far, changed, changedByJobs, loaded],
      comparisons: [],
      amount: () => ({ rows: null, bytes: null }),
      findLimits: (of) => {
        const seconds = ({ name }: Contestant) => of(name).median.wall_s;
        const wall = (each: Contestant, target: number) => limit(each.name, 's', seconds(each), target);
        const waits = (seconds(far) - seconds(near)) / ((FAR_MS - NEAR_MS) / 1000);
        return [
          wall(here, TARGETS.quiet),
          limit('its peak memory', 'bytes', peakOf(of(here.name)), TARGETS.bytes),
          wall(near, TARGETS.near),
          wall(far, TARGETS.far),
          limit('round trips that it waits for, in all', 'round trips', waits, TARGETS.roundTrips),
          wall(changed, TARGETS.changed),
          wall(changedByJobs, TARGETS.changedByJobs),
          wall(loaded, TARGETS.loaded),
        ];
      },
      notes: [
        'Both servers have their default number of locks and connections. The distance is a proxy before each of them. The round ' +
          `trips that a run waits for are computed from the times at ${NEAR_MS} and ${FAR_MS} ms.`,
      ],
      end: cleanUp,
    };
  },
};

const named = (count: number) =>
  Array.from({ length: count }, (_, index) => `many_${String(index + 1).padStart(5, '0')}`);

async function openTables(stage: Stage, count: number): Promise<OpenPair> {
  const opened = await stage.openAnother({});
  const { pair } = opened;
  await pair.writeTables([{ name: 'many_*', replication_key: 'updated_at', unique_cols: ['id'] }]);
  for (const names of batches(named(count))) await pair.source.query(names.map(makeTable).join(';'));
  await pair.source.query('ANALYZE');
  await runQuietly(stage, pair, []);
  return opened;
}

const makeTable = (name: string) => `
  CREATE TABLE ${name} (id bigint PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
  INSERT INTO ${name} SELECT i, 'note ' || i, now() - interval '1 day' FROM generate_series(1, ${ROWS}) i;
  CREATE INDEX ON ${name} (updated_at)`;

function* batches(names: readonly string[]): Generator<readonly string[]> {
  for (let at = 0; at < names.length; at += BATCH) yield names.slice(at, at + BATCH);
}

interface Run {
  readonly name: string;
  /** Of both servers. */
  readonly milliseconds: number;
  readonly args?: readonly string[];
  readonly prepare?: () => Promise<void>;
}

function contestant(stage: Stage, pair: Sides, { name, milliseconds, args = [], prepare }: Run): Contestant {
  return {
    name,
    prepare: async () => prepare?.(),
    run: () => runAtDistance(stage, pair, milliseconds, args),
    check: async () => {
      for (const table of named(stage.size.manyTables).filter((_, index) => index % CHANGED === 0))
        await expectSameRows(pair.source, pair.destination, table, name);
    },
  };
}

async function runAtDistance(
  stage: Stage,
  pair: Sides,
  milliseconds: number,
  args: readonly string[],
): Promise<Figures> {
  if (milliseconds === 0) return runQuietly(stage, pair, args);
  await using source = await latencyProxy(stage.source, milliseconds);
  await using destination = await latencyProxy(stage.destination, milliseconds);
  await pair.setEnv({ SOURCE_PORT: String(source.port), DEST_PORT: String(destination.port) });
  const figures = await runQuietly(stage, pair, args);
  await pair.setEnv({ SOURCE_PORT: String(stage.source.port), DEST_PORT: String(stage.destination.port) });
  return figures;
}

/** What a run reports of tables that the benchmark has dropped. */
const DROPPED = 'the destination table was missing, so increp loaded it again';

/** @throws Error if the run had anything else to report */
async function runQuietly({ servers }: Stage, { directory }: Sides, args: readonly string[]) {
  const { figures, stdout } = await measureCommand(
    increpCommand(directory, ['sync', '--quiet', ...args]),
    servers,
  );
  if (stdout !== '' && !stdout.includes(DROPPED)) throw new Error(`a run reported:\n${stdout}`);
  return figures;
}

/** One row of each of some tables, all over the list. */
async function changeSome({ source }: Sides, count: number): Promise<void> {
  const changed = named(count).filter((_, index) => index % (count / CHANGED) === 0);
  for (const name of changed)
    await source.query(`UPDATE ${name} SET note = note || '.', updated_at = now() WHERE id = 1`);
}

async function dropCopies({ destination }: Sides, count: number): Promise<void> {
  for (const names of batches(named(count))) await destination.query(`DROP TABLE ${names.join(', ')}`);
}

const peakOf = ({ runs }: ContestantResult): number =>
  Math.max(...runs.map(({ peak_bytes }) => peak_bytes ?? Number.NaN));
