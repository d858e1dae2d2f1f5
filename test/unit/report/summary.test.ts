import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import type { RunSummary, TableOutcome } from '../../../src/events.ts';
import { localTime } from '../../../src/report/local-time.ts';
import type { Style } from '../../../src/report/style.ts';
import { warningsIn, withUnrequestedLoads, withWarnings } from '../../../src/report/run-warnings.ts';
import { formatEnding, formatProblems, hasProblems, summaryByTable } from '../../../src/report/summary.ts';
import { displayWidth, truncate } from '../../../src/report/text.ts';
import { failure, outcome, STARTED, summary } from './outcomes.ts';

/** All that a run prints. */
function printed(ended: RunSummary, style: Style): string {
  const lines = summaryByTable(() => style);
  const names = [...new Set(ended.tables.map(({ name }) => name))];
  const places = ended.destinations?.map(({ name }) => name);
  const started = { type: 'run-started', tables: names, ...(places && { destinations: places }) } as const;
  const { runId, pipeline, startedAt } = ended;
  lines({ ...started, runId, pipeline, startedAt });
  const told = ended.tables.map((table) => lines({ type: 'table-finished', outcome: table }));
  return `${told.join('')}${formatEnding(ended, ended.tables.length, style)}`;
}

const plain = { color: false, width: Infinity, isUnicode: true };
const mixed = summary({
  status: 'partial',
  tables: [
    outcome({ rowsRead: 1200, rowsInserted: 1000, rowsUpdated: 4, rowsUnchanged: 196, bytes: 12_345 }),
    outcome({
      name: 'customers',
      action: 'initial',
      reasons: [{ code: 'no-destination-table' }],
      loader: 'copy',
      rowsRead: 9,
      rowsInserted: 9,
      bytes: 80,
      warnings: ['2 rows have no key'],
    }),
    outcome({ name: 'items', status: 'failed', error: failure({ message: 'denied\nDETAIL: no' }) }),
    outcome({ name: 'old', status: 'skipped', action: 'skipped', reasons: [{ code: 'disabled' }] }),
  ],
  warnings: ['the source is a standby'],
});

test('rows that were only read again are not counted twice', () => {
  const tables = [outcome({ rowsRead: 5000, rowsUnchanged: 5000 })];
  expect(printed(summary({ tables }), plain)).toContain('  5,000 read again, none changed\n');
});

test('an aligned table with what to do next', () => {
  expect(printed(mixed, plain)).toBe(
    [
      '✓ ok       orders     incremental   0.4 s   12.3 kB  1,200 read, 1,000 inserted, 4 updated, 196 unchanged',
      '✓ ok       customers  initial       0.4 s      80 B  9 read, 9 inserted',
      '    warning: 2 rows have no key',
      '✗ FAILED   items      incremental   0.4 s',
      '    error: denied',
      '           DETAIL: no (PRIVILEGE_MISSING, SQLSTATE 42501)',
      '      next: GRANT SELECT ON items TO reader;',
      '- skipped  old',
      '    because it is disabled in tables-config.json',
      'warning: the source is a standby',
      '2 tables ok, 1 failed, 1 skipped, 1 with warnings in 4.2 s',
      '',
    ].join('\n'),
  );
});

test('what has happened to a copy besides its rows is said, and that it went on from its cursor is not', () => {
  const reason =
    'column "extra" (text) was added at the source: the destination table was altered in place, 3 rows filled';
  const reasons: TableOutcome['reasons'] = [
    {
      code: 'drift',
      differences: [{ code: 'column-added', column: 'extra', type: 'text' }],
      answer: { kind: 'alter', filledRows: 3 },
    },
  ];
  const linesOf = (changes: Parameters<typeof outcome>[0]) =>
    printed(summary({ tables: [outcome({ rowsRead: 1, ...changes })] }), plain).split('\n');
  expect(linesOf({ reasons })[1]).toBe(`    because ${reason}`);
  expect(linesOf({ reasons, action: 'append' })[1]).toBe(`    because ${reason}`);
  expect(linesOf({})[1]).toMatch(/^1 table ok/);
});

