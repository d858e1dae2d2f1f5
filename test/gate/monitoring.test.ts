/** The dashboard, the alerts and the documentation know the metrics that a real run writes, and no others. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { parseExposition, type Series } from '../support/exposition.ts';
import { freshPair } from '../support/pair.ts';
import { PROJECT } from '../support/project.ts';
import { expectPromtoolClean, testWithPromtool } from '../support/promtool.ts';
import { ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

const RULES = join(PROJECT, 'deploy/prometheus/increp.rules.yml');
const RULE_TESTS = join(PROJECT, 'deploy/prometheus/increp.rules.test.yml');
const DASHBOARD = join(PROJECT, 'deploy/grafana/increp.json');

/** What node_exporter says of the files it reads. */
const OF_NODE_EXPORTER = ['node_textfile_scrape_error'];

async function writtenByARun() {
  const pair = await freshPair({
    ...ordersPreset,
    tables: [{ ...ORDERS_CONFIG, max_staleness: '1h', warn_staleness: '30m', conflict_log: true }],
  });
  await pair.setEnv({ METRICS_TEXTFILE: 'increp.prom', PIPELINE_NAME: 'shop' });
  // A run that fails, so that an error is counted.
  await pair.setEnv({ DEST_PORT: '1', RETRY_ATTEMPTS: '1' });
  await trySync(pair);
  await pair.setEnv({ DEST_PORT: String(pair.login('destination').port) });
  await sync(pair);
  const series = parseExposition(await readFile(join(pair.directory, 'increp.prom'), 'utf8'));
  return { pair, series, names: new Set(series.map(({ name }) => name)) };
}

/** Every word of a query that can be the name of a metric of ours or of node_exporter. */
const metricsIn = (query: string): string[] => [
  ...new Set(query.match(/\b(?:increp|node)_\w+/g) ?? expect.fail(query)),
];

interface Panel {
  readonly title: string;
  readonly targets: readonly { readonly expr: string }[];
}

interface Dashboard {
  readonly panels: readonly Panel[];
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
}

async function dashboard() {
  const { panels, annotations, templating } = JSON.parse(await readFile(DASHBOARD, 'utf8')) as Dashboard;
  return {
    panels,
    variables: templating.list,
    expressions: [
      ...panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
      ...annotations.list.map(({ expr }) => expr),
    ],
  };
}

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly {
      readonly alert: string;
      readonly expr: string;
      readonly annotations: Readonly<Record<string, string>>;
    }[];
  }[];
}

const alerts = async () =>
  (parse(await readFile(RULES, 'utf8')) as Rules).groups.flatMap(({ rules }) => rules);

test('every metric of the dashboard is in the output of a run', async () => {
  const { pair, names } = await writtenByARun();
  await using _ = pair;
  const { expressions, variables } = await dashboard();
  expect(expressions.length).toBeGreaterThan(15);
  for (const expression of expressions)
    expect([...names]).toEqual(expect.arrayContaining(metricsIn(expression)));
  const queries = variables.flatMap(({ definition }) => definition ?? []);
  expect(queries).toHaveLength(2);
  for (const query of queries) expect([...names]).toEqual(expect.arrayContaining(metricsIn(query)));
  // A variable that is not defined would be looked for by its dollar sign.
  const used = expressions.concat(queries).flatMap((text) => text.match(/(?<=\$)\w+/g) ?? []);
  expect(variables.map(({ name }) => name)).toEqual(expect.arrayContaining(used));
});

test('every metric of an alert and of its tests is in the output of a run', async () => {
  const { pair, names } = await writtenByARun();
  await using _ = pair;
  const known = [...names, ...OF_NODE_EXPORTER];
  const rules = await alerts();
  expect(rules.length).toBeGreaterThan(5);
  for (const { expr } of rules) expect(known).toEqual(expect.arrayContaining(metricsIn(expr)));
  const tests = await readFile(RULE_TESTS, 'utf8');
  const inTests = [...tests.matchAll(/- series: (\w+)/g)].map(([, name]) => name);
  expect(known).toEqual(expect.arrayContaining(inTests));
  expect(rules.filter(({ alert }) => !tests.includes(alert))).toEqual([]);
});

test('every alert says what happened and what to do', async () => {
  for (const { alert, annotations } of await alerts()) {
    expect(annotations['summary'], alert).toMatch(/\w/);
    expect(annotations['description'], alert).toMatch(/"increp |systemctl|node_exporter|pg_stat_activity/);
  }
});

slowTest('the documentation has a row for every metric, and for no other', async () => {
  const { pair, names } = await writtenByARun();
  await using _ = pair;
  const text = await readFile(join(PROJECT, 'docs/monitoring.md'), 'utf8');
  const documented = [...text.matchAll(/^\| `(increp_\w+)` /gm)].map(([, name]) => name);
  expect(new Set(documented)).toEqual(names);
});

testWithPromtool('promtool finds the rules right, and their tests good', async () => {
  await expectPromtoolClean(['check', 'rules', RULES]);
  await expectPromtoolClean(['test', 'rules', RULE_TESTS]);
});

/** As labels are written in a query and in a test of promtool. */
const seriesName = ({ name, labels }: Series) =>
  `${name}{${Object.entries(labels)
    .map(([label, value]) => `${label}=${JSON.stringify(value)}`)
    .join(', ')}}`;

testWithPromtool('every panel shows something of what a real run has written', async () => {
  const { pair, series } = await writtenByARun();
  await using _ = pair;
  const { expressions } = await dashboard();
  const folder = join(pair.directory, 'promtool');
  await mkdir(folder);
  const path = join(folder, 'panels.yml');
  const queries = expressions.filter((expr) => !expr.includes('unless'));
  await writeFile(
    path,
    stringify({
      evaluation_interval: '1m',
      tests: [
        {
          interval: '1m',
          input_series: series.map((each) => ({ series: seriesName(each), values: `${each.value}+0x90` })),
          promql_expr_test: queries.map((expr) => ({
            expr: `count(${expr.replaceAll('$pipeline', 'shop').replaceAll('$table', '.*')}) > bool 0`,
            eval_time: '80m',
            exp_samples: [{ labels: '{}', value: 1 }],
          })),
        },
      ],
    }),
  );
  await expectPromtoolClean(['test', 'rules', path]);
});
