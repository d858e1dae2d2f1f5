import { expect, test } from 'vitest';
import { formatPlan } from '../../../src/report/plan.ts';
import { copyCauseText } from '../../../src/report/reasons.ts';

const narrow = { color: false, width: 80, isUnicode: true };
const FRAME = { isVerbose: false, jobs: 1, direction: { from: 'source', to: 'destination' } };

type Planned = Parameters<typeof formatPlan>[0][number];
const quiet = (name: string, more: Partial<Planned> = {}): Planned => ({
  ...{ name, action: 'incremental', reason: '', pattern: undefined, selects: undefined, copy: undefined },
  ...{ typeChanges: [], evolution: undefined, rules: [], loader: undefined, isSmall: false },
  ...{ estimated: undefined, cursor: '7', high: '7', hasWork: false, removesDeleted: false },
  ...{ deletes: undefined, removes: [], objects: [], builtOn: [], obstruction: undefined },
  ...{ warnings: [], error: undefined, lastFailure: undefined },
  ...more,
});
const lastLine = (tables: Parameters<typeof formatPlan>[0]) =>
  formatPlan(tables, { ...narrow, width: Infinity }, FRAME)
    .trimEnd()
    .split('\n')
    .at(-1);
const MANY = Array.from({ length: 12 }, (_, index) => quiet(`t${index + 1}`));
const FAILED = {
  ageSeconds: 60,
  code: 'DISK_FULL',
  sqlstate: '53100',
  message: 'no space',
  hint: 'Free some.',
};

test('many tables without news share a line, and the last line counts those whose last sync failed', () => {
  const tables = [...MANY, quiet('broken', { lastFailure: FAILED }), quiet('noted', { warnings: ['odd'] })];
  expect(formatPlan(tables, narrow, FRAME)).toBe(`~ 12 quiet tables (-v prints each)
~ noted   incremental   nothing newer than 7
    note: odd
~ broken  incremental   nothing newer than 7
    last sync: FAILED 60 s ago: no space (DISK_FULL, SQLSTATE 53100)
      next: Free some.

from  source
to    destination
Plan: 14 tables: 14 quiet; 1 FAILED at the last sync.
`);
});

test('after a change of "deletes", the comparison is due', () => {
  const deletes = {
    ageSeconds: 240,
    hasFailed: false,
    everySeconds: 86_400,
    isChanged: true,
    log: undefined,
  };
  expect(formatPlan([quiet('ret', { hasWork: true, removesDeleted: true, deletes })], narrow, FRAME))
    .toContain(`    deletes: due now ("deletes" was changed, every 1d); to count the rows to
             remove, run "increp verify ret"
`);
});

test('a table that is read again although there is nothing new says how much', () => {
  const again = quiet('part', { readAgain: { rows: 300, bytes: 6300 } });
  expect(formatPlan([again, quiet('other', { readAgain: { rows: 0, bytes: 0 } })], narrow, FRAME)).toContain(
    `~ part   incremental   nothing newer than 7; the sync reads about 300 rows,
                       6.3 kB again
~ other  incremental   nothing newer than 7
`,
  );
  expect(lastLine([again, quiet('other')])).toBe(
    'Plan: 2 tables: 2 quiet, of which 1 is read again; about 300 rows, 6.3 kB to read.',
  );
  const blocked = quiet('blocked', { obstruction: { what: 'no', next: 'yes' }, readAgain: { rows: 5 } });
  expect(lastLine([again, blocked])).toBe(
    'Plan: 2 tables: 1 WOULD BE REFUSED, 1 quiet but read again; about 300 rows, 6.3 kB to read.',
  );
});

test('a full refresh, as in each run, is not counted as a load that repairs something', () => {
  const load = (name: string, action: string) =>
    quiet(name, { action, hasWork: true, loader: 'copy', reason: 'why', estimated: { rows: 10, bytes: 50 } });
  expect(lastLine([load('codes', 'full-refresh'), load('orders', 'reset')])).toBe(
    'Plan: 2 tables: 1 to load again, 1 full-refresh; about 20 rows, 100 B to read.',
  );
});

test('the lookback is a part of what is read, and a small table without statistics is called small', () => {
  const estimated = { rows: 11, bytes: 264 };
  const changed = quiet('orders', { high: '9', hasWork: true, lookbackSeconds: 10, estimated });
  const again = quiet('part', { readAgain: { rows: 300, bytes: 6300 }, lookbackSeconds: 10 });
  const load = { action: 'initial', hasWork: true, loader: 'copy', reason: 'new' };
  const loads = [quiet('a', { ...load, isSmall: true }), quiet('b', load)];
  const text = formatPlan([changed, again, ...loads], { ...narrow, width: Infinity }, FRAME);
  expect(text).toContain('about 11 rows, 264 B, from 10s before 7 on\n');
  expect(text).toContain(
    'nothing newer than 7; the sync reads the 10s before it again: about 300 rows, 6.3 kB\n',
  );
  expect(text).toContain(
    '1 with changes, 1 quiet but read again (about 300 rows, 6.3 kB); about 311 rows, 6.6 kB, 1 small table, and 1 table of unknown size to read.',
  );
});

