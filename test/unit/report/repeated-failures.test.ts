import { expect, test } from 'vitest';
import { formatEnding, summaryByTable } from '../../../src/report/summary.ts';
import { failure, outcome, summary, printed, plain } from './outcomes.ts';

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
