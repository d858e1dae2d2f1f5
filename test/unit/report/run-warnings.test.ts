import { expect, test } from 'vitest';
import type { TableOutcome } from '../../../src/events.ts';
import { warningsIn, withUnrequestedLoads, withWarnings } from '../../../src/report/run-warnings.ts';
import { formatProblems, hasProblems } from '../../../src/report/summary.ts';
import { failure, outcome, summary, printed, plain } from './outcomes.ts';

test('a warning that is cut has no open bracket', () => {
  const warning = `1 transaction is open at the source (pid 31812, user postgres, since ${'x'.repeat(60)})`;
  const tables = ['a', 'b'].map((name) => outcome({ name, warnings: [warning] }));
  expect(printed(summary({ tables }), plain)).toContain(
    'warning: 1 transaction is open at the source ... (also b)\n',
  );
});

test('tables that name the same session with other ages have one warning', () => {
  const open = (age: string) => `1 transaction is open at the source (pid 3, open for ${age}). Wait.`;
  const tables = ['119 s', '2 min'].map((age, place) =>
    outcome({ name: `t${place}`, warnings: [open(age)] }),
  );
  const text = formatProblems(summary({ tables }), 2, new Map(), plain);
  expect(text.match(/transaction is open/g)).toHaveLength(1);
  expect(text).toContain(`(t0, t1): ${open('119 s')}`);
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
    'no command requested this load, and the table was empty until its end; the source cannot give again the rows that only the destination table kept (if you need them, restore them from a backup of the destination)',
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