test('tables that are refused for one reason share it, at the end', () => {
  const refusal = (name: string) => ({
    ...{ action: 'refused', hasWork: false, reason: `no SELECT on ${name}` },
    error: { code: 'PRIVILEGE_MISSING', message: `no SELECT on ${name}`, next: `GRANT SELECT ON ${name}` },
  });
  const refused = ['a', 'b', 'c', 'd'].map((name) => quiet(name, refusal(name)));
  expect(formatPlan([...refused, quiet('fine')], narrow, FRAME))
    .toBe(`~ fine  incremental   nothing newer than 7
x 4 tables refused: a, b, c, d
    no SELECT on a
    next: GRANT SELECT ON a
    This is the text for a. To see each, run "increp plan -v".

from  source
to    destination
Plan: 5 tables: 4 REFUSED, 1 quiet.
`);
  expect(formatPlan(refused, narrow, { ...FRAME, isVerbose: true }).match(/next: /g)).toHaveLength(4);
});

test('a name that is long, or on two lines, moves no other table', () => {
  const long = 'a'.repeat(63);
  const initial = { action: 'initial', hasWork: true, reason: 'there is no destination table yet' };
  const tables = ['orders', long, 'new\nline', '表の名前'].map((name) => quiet(name, initial));
  expect(formatPlan(tables, narrow, FRAME).split('\n').slice(0, 6)).toEqual([
    '+ orders    initial       there is no destination table yet',
    `+ ${long}  initial`,
    '    there is no destination table yet',
    '+ new line  initial       there is no destination table yet',
    '+ 表の名前  initial       there is no destination table yet',
    '',
  ]);
});

test('few tables, and tables with -v, have a line each', () => {
  const few = formatPlan(MANY.slice(0, 10), narrow, FRAME);
  const all = formatPlan(MANY, narrow, { ...FRAME, isVerbose: true });
  expect([few, all].map((text) => text.match(/^~ t/gm)?.length)).toEqual([10, 12]);
});

test('a table that a dependent object stops is marked as refused, and counted once', () => {
  const blocked = quiet('customers', {
    ...{ action: 'initial', reason: 'no cursor', hasWork: true, estimated: { rows: 7 } },
    obstruction: { what: 'view v is in the way', next: 'Drop it.' },
  });
  const text = formatPlan([blocked], narrow, FRAME);
  expect(text).toMatch(/^x customers {2}initial /);
  expect(text.replaceAll(/\s+/g, ' ')).toContain('Plan: 1 table: 1 WOULD BE REFUSED.');
});

test('without tables there is nothing to do, and the last line says why a sync would fail', () => {
  expect(formatPlan([], narrow, FRAME)).toMatch(/^Plan: 0 tables: nothing to do\.$/m);
  expect(formatPlan([quiet('a')], narrow, { ...FRAME, fault: 'a sync would fail' })).toMatch(
    /^Plan: 1 table: 1 quiet; a sync would fail\.$/m,
  );
});

test('a selection without rows is not taken for an empty table', () => {
  const empty = { cursor: null, high: null };
  const tables = [quiet('a', { ...empty, rowsFrom: 'where' }), quiet('b', { ...empty, rowsFrom: 'query' })];
  const text = formatPlan([...tables, quiet('c', empty)], narrow, FRAME);
  expect(text).toContain('~ a  incremental   no rows match where\n');
  expect(text).toContain('~ b  incremental   the query returns no rows\n');
  expect(text).toContain('~ c  incremental   no rows at the source\n');
});

test('a note of several tables is printed once, after the tables', () => {
  const schema = 'the destination has no schema "shop" yet, and the sync creates it';
  const tables = ['a', 'b', 'c'].map((name) => quiet(name, { warnings: [schema, `only ${name}`] }));
  const text = formatPlan([...tables, quiet('d')], { ...narrow, width: Infinity }, FRAME);
  expect(text.match(/no schema "shop"/g)).toHaveLength(1);
  expect(text).toContain(
    `note: only c\n~ d  incremental   nothing newer than 7\n\nnote: ${schema} (a, b, c)\nfrom  source\n`,
  );
  expect(formatPlan(tables, narrow, { ...FRAME, isVerbose: true }).match(/no schema/g)).toHaveLength(3);
});

test('the sum of a number of rows that is a lower limit is one, too', () => {
  const large = quiet('large', { hasWork: true, estimated: { rows: 10_000, isMore: true } });
  const small = quiet('small', { hasWork: true, estimated: { rows: 5 } });
  expect(lastLine([large, small])).toContain('; at least 10,005 rows to read.');
});

test('COPY instead of pg_dump: an option that selects nothing has its own words', () => {
  const textOf = (setting: string) => copyCauseText({ code: 'selection', setting });
  expect(textOf('where')).toMatch(/"where" selects part of one$/);
  expect(textOf('rename')).toMatch(/"rename" changes the names of columns$/);
  expect(textOf('transform')).toMatch(/"transform" changes values$/);
});