test('results that differ between destinations are counted for each', () => {
  const endOf = (...statuses: readonly ('ok' | 'failed')[]) => {
    const destinations = statuses.map(
      (_, place) => ({ name: `d${place}`, status: 'ok', error: undefined }) as const,
    );
    const tables = statuses.map((status, place) =>
      outcome({ destination: `d${place}`, status, ...(status === 'failed' && { error: failure() }) }),
    );
    return formatEnding(summary({ destinations, tables }), tables.length, plain);
  };
  expect(endOf('ok', 'failed')).toBe('1 table ok, 1 failed (d0: 1 ok; d1: 1 failed) in 4.2 s\n');
  expect(endOf('failed', 'failed')).toBe('2 tables failed at 2 destinations in 4.2 s\n');
});

test('what the time limit left is named with its destination, of which there may be one of several', () => {
  const left = (destination: string) =>
    outcome({ destination, status: 'skipped', action: 'skipped', isDeferred: true });
  const endOf = (destinations: readonly string[]) =>
    formatEnding(
      summary({
        destinations: destinations.map((name) => ({ name, status: 'ok', error: undefined })),
        tables: destinations.map(left),
      }),
      destinations.length,
      plain,
    ).split('\n');
  expect(endOf(['one', 'two'])).toEqual([
    expect.stringMatching(/^2 tables deferred at 2 destinations in /),
    '2 tables deferred to the next run: one: orders, two: orders',
    '',
  ]);
  expect(endOf(['one'])[0]).toMatch(/^1 table deferred at 1 destination in /);
});

test('colour follows the flag alone and carries no meaning of its own', () => {
  const colored = printed(mixed, { ...plain, color: true });
  expect(colored).toContain('\u001b[31m✗ FAILED');
  expect(stripVTControlCharacters(colored)).toBe(printed(mixed, plain));
});

test('no tables at all', () => {
  expect(printed(summary(), plain)).toBe('no tables in 4.2 s\n');
});

test('a run that failed before its tables says why', () => {
  const failed = summary({ status: 'failed', error: failure({ sqlstate: undefined }) });
  expect(printed(failed, plain).split('\n').slice(0, 3)).toEqual([
    'error: permission denied for table items (PRIVILEGE_MISSING)',
    '  next: GRANT SELECT ON items TO reader;',
    'Run failed after 4.2 s. No table was synced.',
  ]);
});

test('long names give way on a narrow terminal, but not that of a failed table', () => {
  const long = 'a_table_with_quite_a_long_name';
  const tables = [
    outcome({ name: long }),
    outcome({ name: long, status: 'failed', error: failure() }),
    outcome({ name: '短い名前の表です長い長い名前' }),
  ];
  const lines = printed(summary({ tables }), { color: false, width: 62, isUnicode: true })
    .split('\n')
    .filter((line) => line.includes('incremental'));
  expect(lines[0]).toContain('…');
  expect(lines[1]).toContain(long);
  expect(displayWidth(lines[0] ?? '')).toBeLessThanOrEqual(62);
  expect(displayWidth(lines[2] ?? '')).toBe(displayWidth(lines[0] ?? ''));
});

