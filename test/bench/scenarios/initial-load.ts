/** The first load of the large table: increp's two loaders, and what else fills a table. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatCount } from '../../../src/format.ts';
import type { SummaryJson } from '../../../src/report/summary-json.ts';
import { binaryLoad, dumpAndRestore, pgcopydb } from '../by-hand.ts';
import type { Copy } from '../copies.ts';
import { memoryLimit, sync, tableOf } from '../increp.ts';
import { dropSubscription, prepareSubscriber, subscribe } from '../logical.ts';
import { measureCommand, measureWork, type Command } from '../measure.ts';
import { expectSameRows, type Contestant, type Scenario, type ScenarioKind } from '../scenario.ts';
import { LARGE, type Stage } from '../stage.ts';
import { hasAll } from '../tools.ts';

type Loader = 'copy' | 'pg_dump';

export const initialCopy: ScenarioKind = {
  name: 'initial-copy',
  title: ({ rows }) => `Initial load by COPY, ${formatCount(rows)} rows`,
  open: async (stage) => {
    const increp = loadByIncrep(stage, 'copy');
    const references: Contestant[] = [];
    if (hasAll(stage.tools, 'bash', 'psql')) {
      references.push(await loadByHand(stage, 'psql binary COPY', 'by_hand', binaryLoad));
    }
    const subscriber = await stage.copies.get('subscriber');
    references.push(loadBySubscription(stage, subscriber));
    if (hasAll(stage.tools, 'bash', 'psql', 'pgcopydb')) references.push(await loadByPgcopydb(stage));
    const targets: Readonly<Record<string, number>> = {
      'psql binary COPY': 1.15,
      'logical replication': 0.6,
    };
    return loadScenario(increp, references, targets, {
      notes: ['logical replication loads into a table that already has its key.'],
      end: () => dropSubscription(subscriber),
    });
  },
};

export const initialDump: ScenarioKind = {
  name: 'initial-pg-dump',
  title: ({ rows }) => `Initial load by pg_dump, ${formatCount(rows)} rows`,
  open: async (stage) => {
    if (!hasAll(stage.tools, 'bash', 'psql', 'pg_dump', 'pg_restore')) return undefined;
    const increp = loadByIncrep(stage, 'pg_dump');
    const reference = await loadByHand(stage, 'pg_dump and pg_restore', 'by_hand', dumpAndRestore);
    return loadScenario(increp, [reference], { 'pg_dump and pg_restore': 1.1 }, {});
  },
};

const loadScenario = (
  increp: LoadByIncrep,
  references: readonly Contestant[],
  targets: Readonly<Record<string, number>>,
  rest: Partial<Scenario>,
): Scenario => ({
  contestants: [increp, ...references],
  comparisons: references.map(({ name }) => ({
    subject: increp.name,
    reference: name,
    ...(targets[name] === undefined ? {} : { target: targets[name] }),
  })),
  amount: () => {
    const { rows_read, bytes } = tableOf(increp.summary(), LARGE);
    return { rows: rows_read, bytes };
  },
  findLimits: (of) => memoryLimit(of(increp.name)),
  ...rest,
});

interface LoadByIncrep extends Contestant {
  summary(): SummaryJson;
}

function loadByIncrep(stage: Stage, loader: Loader): LoadByIncrep {
  const { pair, servers } = stage;
  let last: SummaryJson | undefined;
  const summary = () => {
    if (!last) throw new Error('increp has not run');
    return last;
  };
  return {
    name: 'increp',
    prepare: async () => {
      await stage.configure({ initial_load: loader });
      await pair.destination.query(`DROP TABLE IF EXISTS ${LARGE}`);
    },
    run: async () => {
      const { figures, summary: found } = await sync(pair, [LARGE], servers);
      last = found;
      return figures;
    },
    check: async () => {
      const { action, loader: used } = tableOf(summary(), LARGE);
      if (action !== 'initial' || used !== loader) throw new Error(`increp did ${action} by ${used}`);
      await expectSameRows(pair.source, pair.destination, LARGE, 'increp');
    },
    summary,
  };
}

async function loadByHand(
  stage: Stage,
  name: string,
  database: string,
  command: (stage: Stage, into: Copy) => Command,
): Promise<Contestant> {
  const copy = await stage.copies.get(database);
  return {
    name,
    prepare: async () => void (await copy.pool.query(`DROP TABLE IF EXISTS ${LARGE}`)),
    run: async () => (await measureCommand(command(stage, copy), stage.servers)).figures,
    check: () => expectSameRows(stage.pair.source, copy.pool, LARGE, name),
  };
}

async function loadByPgcopydb(stage: Stage): Promise<Contestant> {
  const filters = join(stage.workspace, 'pgcopydb.ini');
  await writeFile(filters, `[include-only-table]\npublic.${LARGE}\n`);
  return loadByHand(stage, 'pgcopydb', 'by_pgcopydb', (_, copy) => pgcopydb(stage, copy, filters));
}

const loadBySubscription = (stage: Stage, copy: Copy): Contestant => ({
  name: 'logical replication',
  prepare: () => prepareSubscriber(stage, copy),
  run: () => measureWork(() => subscribe(stage, copy), stage.servers),
  check: async () => {
    await dropSubscription(copy);
    await expectSameRows(stage.pair.source, copy.pool, LARGE, 'logical replication');
  },
});
