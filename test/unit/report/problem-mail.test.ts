import { expect, test } from 'vitest';
import type { RunSummary, TableOutcome } from '../../../src/events.ts';
import { localTime } from '../../../src/report/local-time.ts';
import { withWarnings } from '../../../src/report/run-warnings.ts';
import { formatProblems, hasProblems } from '../../../src/report/summary.ts';
import { failure, outcome, STARTED, summary, printed, plain, mixed } from './outcomes.ts';

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
