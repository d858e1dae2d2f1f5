/** The dashboard, the alerts and the documentation of the service know the metrics that it writes, and no others. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseExposition } from '../support/exposition.ts';
import { freshPair } from '../support/pair.ts';
import { PROJECT } from '../support/project.ts';
import { expectPromtoolClean, testWithPromtool } from '../support/promtool.ts';
import { controlPlace } from '../support/service.ts';
import { ORDERS_CONFIG } from '../support/shop.ts';

const RULES = join(PROJECT, 'deploy/prometheus/increp-service.rules.yml');
const RULE_TESTS = join(PROJECT, 'deploy/prometheus/increp-service.rules.test.yml');
const DASHBOARD = join(PROJECT, 'deploy/grafana/increp-service.json');

/** While a job waits, and after a sync. */
async function writtenByAService(): Promise<ReadonlySet<string>> {
  await using pair = await freshPair('orders');
  await using control = await controlPlace();
  await pair.writeTables({
    schedule: { every: '1h' },
    tables: [ORDERS_CONFIG, { ...ORDERS_CONFIG, name: 'gone' }],
  });
  await control.add('shop', pair);
  const serve = control.start('serve --no-worker --listen 127.0.0.1:0');
  await serve.waitForLog('listening on');
  await control.until(`SELECT FROM job WHERE state = 'created'`);
  const [, url = ''] = /listening on (http:[^"]+)/.exec(serve.log) ?? [];
  const namesNow = async () => {
    const text = await (await fetch(`${url}/metrics`)).text();
    await expectPromtoolClean(['check', 'metrics'], text);
    return parseExposition(text).map(({ name }) => name);
  };
  const waiting = await namesNow();
  control.start('work --drain 0s');
  for (const state of ['ok', 'failing']) await control.until(`SELECT FROM tables WHERE state = '${state}'`);
  return new Set([...waiting, ...(await namesNow())]);
}

const metricsIn = (text: string): string[] => [...new Set(text.match(/\bincrep_service_\w+/g))];

testWithPromtool(
  'every metric of the dashboard, the alerts, their tests and the documentation is one of the service',
  async () => {
    const written = [...(await writtenByAService())];
    for (const path of [RULES, RULE_TESTS, DASHBOARD]) {
      const used = metricsIn(await readFile(path, 'utf8'));
      expect(used.length).toBeGreaterThan(5);
      expect(written).toEqual(expect.arrayContaining(used));
    }
    const text = await readFile(join(PROJECT, 'docs/service.md'), 'utf8');
    const documented = [...text.matchAll(/^\| `(increp_service_\w+)` /gm)].map(([, name]) => name);
    expect(new Set(documented)).toEqual(new Set(written));
  },
);

test('every alert of the service says what happened and what to do, and has a test', async () => {
  const { groups } = parse(await readFile(RULES, 'utf8')) as {
    readonly groups: readonly {
      readonly rules: readonly {
        readonly alert: string;
        readonly annotations: Readonly<Record<string, string>>;
      }[];
    }[];
  };
  const tests = await readFile(RULE_TESTS, 'utf8');
  for (const { alert, annotations } of groups.flatMap(({ rules }) => rules)) {
    expect(annotations['summary'], alert).toMatch(/\w/);
    expect(annotations['description'], alert).toMatch(/"increp |"systemctl /);
    expect(tests).toContain(alert);
  }
});

testWithPromtool('promtool finds the rules of the service right, and their tests good', async () => {
  await expectPromtoolClean(['check', 'rules', RULES]);
  await expectPromtoolClean(['test', 'rules', RULE_TESTS]);
});
