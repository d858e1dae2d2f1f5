/** `npm run bench`: how long increp takes, against what a person would write by hand. */
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import type { EmbeddedServer } from '../../src/demo/embedded-server.ts';
import { version } from '../../src/version.ts';
import { buildProject } from '../support/build.ts';
import { writeDocuments } from './documents.ts';
import { describeMachine } from './machine.ts';
import { hasProcesses } from './processes.ts';
import { machineLines } from './report.ts';
import { FORMAT_VERSION, parseResult, type BenchResult, type ScenarioResult } from './result.ts';
import { runScenario, type ScenarioKind } from './scenario.ts';
import { afterBulk } from './scenarios/after-bulk.ts';
import { incremental } from './scenarios/incremental.ts';
import { initialCopy, initialDump } from './scenarios/initial-load.ts';
import { manyTables } from './scenarios/many-tables.ts';
import { quiet } from './scenarios/quiet.ts';
import { reread } from './scenarios/reread.ts';
import { smallChange } from './scenarios/small-change.ts';
import { startUp } from './scenarios/start-up.ts';
import { LARGE, openStage, type Size, type Stage } from './stage.ts';
import { formatTables } from './table.ts';
import { findTools, missingNotes } from './tools.ts';

const KINDS: readonly ScenarioKind[] = [
  startUp,
  quiet,
  manyTables,
  initialCopy,
  initialDump,
  incremental,
  smallChange,
  afterBulk,
  reread,
];

const HELP = `node test/bench/bench.ts [--quick] [--rounds N] [--only NAME[,NAME]] [--json FILE] [--write-docs]
  --quick       300,000 rows and two rounds, in about a minute
  --rounds N    runs of each contestant; 5, and 2 with --quick
  --only NAMES  ${KINDS.map(({ name }) => name).join(', ')}
  --json FILE   where the result goes; a file in the directory for temporary files unless told
  --write-docs  writes the numbers and the chart into docs/ and README.md
  --from FILE   measures nothing and takes the result from a former run
`;

const FULL: Size = { rows: 3_000_000, smallRows: 30_000, quietTables: [200, 50, 125], manyTables: 5000 };
const QUICK: Size = { rows: 300_000, smallRows: 30_000, quietTables: [24, 4, 14], manyTables: 500 };

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    only: { type: 'string' },
    json: { type: 'string' },
    'write-docs': { type: 'boolean', default: false },
    from: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

const say = (line: string) =>
  void process.stderr.write(`${performance.now().toFixed(0).padStart(7)} ms  ${line}\n`);

if (values.help) process.stdout.write(HELP);
else await main();

async function main(): Promise<void> {
  const only = values.only?.split(',');
  const unknown = only?.filter((name) => !KINDS.some((kind) => kind.name === name)) ?? [];
  if (unknown.length > 0) throw new Error(`there is no scenario ${unknown.join(', ')}\n${HELP}`);
  if (only && values['write-docs']) throw new Error('--write-docs needs all scenarios');
  const kinds = KINDS.filter(({ name }) => !only || only.includes(name));
  const result = values.from ? parseResult(await readFile(values.from, 'utf8')) : await measure(kinds);
  if (!result) return;
  process.stdout.write(`${machineLines(result)}\n\n${formatTables(result)}\n`);
  if (!values.from) {
    const file = values.json ?? join(tmpdir(), `increp-bench-${result.date.replaceAll(':', '')}.json`);
    await writeFile(file, `${JSON.stringify(result, null, 2)}\n`);
    say(`the result is in ${file}`);
  }
  if (values['write-docs']) await writeDocuments(result);
}

/** Undefined when it was interrupted. */
async function measure(kinds: readonly ScenarioKind[]): Promise<BenchResult | undefined> {
  const size = values.quick ? QUICK : FULL;
  const rounds = Number(values.rounds ?? (values.quick ? 2 : 5));
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds must be a number from 1 on');
  const tools = findTools();
  await buildProject();
  const started: EmbeddedServer[] = [];
  let isInterrupted = false;
  // Without the servers, all that is under way fails at once, and leaves by the way that clears up.
  const stopServers = () => void (isInterrupted && started.forEach((server) => void server.stop()));
  const interrupt = (signal: NodeJS.Signals) => {
    isInterrupted = true;
    process.exitCode = signal === 'SIGINT' ? 130 : 143;
    stopServers();
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupt);
  const serverStarted = (server: EmbeddedServer) => {
    started.push(server);
    stopServers();
  };
  try {
    await using stage = await openStage(size, tools, { say, serverStarted });
    return await resultOf(stage, kinds, rounds);
  } catch (error) {
    if (!isInterrupted) throw error;
    say('interrupted');
    return undefined;
  }
}

async function resultOf(stage: Stage, kinds: readonly ScenarioKind[], rounds: number): Promise<BenchResult> {
  const tableBytes = await sizeOf(stage);
  const scenarios: ScenarioResult[] = [];
  for (const kind of kinds) {
    const found = await runScenario(kind, stage, rounds, say);
    if (found) scenarios.push(found);
  }
  return {
    format_version: FORMAT_VERSION,
    increp: version(),
    date: new Date().toISOString(),
    is_quick: values.quick,
    rounds,
    rows: stage.size.rows,
    table_bytes: tableBytes,
    machine: await describeMachine(stage),
    scenarios,
    notes: [
      ...missingNotes(stage.tools),
      ...(hasProcesses() ? [] : ['CPU and memory are left out: this system has no /proc.']),
    ],
  };
}

async function sizeOf({ pair }: Stage): Promise<number> {
  const { rows } = await pair.source.query<{ bytes: number }>(
    `SELECT pg_table_size('${LARGE}')::float8 AS bytes`,
  );
  return rows[0]?.bytes ?? 0;
}
