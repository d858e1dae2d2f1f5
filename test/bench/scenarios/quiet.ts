/** A run that finds nothing to do, on many tables: what is left is start-up and round trips. */
import { expectSameRows, type Contestant, type ScenarioKind } from '../scenario.ts';
import type { OpenPair, TableConfig } from '../../support/open-pair.ts';
import { sync } from '../increp.ts';
import { latencyProxy, type LatencyProxy } from '../latency-proxy.ts';
import type { Limit } from '../result.ts';
import type { Stage } from '../stage.ts';
import { limit } from '../statistics.ts';

type Sides = OpenPair['pair'];

const ROWS = 100;
/** By the number of tables, in seconds. */
const RUN_TARGETS: ReadonlyMap<number, number> = new Map([
  [200, 0.7],
  [50, 0.35],
]);
const TABLE_TARGET_MS = 10;
const SOURCE_TRIPS_TARGET = 4;
const DESTINATION_TRIPS_TARGET = 2;
const DISTANCE_MS = 20;

const named = (count: number) =>
  Array.from({ length: count }, (_, index) => `quiet_${String(index + 1).padStart(3, '0')}`);

export const quiet: ScenarioKind = {
  name: 'quiet',
  title: ({ quietTables: [most] }) => `Quiet run, up to ${most} tables without changes`,
  open: async (stage) => {
    const [most, fewest, between] = stage.size.quietTables;
    const { pair, cleanUp } = await stage.openAnother({
      tables: named(most).map(tableConfig),
      sourceSql: named(most).map(makeTable).join(';'),
    });
    await sync(pair, [], stage.servers);
    const contestants = [most, between, fewest].map((count) => quietRun(stage, pair, count));
    return {
      contestants,
      comparisons: [],
      amount: () => ({ rows: null, bytes: null }),
      findLimits: async (of) => {
        const [all = 0, half = 0, few = 0] = contestants.map(({ name }) => of(name).median.wall_s);
        return [
          limit(`${most} tables`, 's', all, RUN_TARGETS.get(most) ?? null),
          limit(`${fewest} tables`, 's', few, RUN_TARGETS.get(fewest) ?? null),
          limit(
            `each table from ${fewest} to ${between}`,
            'ms',
            ((half - few) / (between - fewest)) * 1000,
            TABLE_TARGET_MS,
          ),
          limit(
            `each table from ${between} to ${most}`,
            'ms',
            ((all - half) / (most - between)) * 1000,
            TABLE_TARGET_MS,
          ),
          ...(await distanceLimits(stage, pair)),
        ];
      },
      notes: [
        'A proxy counts the round trips. The round trips that a run waits for are computed from its extra time at ' +
          `${DISTANCE_MS} ms per round trip.`,
      ],
      end: cleanUp,
    };
  },
};

const tableConfig = (name: string): TableConfig => ({
  name,
  replication_key: 'updated_at',
  unique_cols: ['id'],
  initial_load: 'copy',
});

/** The rows are hours apart, so that `lookback` reaches none but the last. */
const makeTable = (name: string) => `
  CREATE TABLE ${name} (id bigint PRIMARY KEY, note text, updated_at timestamptz NOT NULL);
  INSERT INTO ${name} SELECT i, 'note ' || i, now() - i * interval '1 hour' FROM generate_series(1, ${ROWS}) i;
  CREATE INDEX ON ${name} (updated_at)`;

function quietRun(stage: Stage, pair: Sides, count: number): Contestant {
  return {
    name: `increp, ${count} tables`,
    prepare: () => Promise.resolve(),
    run: async () => (await runOf(stage, pair, count)).figures,
    check: () => expectSameRows(pair.source, pair.destination, named(count).at(-1) ?? '', 'increp'),
  };
}

/** @throws Error when a table was left out or had changes */
async function runOf(stage: Stage, pair: Sides, count: number) {
  const done = await sync(pair, named(count), stage.servers);
  const still = done.summary.tables.filter(
    ({ action, rows_inserted, rows_updated }) =>
      action === 'incremental' && rows_inserted + rows_updated === 0,
  );
  if (still.length !== count) throw new Error(`${still.length} of ${count} quiet tables were quiet`);
  return done;
}

interface Distant {
  readonly seconds: number;
  readonly sourceTrips: number;
  readonly destinationTrips: number;
}

async function distanceLimits(stage: Stage, pair: Sides): Promise<Limit[]> {
  const [most, fewest] = stage.size.quietTables;
  const perTable = (all: number, few: number) => (all - few) / (most - fewest);
  const near = [
    await runAtDistance(stage, pair, most, 0),
    await runAtDistance(stage, pair, fewest, 0),
  ] as const;
  const far = [
    await runAtDistance(stage, pair, most, DISTANCE_MS),
    await runAtDistance(stage, pair, fewest, DISTANCE_MS),
  ] as const;
  const waited = perTable(far[0].seconds - near[0].seconds, far[1].seconds - near[1].seconds);
  return [
    limit(
      'round trips to the source, each table',
      'round trips',
      perTable(near[0].sourceTrips, near[1].sourceTrips),
      SOURCE_TRIPS_TARGET,
    ),
    limit(
      'round trips to the destination, each table',
      'round trips',
      perTable(near[0].destinationTrips, near[1].destinationTrips),
      DESTINATION_TRIPS_TARGET,
    ),
    limit(
      'round trips that a run waits for, each table',
      'round trips',
      (waited * 1000) / DISTANCE_MS,
      SOURCE_TRIPS_TARGET + DESTINATION_TRIPS_TARGET,
    ),
    limit(`${most} tables, both servers ${DISTANCE_MS} ms away`, 's', far[0].seconds, null),
  ];
}

async function runAtDistance(
  stage: Stage,
  pair: Sides,
  count: number,
  milliseconds: number,
): Promise<Distant> {
  await using source = await latencyProxy(stage.source, milliseconds);
  await using destination = await latencyProxy(stage.destination, milliseconds);
  await connectThrough(pair, source, destination);
  const { figures } = await runOf(stage, pair, count);
  await connectThrough(pair, stage.source, stage.destination);
  return {
    seconds: figures.wall_s,
    sourceTrips: source.roundTrips,
    destinationTrips: destination.roundTrips,
  };
}

const connectThrough = (
  pair: Sides,
  source: Pick<LatencyProxy, 'port'>,
  destination: Pick<LatencyProxy, 'port'>,
) => pair.setEnv({ SOURCE_PORT: String(source.port), DEST_PORT: String(destination.port) });
