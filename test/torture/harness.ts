/** Writers, a runner that is killed, a reader and the control, all at once; and the comparison at the end. */
import { randomBytes } from 'node:crypto';
import type { Pair } from '../support/open-pair.ts';
import { compareAll, extraOf, lossOf, type Comparison } from './compare.ts';
import { CONTROL_SCHEMA, PlainCursor } from './plain-cursor.ts';
import { PreparedTransactions } from './prepared.ts';
import { randomFor } from './random.ts';
import { watchCopy, type Watched } from './reader.ts';
import { Runner } from './runner.ts';
import type { SyncCounts } from './sync-counts.ts';
import { configOf, sourceSql } from './tables.ts';
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

export interface TortureResult {
  readonly options: TortureOptions;
  readonly seconds: number;
  readonly writes: WriteCounts & { readonly preparedCommitted: number; readonly preparedRolledBack: number };
  readonly syncs: SyncCounts;
  readonly reader: Watched;
  readonly copy: Comparison;
  readonly control: Comparison;
  readonly controlRuns: number;
  /** Why it failed; empty when the copy is exact and the control is not. */
  readonly failures: readonly string[];
}

type Sides = Omit<Pair, typeof Symbol.asyncDispose>;

export async function torture(pair: Sides, options: TortureOptions): Promise<TortureResult> {
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
  const runner = new Runner(pair, randomFor(options.seed, 'runner'));
  const end = new AbortController();
  const company = Promise.all([
    runner.loop(end.signal),
    control.loop(500, end.signal),
    watchCopy(pair.destination, end.signal),
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
  const [written, [, , reader]] = await Promise.all([writers, company]);
  const writes = add(written);
  await prepared.resolveAll();
  const failures = [...(await finish(runner)), ...reader.failures];
  await control.sync();
  await control.end();
  const copy = await compareAll(pair, pair.schema);
  const lost = await compareAll(pair, CONTROL_SCHEMA);
  if (options.deletes) failures.push(...(await verifyFailures(runner)));
  return {
    options,
    seconds: (performance.now() - startedAt) / 1000,
    writes: { ...writes, preparedCommitted: prepared.committed, preparedRolledBack: prepared.rolledBack },
    syncs: runner.counts,
    reader,
    copy,
    control: lost,
    controlRuns: control.runs,
    failures: [...failures, ...runner.failures, ...verdict(options, copy, lost)],
  };
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

function verdict({ deletes }: TortureOptions, copy: Comparison, control: Comparison): string[] {
  const lost = lossOf(copy);
  const extra = deletes ? extraOf(copy) : 0;
  return [
    ...(lost === 0 ? [] : [`${lost} rows are missing or stale`]),
    ...(extra === 0 ? [] : [`${extra} rows are gone from the source and not from the copy`]),
    ...(lossOf(control) > 0 ? [] : ['the control lost nothing, so this run proves nothing']),
  ];
}

function add(all: readonly WriteCounts[]): WriteCounts {
  const sum = noWrites();
  for (const counts of all) {
    for (const name of Object.keys(sum) as (keyof WriteCounts)[]) sum[name] += counts[name];
  }
  return sum;
}
