/** Writers, runners that are killed, people at the destination, a reader and the control, all at once; and the comparison at the end. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OpenPair, Pair } from '../support/open-pair.ts';
import { compareAll, extraOf, lossOf, type Comparison } from './compare.ts';
import { meddle, type Meddled } from './meddler.ts';
import { CONTROL_SCHEMA, PlainCursor } from './plain-cursor.ts';
import { PreparedTransactions } from './prepared.ts';
import { randomFor } from './random.ts';
import { watchCopy, type Watched } from './reader.ts';
import { Runner } from './runner.ts';
import { joinHub, pipelineOf } from './spoke.ts';
import type { SyncCounts } from './sync-counts.ts';
import { configOf, DESTINATION_CONSTRAINTS, sourceSql } from './tables.ts';
import { noWrites, runWriter, type WriteCounts } from './writer.ts';

export interface TortureOptions {
  readonly seed: number;
  readonly seconds: number;
  readonly writers: number;
  /** Whether deleted rows are to be gone from the copy too. */
  readonly deletes: boolean;
  /** Prepared transactions at a time. */
  readonly preparedAtOnce: number;
}

/** Beside the pair of the pipeline. */
export interface Surroundings {
  /** A pair whose destination a second pipeline fills from the destination of the first. */
  readonly spoke: OpenPair['pair'];
  /** Makes another server the source, which lacks what was committed last; undefined: it stays the same. */
  readonly failOver?: () => Promise<void>;
}

export interface TortureResult {
  readonly options: TortureOptions;
  readonly seconds: number;
  readonly writes: WriteCounts & {
    readonly preparedCommitted: number;
    readonly preparedRolledBack: number;
  } & {
    readonly preparedLost: number;
  };
  readonly syncs: SyncCounts;
  readonly meddled: Meddled;
  readonly reader: Watched;
  readonly copy: Comparison;
  /** The second pipeline, and its copy beside the destination of the first. */
  readonly spokeSyncs: SyncCounts;
  readonly spoke: Comparison;
  readonly control: Comparison;
  readonly controlRuns: number;
  /** Why it failed; empty when the copy is exact and the control is not. */
  readonly failures: readonly string[];
}

type Sides = Omit<Pair, typeof Symbol.asyncDispose>;

/** Seconds between two acts of a person at the destination: often in a short run, else often enough. */
const meddleEvery = ({ seconds }: TortureOptions): number => Math.min(15, seconds / 6);

