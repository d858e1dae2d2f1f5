import { expect, test } from 'vitest';
import type { ClaimedJob } from '../../../src/serve/claim.ts';
import { serviceLog } from '../../../src/serve/service-log.ts';
import { failure, outcome, summary } from '../report/outcomes.ts';

type Place = Parameters<typeof serviceLog>[0];

async function capture() {
  const lines: string[] = [];
  const log = await serviceLog({
    ...{ settings: { log: { level: 'info', format: 'auto' } }, program: 'serve', redact: (text) => text },
    ...{ isTerminal: true, color: false },
    say: (text) => void lines.push(text),
  } as Partial<Place> as Place);
  return { log, lines };
}

const claim = (more: object) => ({ pipeline: 'shop', job: { data: { table: 'orders' } }, ...more });

test('each line of the text log names its pipeline', async () => {
  const { log, lines } = await capture();
  const job = claim({ kind: 'table' }) as ClaimedJob;
  log.synced(job, summary({ tables: [outcome()] }));
  log.synced(
    job,
    summary({ tables: [outcome({ status: 'failed', error: failure({ message: 'denied' }) })] }),
  );
  log.looked(claim({ job: { data: {} } }) as ClaimedJob, { summary: summary(), found: [] } as never);
  log.info('this worker serves the pipeline', { pipeline: 'shop' });
  expect(lines.map((line) => line.replace(/^.*?(?:INFO|ERROR): /, '').trimEnd())).toEqual([
    'shop: orders: 1 table ok',
    'shop: orders: failed: denied (PRIVILEGE_MISSING, SQLSTATE 42501)',
    'shop: 0 of 0 tables have work',
    'shop: this worker serves the pipeline',
  ]);
});

test('a failed command says why', async () => {
  const { log, lines } = await capture();
  const verify = claim({ kind: 'command', command: 'verify', job: { data: {} } }) as Parameters<
    typeof log.commanded
  >[0];
  const error = {
    code: 'USAGE',
    message: 'no table "nosuch"',
    hint: 'Name another.',
    sqlstate: null,
  } as const;
  log.commanded(verify, { isOk: false, document: null, error });
  log.commanded(verify, { isOk: false, document: {}, error: null });
  expect(lines.join('')).toContain('shop: verify has failed: no table "nosuch" (USAGE)\n');
  expect(lines.join('')).toContain('shop: verify has failed: the result of the run says why\n');
});
