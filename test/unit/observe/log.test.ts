import { expect, test } from 'vitest';
import { createLogger, effectiveLevel, type LoggerOptions } from '../../../src/observe/log.ts';
import { logListener } from '../../../src/observe/log-listener.ts';
import { redactor } from '../../../src/redact.ts';
import { failure, outcome, STARTED, summary } from '../report/outcomes.ts';

async function capture(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = [];
  const logger = await createLogger({
    log: { level: 'info', format: 'auto' },
    level: 'debug',
    base: { run_id: 'run-1', pipeline: 'shop' },
    redact: redactor(['s3cr3t p@ss']),
    isTerminal: false,
    color: false,
    say: (line: string) => void lines.push(line),
    ...options,
  });
  return { logger, lines, records: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

test('JSON lines where there is no terminal, with the run, the pipeline and the time in UTC', async () => {
  const { logger, records } = await capture();
  logger.child({ table: 'orders', phase: 'copy' }).info('hello');
  expect(records()).toEqual([
    {
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      run_id: 'run-1',
      pipeline: 'shop',
      table: 'orders',
      phase: 'copy',
      msg: 'hello',
    },
  ]);
});

test('no secret in any string of a line: message, field, child, error, in plain or in a URL', async () => {
  const { logger, lines, records } = await capture();
  const child = logger.child({ url: 'postgres://u:s3cr3t%20p%40ss@h/db' });
  child.error({ nested: ['s3cr3t p@ss'], err: new Error('with s3cr3t p@ss') }, 'password is s3cr3t p@ss');
  expect(lines.join('')).not.toMatch(/s3cr3t/);
  expect(records()[0]).toMatchObject({
    url: 'postgres://u:***@h/db',
    nested: ['***'],
    err: { message: 'with ***' },
    msg: 'password is ***',
  });
});

test('commands in a message and in a hint begin as the user types them', async () => {
  const { logger, records } = await capture({ typedCommand: (verb) => `/opt/x/increp -C /srv/shop ${verb}` });
  logger.error({ table: 'increp status', hint: 'Run "increp status t1".' }, 'see increp plan t1');
  expect(records()[0]).toMatchObject({
    table: 'increp status',
    hint: 'Run "/opt/x/increp -C /srv/shop status t1".',
    msg: 'see /opt/x/increp -C /srv/shop plan t1',
  });
});

test('a secret that JSON would escape is found all the same', async () => {
  const { logger, lines } = await capture({ redact: redactor(['a"b\\c\nd']) });
  logger.info('got a"b\\c\nd');
  expect(lines.join('')).toContain('got ***');
});

test('a password called info does not spoil the level', async () => {
  const { logger, records } = await capture({ redact: redactor(['info']) });
  logger.info('some info');
  expect(records()[0]).toMatchObject({ level: 'info', msg: 'some ***' });
});

test('pretty on a terminal: one line, written at once, after the progress line has made room', async () => {
  const order: string[] = [];
  const { logger } = await capture({
    isTerminal: true,
    beforeLine: () => order.push('clear'),
    say: (line: string) => void order.push(line),
  });
  logger.warn({ table: 'orders', rows: 3 }, 'odd \u001b[2J');
  expect(order).toHaveLength(2);
  expect(order[0]).toBe('clear');
  expect(order[1]).toMatch(/^\[\S+Z\] WARN: orders: odd \ufffd\[2J\n$/);
});

test.each([
  ['info', 'normal', false, 'info'],
  ['info', 'normal', true, 'warn'],
  ['error', 'normal', true, 'error'],
  ['info', 'verbose', false, 'debug'],
  ['trace', 'verbose', false, 'trace'],
  ['silent', 'verbose', false, 'debug'],
  ['debug', 'quiet', false, 'warn'],
  ['silent', 'quiet', false, 'silent'],
] as const)('LOG_LEVEL %s, %s, progress %s: %s', (level, verbosity, hasProgress, expected) => {
  expect(effectiveLevel({ level, verbosity, hasProgress })).toBe(expected);
});

test('the events of a run', async () => {
  const { logger, records } = await capture();
  const listen = logListener(logger);
  const table = 'items';
  await listen({
    type: 'run-started',
    runId: 'run-1',
    pipeline: 'shop',
    startedAt: STARTED,
    tables: [table],
  });
  await listen({
    type: 'table-planned',
    table,
    action: 'initial',
    reasons: [{ code: 'adopted' }],
    estimatedRows: 5,
  });
  await listen({ type: 'phase-started', table, phase: 'copy', detail: 'with pg_dump' });
  await listen({ type: 'rows-copied', table, bytes: 5 });
  await listen({ type: 'warning', table: undefined, message: 'careful' });
  await listen({ type: 'retrying', table, attempt: 1, delaySeconds: 0.5, error: failure() });
  await listen({ type: 'table-finished', outcome: outcome({ rowsRead: 3 }) });
  await listen({
    type: 'table-finished',
    outcome: outcome({ name: table, status: 'failed', error: failure() }),
  });
  await listen({ type: 'run-finished', summary: summary({ status: 'partial' }) });
  const seen = records();
  expect(seen.map(({ level }) => level)).toEqual(
    ['info', 'info', 'debug', 'warn', 'warn', 'info', 'error', 'error'], // no line per chunk of bytes
  );
  expect(seen[2]).toMatchObject({ table, phase: 'copy', msg: 'copy: with pg_dump' });
  expect(seen[5]).toMatchObject({ table: 'orders', rows_read: 3, duration_s: 0.4, msg: 'done' });
  expect(seen[6]).toMatchObject({
    table,
    code: 'PRIVILEGE_MISSING',
    sqlstate: '42501',
    hint: 'GRANT SELECT ON items TO reader;',
    msg: 'failed: permission denied for table items',
  });
});

test('on a terminal a long line is broken between words, and ends with its code', async () => {
  const { logger, lines } = await capture({ isTerminal: true, width: 60 });
  logger.warn(
    { code: 'CONNECTION_FAILED', sqlstate: '08006', attempt: 1, delay_s: 0.3 },
    'destination 127.0.0.1:1/warehouse: connect ECONNREFUSED 127.0.0.1:1; trying again in 0.3 s',
  );
  const text = lines.join('');
  expect(text.replaceAll(/\s+/g, ' ')).toMatch(
    /WARN: destination .* trying again in 0\.3 s \(CONNECTION_FAILED, SQLSTATE 08006\) ?$/,
  );
  for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(60);
});
