/**
 * `npm run warehouse`: renamed and merged columns, archived rows, a deletion log and a conflict log, under writers on both
 * sides, kills and schema changes. At the end, every row must be where its rule says.
 */
import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { buildProject } from '../../support/build.ts';
import { startIncrep } from '../../support/increp-process.ts';
import { openPair, type OpenPair } from '../../support/open-pair.ts';
import { startServers } from '../../support/servers.ts';
import { randomFor } from '../random.ts';
import { Runner } from '../runner.ts';
import { pipelineOf } from '../spoke.ts';
import { violations, type Violation } from './rules.ts';
import { configOf, DESTINATION_SQL, SCHEMA_CHANGES, SOURCE_SQL, type MailColumn } from './tables.ts';
import { writeToDestination, writeToSource } from './writers.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(randomInt(1, 1_000_000)) },
    writers: { type: 'string', default: '4' },
    keep: { type: 'boolean', default: false },
  },
});

async function main(): Promise<number> {
  const seconds = Number(values.minutes) * 60;
  process.stderr.write(`seed ${values.seed}, ${values.writers} writers at each side, ${seconds} s\n`);
  await buildProject();
  const [source, destination] = await startServers();
  const workspace = await mkdtemp(join(tmpdir(), 'increp-warehouse-'));
  let isKept = false;
  try {
    const open = await openPair(
      { sourceSql: SOURCE_SQL, tables: configOf('email') },
      { sourceServerUrl: source.url, destinationServerUrl: destination.url, workspace },
    );
    const failures = await run(open.pair, seconds);
    isKept = values.keep && failures.length > 0;
    if (isKept)
      process.stderr.write(
        `${open.pair.directory}\n${open.pair.sourceUrl()}\n${open.pair.destinationUrl()}\n`,
      );
    await (isKept ? open.close() : open.cleanUp());
    return failures.length === 0 ? 0 : 1;
  } finally {
    await Promise.all([source, destination].map((server) => (isKept ? server.keep() : server.stop())));
    if (!isKept) await rm(workspace, { recursive: true, force: true });
  }
}

/** Seconds. A change of shape waits for a moment without transactions of the writers at the destination. */
const LONGEST = 300;

/** Returns what is wrong at the end. */
async function run(pair: OpenPair['pair'], seconds: number): Promise<readonly unknown[]> {
  const seed = Number(values.seed);
  await recordDeletions(pair);
  const runner = new Runner({ ...pair, pipeline: pipelineOf(pair) }, randomFor(seed, 'runner'), LONGEST);
  const first = await runner.lastSync();
  if (first.exitCode !== 0) throw new Error(`the first sync failed\n${first.stderr}`);
  await pair.destination.query(DESTINATION_SQL);
  const end = new AbortController();
  const { signal } = end;
  const writers = Array.from({ length: Number(values.writers) }, (_, number) => number);
  const request = (actor: string) => ({ random: randomFor(seed, actor), signal, longest: 8000 });
  const work = Promise.all([
    runner.loop(signal),
    changeSchema(pair, seconds, signal),
    remember(pair, signal),
    Promise.all(writers.map((at) => writeToSource({ ...request(`source ${at}`), pool: pair.source }))),
    Promise.all(
      writers.map((at) => writeToDestination({ ...request(`destination ${at}`), pool: pair.destination })),
    ),
  ]);
  await Promise.race([sleep(seconds * 1000, undefined, { signal }), work]);
  end.abort();
  const [, , , atSource, atDestination] = await work;
  const last = [await runner.lastSync(), await runner.lastSync(), await runner.verify()];
  const found = await violations(pair.source, pair.destination, finalMail());
  const failures = [
    ...runner.failures,
    ...last.filter(({ exitCode }) => exitCode !== 0).map(({ stdout, stderr }) => `${stdout}${stderr}`),
    ...found.map(violationText),
  ];
  const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
  const { rows } = await pair.destination.query(
    `SELECT (SELECT count(*)::int FROM merged) AS merged, (SELECT count(*)::int FROM _increp_conflicts) AS conflicts,
       (SELECT count(*)::int FROM events) AS archived, (SELECT count(*)::int FROM theirs.events) AS events`,
  );
  const facts = {
    ...runner.counts,
    ...(rows[0] as object),
    atSource: sum(atSource),
    atDestination: sum(atDestination),
  };
  process.stdout.write(
    `${JSON.stringify(facts)}\n${failures.length === 0 ? 'every row is where its rule says' : failures.join('\n')}\n`,
  );
  return failures;
}

const violationText = ({ rule, count, first }: Violation): string =>
  `${rule}: violated ${count} times, first ${JSON.stringify(first)}`;

const finalMail = (): MailColumn => SCHEMA_CHANGES.findLast(({ mail }) => mail)?.mail ?? 'email';

/** The statements are those that increp prints for the owner of the table. */
async function recordDeletions(pair: OpenPair['pair']): Promise<void> {
  await using printing = startIncrep('deletes-sql members', pair);
  const { exitCode, stdout, stderr } = await printing.wait();
  if (exitCode !== 0) throw new Error(`deletes-sql failed\n${stderr}`);
  await pair.source.query(stdout);
}

async function changeSchema(pair: OpenPair['pair'], seconds: number, signal: AbortSignal): Promise<void> {
  const startedAt = performance.now();
  for (const { after, sql, mail } of SCHEMA_CHANGES) {
    const due = startedAt + after * seconds * 1000 - performance.now();
    await sleep(Math.max(0, due), undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    await pair.source.query(sql);
    if (mail) await pair.writeTables(configOf(mail));
  }
}

/** An event that was there once must stay. */
async function remember(pair: OpenPair['pair'], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await pair.destination.query('INSERT INTO archived SELECT id FROM events ON CONFLICT DO NOTHING');
    await sleep(1000, undefined, { signal }).catch(() => undefined);
  }
}

process.exitCode = await main();