test('what does not fit is broken where words end, and hangs', () => {
  const text = printed(mixed, { ...plain, width: 60 });
  expect(text.split('\n').slice(0, 3)).toEqual([
    '✓ ok       orders     incremental   0.4 s   12.3 kB',
    '    1,200 read, 1,000 inserted, 4 updated, 196 unchanged',
    '✓ ok       customers  initial       0.4 s      80 B',
  ]);
  for (const line of text.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(60);
});

test('a mail names the pipeline, only what went wrong, and how old the copy is', () => {
  const last = new Map([['items', new Date('2026-03-01T08:30:00.000Z')]]);
  expect(hasProblems(mixed)).toBe(true);
  expect(formatProblems(mixed, mixed.tables.length, last, plain)).toBe(
    [
      'pipeline shop: partly failed',
      '✓ ok      customers  initial      0.4 s  80 B  9 read, 9 inserted',
      '    warning: 2 rows have no key',
      '✗ FAILED  items      incremental  0.4 s',
      '    error: denied',
      '           DETAIL: no (PRIVILEGE_MISSING, SQLSTATE 42501)',
      '      next: GRANT SELECT ON items TO reader;',
      `    last success: ${localTime(new Date('2026-03-01T08:30:00Z'))}, 1 h 30 min before`,
      'warning: the source is a standby',
      '2 tables ok, 1 failed, 1 skipped, 1 with warnings in 4.2 s',
      '',
    ].join('\n'),
  );
});

test('a mail about a run that never got to its tables says when one did', () => {
  const last = new Map([
    ['a', new Date('2026-03-01T09:59:00.000Z')],
    ['b', new Date('2026-02-01T09:59:00.000Z')],
  ]);
  const failed = summary({ status: 'failed', error: failure({ sqlstate: undefined }) });
  expect(formatProblems(failed, failed.tables.length, last, plain).split('\n').slice(0, 2)).toEqual([
    'pipeline shop: FAILED',
    `last success: ${localTime(new Date('2026-03-01T09:59:00Z'))}, 1 min 4 s before`,
  ]);
  expect(formatProblems(failed, failed.tables.length, new Map(), plain)).not.toContain('last success');
  expect(hasProblems(summary({ tables: [outcome()] }))).toBe(false);
});

test('names of every script are aligned', () => {
  const tables = ['orders', '注文', 'cafe\u0301', 'été', '한국어'].map((name) => outcome({ name }));
  const lines = printed(summary({ tables }), plain).split('\n').slice(0, 5);
  const starts = lines.map((line) => displayWidth(line.slice(0, line.indexOf('incremental'))));
  expect(new Set(starts).size).toBe(1);
});

test('an escape sequence in a name or a message does not reach the terminal', () => {
  const tables = [
    outcome({ name: 'a\u001b[2Jb\nc', status: 'failed', error: failure({ message: '\u001b]0;x\u0007' }) }),
  ];
  const text = printed(summary({ tables }), plain);
  expect(text).not.toContain('\u001b');
  expect(text.split('\n')[0]).toContain('a�[2Jb c');
});

test('text is cut by cells, not by characters', () => {
  expect(truncate('orders', 6, '…')).toBe('orders');
  expect(truncate('orders', 4, '…')).toBe('ord…');
  expect(truncate('注文注文', 4, '…')).toBe('注…');
  expect(truncate('orders', 0, '…')).toBe('');
});

test('what several tables fail of is told in full once', () => {
  const error = failure({ message: 'the source has no schema "noschema"' });
  const tables = ['a', 'b'].map((name) => outcome({ name, status: 'failed', error }));
  const other = outcome({ name: 'c', status: 'failed', error: failure({ message: 'denied' }) });
  const text = printed(summary({ status: 'failed', tables: [...tables, other] }), plain);
  expect(text.match(/noschema/g)).toHaveLength(1);
  expect(text).toMatch(
    /FAILED +b .*\n    error: PRIVILEGE_MISSING, as for a\n.*FAILED +c .*\n    error: denied/,
  );
  const tell = summaryByTable(() => plain);
  const told = tables.map((each) => tell({ type: 'table-finished', outcome: each })).join('');
  expect(told.match(/noschema/g)).toHaveLength(1);
  expect(told).toContain('error: PRIVILEGE_MISSING, as for a\n');
});

test('what ended the run is not told again below the table that it ended', () => {
  const error = failure({ code: 'INTERRUPTED', message: 'stopped by SIGINT', hint: 'Run it again.' });
  const ended = summary({ status: 'failed', error, tables: [outcome({ status: 'failed', error })] });
  expect(printed(ended, plain).match(/stopped by SIGINT/g)).toHaveLength(1);
  expect(formatEnding(ended, ended.tables.length, plain)).toBe('1 table interrupted in 4.2 s\n');
});

test('after many tables the end counts those without changes, also if their rows were read, and the time of a slow webhook', () => {
  const names = Array.from({ length: 12 }, (_, index) => `t${index}`);
  const tables = names.map((name, index) =>
    outcome({
      name,
      ...(index < 8 ? { isQuiet: true as const } : { rowsRead: 5, rowsUnchanged: index === 11 ? 4 : 5 }),
      rowsUpdated: index === 11 ? 1 : 0,
    }),
  );
  const end = (changes: object) => formatEnding(summary({ tables, ...changes }), 12, plain).trimEnd();
  expect(end({})).toBe('12 tables ok (11 without changes, of which 3 were read again) in 4.2 s');
  expect(end({ reportSeconds: 30 })).toMatch(/ in 4\.2 s, and 30\.0 s more to report the run$/);
});

test('the end counts the tables that a stopped run did not start', () => {
  const error = failure({ code: 'INTERRUPTED', message: 'stopped by SIGINT', hint: 'Run it again.' });
  const ended = summary({
    status: 'failed',
    error,
    tables: [outcome(), outcome({ status: 'failed', error })],
  });
  expect(formatEnding(ended, 302, plain)).toBe('1 table ok, 1 interrupted, 300 not started in 4.2 s\n');
});

test('a run with flags that did not reach all tables names its command', () => {
  const repeatCommand = 'increp sync --full-refresh';
  const failed = outcome({ status: 'failed', error: failure() });
  const ended = summary({ status: 'failed', tables: [failed], repeatCommand });
  expect(formatEnding(ended, 3, plain)).toMatch(
    /2 not started in 4\.2 s\nnext: For the tables that were not started, run "increp sync --full-refresh"\n$/,
  );
  expect(formatEnding(ended, 1, plain)).not.toContain('next: For');
  const deferred = summary({ tables: [outcome({ status: 'skipped', isDeferred: true })], repeatCommand });
  expect(formatEnding(deferred, 1, plain)).toMatch(
    /1 table deferred: orders; run again: "increp sync --full-refresh"\n$/,
  );
});

test('nor where the table has more to say of it', () => {
  const error = failure({ code: 'INTERRUPTED', message: 'stopped by SIGINT', hint: 'Run it again.' });
  const ofTable = { ...error, message: 'stopped by SIGINT; 7 of 9 chunks are kept' };
  const ended = summary({ status: 'failed', error, tables: [outcome({ status: 'failed', error: ofTable })] });
  expect(formatEnding(ended, ended.tables.length, plain)).toBe('1 table interrupted in 4.2 s\n');
});

test('a table that another run holds is busy, and one that a signal ended is interrupted', () => {
  const continued = { code: 'load-continued', done: 3, of: 7, later: [] } as const;
  const tables = [
    outcome({
      ...{
        status: 'failed',
        action: 'initial',
        reasons: [{ code: 'was-reset', at: '2026-03-01' }, continued],
      },
      error: failure({ code: 'RUN_LOCKED', message: 'it is being synced' }),
    }),
    outcome({ name: 'items', status: 'failed', error: failure({ code: 'INTERRUPTED', message: 'stopped' }) }),
  ];
  const text = printed(summary({ status: 'failed', tables }), plain);
  expect(text).toContain('- busy     orders');
  expect(text).toContain('\n    load in chunks: 3 of 7 chunks are done');
  expect(text).not.toContain('because');
  expect(text).toContain('- interrupted  items');
  expect(text).toContain('\n1 table busy, 1 interrupted in 4.2 s\n');
  expect(text).not.toContain('FAILED');
});

test('after many tables, those that failed in the same way share one line', () => {
  const names = Array.from({ length: 12 }, (_, place) => `t${place}`);
  const mismatch = (name: string) =>
    failure({
      code: 'STATE_MISMATCH',
      message: `the state of public.${name} belongs to pipeline "shop"`,
      hint: `Run "increp reset ${name}".`,
      sqlstate: undefined,
    });
  const tables = names.map((name) => outcome({ name, status: 'failed', error: mismatch(name) }));
  const text = printed(summary({ status: 'failed', tables }), plain);
  // Below the first table, and at the end, where a terminal shows it.
  expect(text.match(/belongs to pipeline/g)).toHaveLength(2);
  expect(text.match(/✗ FAILED/g)).toHaveLength(1);
  expect(text).toMatch(
    / {4}FAILED 12 tables \(STATE_MISMATCH\): t0, .*, t9 and 2 more\n {6}the state of public\.t0 belongs to pipeline "shop"\n {6}next: Run "increp reset t0 t1 .* t11"\.\n$/,
  );
});

test('after many different steps, the counts and a command for each come last', () => {
  const tables = ['a', 'b', 'c', 'd', 'e'].map((name, index) =>
    outcome({
      name,
      status: 'failed',
      error: failure({ message: `port ${index % 2 === 0 ? 0 : index} is closed`, hint: `Look at ${index}.` }),
    }),
  );
  const typedCommand = (verb: string) => `/opt/increp -C shop ${verb}`;
  const text = formatEnding(summary({ status: 'failed', tables }), 5, { ...plain, typedCommand });
  expect(text).toBe(`    FAILED 3 tables (PRIVILEGE_MISSING): a, c, e
      port 0 is closed
      next: The tables need different steps. To see them:
              /opt/increp -C shop check a c e
5 tables failed in 4.2 s
    FAILED 3 tables, such as a (PRIVILEGE_MISSING): /opt/increp -C shop status a
    FAILED b (PRIVILEGE_MISSING): /opt/increp -C shop status b
    FAILED d (PRIVILEGE_MISSING): /opt/increp -C shop status d
`);
});

test('a table with the name of a word in the message is not told apart', () => {
  const tables = ['orders', 'settings', 'user', 'items', 'roles'].map((name) =>
    outcome({
      name,
      status: 'failed',
      error: failure({
        message: `public.${name}: role "reader" of user roles is swapped`,
        hint: `Exchange the SOURCE_ and DEST_ settings of ${name}.`,
      }),
    }),
  );
  for (const order of [tables, tables.toReversed()]) {
    const text = printed(summary({ status: 'failed', tables: order }), plain);
    expect(text.match(/error: PRIVILEGE_MISSING, as for /g)).toHaveLength(4);
    expect(text).toContain('FAILED 5 tables');
  }
});

test('messages that differ in more than the name of the table are each printed', () => {
  const error = (port: number, name: string) =>
    failure({ message: `${name} is closed on port ${port}`, hint: 'Look.' });
  const tables = [
    outcome({ name: 'a', status: 'failed', error: error(1, 'a') }),
    outcome({ name: 'b', status: 'failed', error: error(2, 'b') }),
    outcome({ name: 'c', status: 'failed', error: error(2, 'c') }),
  ];
  const text = printed(summary({ status: 'failed', tables }), plain);
  expect(text).toContain('error: a is closed on port 1');
  expect(text).toContain('error: b is closed on port 2');
  expect(text).toContain('error: PRIVILEGE_MISSING, as for b\n');
});

test('messages that differ only in numbers of rows are printed once, and --quiet ends with the failed tables', () => {
  const names = Array.from({ length: 11 }, (_, index) => `t${index}`);
  const tables = names.map((name, index) =>
    outcome({ name, status: 'failed', error: failure({ message: `${name} has ${index} of 1,000 rows` }) }),
  );
  const ended = summary({ status: 'failed', tables });
  expect(printed(ended, plain).match(/ of 1,000 rows/g)).toHaveLength(12);
  const mail = formatProblems(ended, 11, new Map(), plain);
  expect(mail).toMatch(
    /11 tables failed in 4\.2 s\n {4}FAILED 11 tables \(PRIVILEGE_MISSING\): t0, .*, t9 and 1 more\n {6}others: t1 1 of 1,000 rows, .*, t10 10 of 1,000 rows\n$/,
  );
  expect(mail.match(/GRANT SELECT/g)).toHaveLength(1);
  // Of many failures of one kind, a mail has the first table alone.
  expect(mail.match(/✗ FAILED/g)).toHaveLength(1);
});

test('a mail names a destination that is down in place of its tables, and counts warnings that it leaves out', () => {
  const error = failure({ message: 'connection refused' });
  const tables = ['a', 'b', 'c'].flatMap((name) => [
    outcome({ name, destination: 'warehouse', warnings: ['1 row has no key'] }),
    outcome({ name, destination: 'reports', status: 'failed', error: { ...error, hint: 'of one table' } }),
  ]);
  const destinations = [
    { name: 'warehouse', status: 'ok', error: undefined },
    { name: 'reports', status: 'failed', error },
  ] as const;
  const found = summary({ status: 'partial', tables, destinations });
  const mail = formatProblems(withWarnings(found, []), 6, new Map(), plain);
  expect(mail.split('\n')[1]).toMatch(/^✗ FAILED {2}reports: 3 tables /);
  expect(mail.match(/FAILED|connection refused/g)).toHaveLength(2);
  expect(mail).toContain('\n3 tables ok, 3 failed, 3 with warnings, some reported before (warehouse: 3 ok, ');
  expect(mail).toContain('(warehouse: 3 ok, 3 with warnings; reports: 3 failed) in 4.2 s\n');
});

test('a mail has a step once, and the numbers of each table', () => {
  const failed = (name: string, rows: string) =>
    outcome({
      name,
      status: 'failed',
      error: failure({ message: `${name} has ${rows}`, hint: `sync ${name}` }),
    });
  const other = failure({ code: 'TIMEOUT', message: 'too late', hint: 'Wait.' });
  const tables = [
    failed('a', '2 of 3 rows'),
    failed('b', '5 rows'),
    ...['c', 'd'].map((name) => outcome({ name, status: 'failed', error: { ...other, message: name } })),
  ];
  const mail = formatProblems(summary({ status: 'failed', tables }), 4, new Map(), plain);
  expect(mail).toContain('error: PRIVILEGE_MISSING, as for a, with the name of this table and 5 rows\n');
  expect(mail.match(/sync a|Wait\./g)).toHaveLength(2);
  expect(mail).toMatch(/4 tables failed in 4\.2 s\n$/);
});

test.for([
  [2, 'denied for t0', 'Ask the owner.'],
  [10, 'denied for t0', 'Ask the owner.'],
  [20, 'denied for t0', 'Ask the owner.'],
  [33, 'denied for t0', 'GRANT SELECT ON "public"."t0" TO "ro"'],
] as const)(
  'a mail about %i tables has the sentence, the step and the last success of each group once',
  ([count, message, hint]) => {
    const names = [
      'Order Lines, 50%',
      ...Array.from({ length: count - 1 }, (_, place) => `t${String(place + 1)}`),
    ];
    const failed = names.map((name) =>
      outcome({
        name,
        status: 'failed',
        error: failure({
          message: message.replace('t0', name),
          hint: hint.replace('t0', name),
          sqlstate: undefined,
        }),
      }),
    );
    const late = outcome({
      name: 'my "own"',
      status: 'failed',
      error: failure({ code: 'TIMEOUT', message: 'too late', hint: 'Wait.', sqlstate: undefined }),
    });
    const last = new Map([...names, late.name].map((name) => [name, STARTED]));
    const step = hint.startsWith('GRANT')
      ? /GRANT SELECT ON "public"\."Order Lines, 50%", "public"\."t1"/g
      : /Ask the/g;
    for (const others of [[], [late]]) {
      const tables = [...failed, ...others];
      const ended = summary({ status: 'failed', tables });
      const mail = formatProblems(ended, tables.length, last, plain);
      expect(mail.match(/error: denied for Order Lines, 50% \(PRIVILEGE_MISSING\)/g)).toHaveLength(1);
      expect(mail.match(step)).toHaveLength(1);
      expect(mail).toContain('last success: ');
      expect(
        mail.match(/error: too late \(TIMEOUT\)\n {6}next: Wait\.\n {4}last success: /g) ?? [],
      ).toHaveLength(others.length);
      expect(printed(ended, plain)).toContain('error: denied for Order Lines, 50% (PRIVILEGE_MISSING)');
    }
  },
);

test('a warning that is cut has no open bracket', () => {
  const warning = `1 transaction is open at the source (pid 31812, user postgres, since ${'x'.repeat(60)})`;
  const tables = ['a', 'b'].map((name) => outcome({ name, warnings: [warning] }));
  expect(printed(summary({ tables }), plain)).toContain(
    'warning: 1 transaction is open at the source ... (also b)\n',
  );
});

test('of hundreds of tables only the first are named', () => {
  const warned = Array.from({ length: 300 }, (_, place) =>
    outcome({ name: `t${place}`, warnings: ['slow'] }),
  );
  const deferred = Array.from({ length: 220 }, (_, place) =>
    outcome({ name: `d${place}`, status: 'skipped', action: 'skipped', isDeferred: true }),
  );
  const ended = summary({ tables: [...warned, ...deferred] });
  const text = printed(ended, plain);
  expect(text).toMatch(/warning: slow \(also t1, .*, t10 and 289 more\)\n/);
  expect(text).toMatch(/220 tables deferred to the next run: d0, .*, d9 and 210 more\n/);
  expect(formatProblems(ended, ended.tables.length, new Map(), plain)).toMatch(
    /300 tables \(t0, .*, t9 and 290 more\): slow/,
  );
});

test('after many tables the failed ones are named again, with the command that shows why', () => {
  const tables = Array.from({ length: 11 }, (_, place) => outcome({ name: `t${place}` }));
  const failed = outcome({ name: 'my table', status: 'failed', error: failure() });
  const lines = printed(summary({ status: 'partial', tables: [failed, ...tables] }), plain)
    .trimEnd()
    .split('\n');
  expect(lines.slice(-2)).toEqual([
    '11 tables ok (11 without changes), 1 failed in 4.2 s',
    `    FAILED "my table" (PRIVILEGE_MISSING): increp status 'my table'`,
  ]);
  const few = printed(summary({ status: 'partial', tables: [failed] }), plain);
  expect(few).toMatch(/1 table failed in 4\.2 s\n$/);
});

test('a run that only met another run, or that a signal ended, is not called failed', () => {
  const headOf = (changes: Partial<RunSummary>) =>
    formatProblems(summary(changes), 2, new Map(), plain).split('\n')[0];
  const ended = (code: 'RUN_LOCKED' | 'INTERRUPTED' | 'TIMEOUT') =>
    outcome({ name: code, status: 'failed', error: failure({ code }) });
  const partial = (...tables: readonly TableOutcome[]) =>
    headOf({ status: 'partial', tables: [outcome(), ...tables] });
  expect(partial(ended('RUN_LOCKED'))).toBe('pipeline shop: partly busy');
  expect(partial(ended('RUN_LOCKED'), ended('TIMEOUT'))).toBe('pipeline shop: partly failed');
  expect(headOf({ status: 'failed', tables: [ended('RUN_LOCKED')] })).toBe('pipeline shop: busy');
  const error = failure({ code: 'INTERRUPTED' });
  expect(headOf({ status: 'failed', tables: [outcome()], error })).toBe('pipeline shop: interrupted');
});

test('a load that no command requested is a warning, with the rows that it removed', () => {
  const recreated = {
    code: 'drift',
    differences: [{ code: 'source-recreated' }],
    answer: { kind: 'reset', obstacles: [] },
  } as const;
  const textsOf = (changes: Partial<TableOutcome>) =>
    warningsIn(
      withUnrequestedLoads(
        summary({ tables: [outcome({ action: 'reset', cursorBefore: '5', ...changes })] }),
      ),
    ).map(({ text }) => text);
  const text = 'no command requested this load: the source table was dropped and created again';
  expect(textsOf({ reasons: [recreated] })).toEqual([text]);
  expect(textsOf({ reasons: [recreated], rowsDeleted: 1500 })).toEqual([`${text} (rows removed: 1,500)`]);
  // In mode full-refresh, which loads at each sync.
  expect(textsOf({ reasons: [recreated], cursorBefore: null })).toEqual([]);
  const dropped = { code: 'column-dropped', column: 'note' } as const;
  expect(textsOf({ reasons: [{ ...recreated, differences: [dropped] }] })).toEqual([]);
  const renamed = { code: 'column-missing', column: 'note', renamedTo: 'remark' } as const;
  const load = { reasons: [{ ...recreated, differences: [renamed] }] };
  const words = 'column "note" was dropped at the destination, or renamed to "remark". The load added';
  expect(textsOf(load)[0]).toContain(`no command requested this load: ${words}`);
  expect(textsOf({ ...load, cursorBefore: null })[0]).toMatch(new RegExp(`^${words}`));
  const both = [...recreated.differences, dropped];
  expect(textsOf({ reasons: [{ ...recreated, differences: both }] })).toEqual([text]);
  const kept = 'rows that only the former table kept';
  expect(textsOf({ reasons: [{ code: 'destination-without-state', keptRows: true }] })[0]).toContain(kept);
  expect(textsOf({ reasons: [{ code: 'destination-without-state' }] })[0]).not.toContain(kept);
  expect(textsOf({ reasons: [{ code: 'destination-emptied', keptRows: true }] })).toEqual([
    'no command requested this load, and the table was empty until its end; the source cannot give again the rows that only the destination table kept',
  ]);
  expect(textsOf({ reasons: [{ code: 'destination-dropped' }] })).toEqual([
    'the destination table was missing, so increp loaded it again. If you made grants, indexes or views on the former table or its schema, create them again',
  ]);
  expect(textsOf({ reasons: [{ code: 'destination-dropped', keptRows: true }] })[0]).toMatch(
    /the destination table was dropped; .*\. If you made grants/,
  );
  const back = ['DROP TABLE "orders"', 'ALTER TABLE "former" RENAME TO "orders"'];
  const [step] = textsOf({ reasons: [{ code: 'destination-dropped', renamedTo: 'former', back }] });
  expect(step).toContain(`run at the destination: ${back.join('; ')}. Then fetch`);
  expect(step).toMatch(/"increp verify orders --repair"$/);
});

test('a failover, a load that no command requested and a key that went back are events', () => {
  const eventOf = (changes: Partial<TableOutcome>) =>
    warningsIn(withUnrequestedLoads(summary({ tables: [outcome(changes)] }))).map(({ event }) => event);
  expect(eventOf({ warnings: ['replaced', 'another'], eventWarnings: { single: ['replaced'] } })).toEqual([
    'single',
    undefined,
  ]);
  expect(eventOf({ reasons: [{ code: 'destination-emptied' }] })).toEqual(['single']);
  expect(eventOf({ reasons: [{ code: 'destination-dropped' }] })).toEqual(['single']);
  expect(eventOf({ warnings: ['back'], eventWarnings: { repeated: ['back'] } })).toEqual(['repeated']);
});

test('a table that another run still holds is reported like a standing warning, and a failure always', () => {
  const busy = outcome({ name: 'big', status: 'failed', error: failure({ code: 'RUN_LOCKED' }) });
  const held = summary({ status: 'partial', tables: [busy, outcome()] });
  expect(warningsIn(held)).toEqual([{ table: 'big', text: 'another run holds the table' }]);
  expect(withWarnings(held, warningsIn(held))).toEqual(held);
  expect(hasProblems(withWarnings(held, []))).toBe(false);
  const failed = outcome({ name: 'bad', status: 'failed', error: failure() });
  const silenced = withWarnings(summary({ status: 'failed', tables: [busy, failed], error: failure() }), []);
  expect(silenced).toMatchObject({
    status: 'failed',
    tables: [{ name: 'bad' }],
    error: { code: 'PRIVILEGE_MISSING' },
  });
});

test('an empty selection names the option that chooses rows, and a table that was loaded again has no rows', () => {
  const line = (changes: Partial<TableOutcome>) =>
    printed(summary({ tables: [outcome(changes)] }), plain).split('\n')[0];
  const loaded = { action: 'initial', reasons: [{ code: 'no-destination-table' }] } as const;
  expect(line({ ...loaded, rowsFrom: 'where' })).toMatch(/ no rows match where$/);
  expect(line({ ...loaded, rowsFrom: 'query' })).toMatch(/ the query returns no rows$/);
  expect(line({ rowsFrom: 'where', cursor: null })).toMatch(/ no rows match where$/);
  expect(line({ rowsFrom: 'where' })).toMatch(/ no new rows$/);
  expect(line({ rowsRead: 1, rowsCompared: 10_000, rowsUnchanged: 1 })).toMatch(
    / 1 read, 10,000 compared, 1 unchanged$/,
  );
  expect(line({ action: 'full-refresh', cursor: null })).toMatch(/ no rows$/);
});

test('the columns are as wide as the longest action of the run', () => {
  const tell = summaryByTable(() => plain);
  tell({
    ...{ type: 'run-started', runId: 'r', pipeline: 'p', startedAt: STARTED },
    ...{ tables: ['a', 'b'], hasFullRefresh: true },
  });
  const [a = '', b = ''] = (['incremental', 'full-refresh'] as const).map((action) =>
    tell({ type: 'table-finished', outcome: outcome({ name: action.slice(0, 1), action, bytes: 5 }) }),
  );
  expect(a.indexOf('0.4 s')).toBe(b.indexOf('0.4 s'));
});