export async function torture(
  pair: Sides,
  { spoke, failOver }: Surroundings,
  options: TortureOptions,
): Promise<TortureResult> {
  const startedAt = performance.now();
  await prepareSource(pair, options);
  const longest = Math.min(25_000, options.seconds * 400);
  const prepared = new PreparedTransactions(pair.source, {
    longest,
    atOnce: options.preparedAtOnce,
    prefix: `torture_${randomBytes(4).toString('hex')}`,
  });
  const until = startedAt + options.seconds * 1000;
  const control = await PlainCursor.connect(pair.login('source', 'increp'), pair.login('destination'));
  const place = { ...pair, pipeline: pipelineOf(pair) };
  const runner = new Runner(place, randomFor(options.seed, 'runner'));
  const spokePlace = await joinHub(pair, spoke, options.deletes);
  const spokeRunner = new Runner(spokePlace, randomFor(options.seed, 'spoke'));
  const end = new AbortController();
  const { signal } = end;
  const failures: string[] = [];
  const watched = { hasLost: false };
  const meddling = Promise.withResolvers<Meddled>();
  const spokeLoop = Promise.withResolvers<void>();
  // What follows needs the tables of the destination.
  const afterFirst = async () => {
    await pair.destination.query(DESTINATION_CONSTRAINTS);
    const random = randomFor(options.seed, 'meddler');
    meddle({ place, random, interval: meddleEvery(options), signal, failures }).then(
      meddling.resolve,
      meddling.reject,
    );
    spokeRunner.loop(signal).then(spokeLoop.resolve, spokeLoop.reject);
  };
  const company = Promise.all([
    runner.loop(signal, afterFirst),
    control.loop(500, signal),
    watchCopy(pair.destination, signal, watched),
    meddling.promise,
    spokeLoop.promise,
    failOver && failOverLater(failOver, { after: options.seconds * 500, signal, runner, watched }),
  ]);
  const writers = Promise.all(
    Array.from({ length: options.writers }, (_, number) =>
      runWriter({
        number,
        login: pair.login('source'),
        random: randomFor(options.seed, `writer ${number}`),
        prepared,
        until,
        longest,
      }),
    ),
  );
  // When the writers are done, or one of the others has failed, none need go on.
  void Promise.race([writers, company])
    .catch(() => undefined)
    .finally(() => end.abort());
  const [written, [, , reader, meddled]] = await Promise.all([writers, company]);
  const writes = add(written);
  await prepared.resolveAll();
  failures.push(...(await finish(runner)), ...reader.failures, ...(await finish(spokeRunner)));
  await control.sync();
  await control.end();
  const copy = await compareAll(pair, pair.schema);
  const lost = await compareAll(pair, CONTROL_SCHEMA);
  const behind = await compareAll({ ...spokePlace, schema: pair.schema }, pair.schema);
  if (options.deletes)
    failures.push(...(await verifyFailures(runner)), ...(await verifyFailures(spokeRunner)));
  return {
    options,
    seconds: (performance.now() - startedAt) / 1000,
    writes: {
      ...writes,
      preparedCommitted: prepared.committed,
      preparedRolledBack: prepared.rolledBack,
      preparedLost: prepared.lost,
    },
    syncs: runner.counts,
    meddled,
    reader,
    copy,
    spokeSyncs: spokeRunner.counts,
    spoke: behind,
    control: lost,
    controlRuns: control.runs,
    failures: [
      ...failures,
      ...runner.failures,
      ...spokeRunner.failures,
      ...verdict(options, copy),
      ...verdict(options, behind).map((text) => `of the second pipeline ${text}`),
      ...(lossOf(lost) > 0 ? [] : ['the control lost nothing, so this run proves nothing']),
    ],
  };
}

interface Awaiting {
  /** Milliseconds. */
  readonly after: number;
  readonly signal: AbortSignal;
  readonly runner: Runner;
  /** Told that rows may go that were there. */
  readonly watched: { hasLost: boolean };
}

async function failOverLater(
  failOver: () => Promise<void>,
  { after, signal, runner, watched }: Awaiting,
): Promise<void> {
  await sleep(after, undefined, { signal }).catch(() => undefined);
  if (signal.aborted) return;
  watched.hasLost = true;
  await failOver();
  runner.failOver();
}

async function prepareSource(pair: Sides, { deletes }: TortureOptions): Promise<void> {
  const { database } = pair.login('source');
  await pair.source.query(sourceSql(database));
  await pair.writeTables(configOf(deletes));
}

/** The last sync, and one more that must find nothing to write. */
async function finish(runner: Runner): Promise<string[]> {
  const last = await runner.lastSync();
  if (last.exitCode !== 0) return [`the last sync ended with ${last.exitCode}\n${last.stderr}`];
  const { rowsInserted, rowsUpdated, rowsDeleted } = { ...runner.counts };
  const again = await runner.lastSync();
  if (again.exitCode !== 0) return [`the sync after the last ended with ${again.exitCode}\n${again.stderr}`];
  const { counts } = runner;
  const written =
    counts.rowsInserted - rowsInserted + counts.rowsUpdated - rowsUpdated + counts.rowsDeleted - rowsDeleted;
  return written === 0 ? [] : [`a sync without any change at the source wrote ${written} rows`];
}

async function verifyFailures(runner: Runner): Promise<string[]> {
  const { exitCode, stdout, stderr } = await runner.verify();
  return exitCode === 0 ? [] : [`verify ended with ${exitCode}\n${stdout}${stderr}`];
}

function verdict({ deletes }: TortureOptions, copy: Comparison): string[] {
  const lost = lossOf(copy);
  const extra = deletes ? extraOf(copy) : 0;
  return [
    ...(lost === 0 ? [] : [`${lost} rows are missing or stale`]),
    ...(extra === 0 ? [] : [`${extra} rows are gone from the source and not from the copy`]),
  ];
}

function add(all: readonly WriteCounts[]): WriteCounts {
  const sum = noWrites();
  for (const counts of all) {
    for (const name of Object.keys(sum) as (keyof WriteCounts)[]) sum[name] += counts[name];
  }
  return sum;
}
