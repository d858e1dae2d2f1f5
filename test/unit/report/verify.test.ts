import { expect, test } from 'vitest';
import { formatVerification, formatVerificationEnding } from '../../../src/report/verify.ts';

const plain = { color: false, width: Infinity, isUnicode: true };

const counts = (changes: object = {}) => ({
  name: 'orders',
  sourceRows: 1_500_000,
  destinationRows: 1_500_000,
  ...{ missing: 0, extra: 0, changed: 0, duplicated: 0, duplicatedAtSource: 0 },
  ...{ waiting: 0, outdated: 0, newer: 0, kept: 0 },
  keys: { missing: [], extra: [], changed: [], duplicated: [] },
  notes: [],
  durationSeconds: 0.1,
  ...changes,
});

const ended = (name: string, changes: object = {}) => ({
  name,
  destination: undefined,
  isEqual: true,
  isRepaired: false,
  error: undefined,
  refusal: undefined,
  ...changes,
});

const different = { isEqual: false };
const notSynced = (name: string) => ({
  isEqual: false,
  error: {
    code: 'NOT_SYNCED',
    message: `table "${name}" cannot be compared: there is no destination table`,
    next: `Run "increp sync ${name}" first.`,
    sqlstate: undefined,
  },
});

const ending = (tables: ReturnType<typeof ended>[], more: object = {}, style = plain) =>
  formatVerificationEnding({ tables, unreached: [], seconds: 4.2, words: [], ...more }, style);

test('the duration stays together on an indented line', () => {
  const print = (width: number) =>
    formatVerification(
      { verified: counts(), repaired: undefined },
      { names: ['orders'], style: { ...plain, width }, told: new Map() },
    );
  const whole = print(Infinity).trimEnd();
  expect(print(whole.length - 2)).toBe(`${whole.replace(' (0.1 s)', '')}\n    (0.1 s)\n`);
});

test('different counts of an equal table are explained', () => {
  const print = (changes: object) =>
    formatVerification(
      { verified: counts(changes), repaired: undefined },
      { names: ['orders'], style: plain, told: new Map() },
    );
  expect(print({ sourceRows: 1_500_004, waiting: 5 })).toContain(
    '\n    not counted as differences: 5 rows of the source that the next sync reads\n',
  );
  expect(print({ kept: 3, keptBy: 'mode' })).toContain(
    '\n    not counted as differences: 3 only at the destination, kept ("mode": "incremental-append"): earlier versions of rows, and rows that the source no longer has; no action is needed\n',
  );
  const aboveSource = { rows: 2, column: 'id', high: '7', statement: 'DELETE FROM t' };
  expect(print({ kept: 3, keptBy: 'mode', aboveSource })).toContain(
    ' no longer has. 2 rows are newer than the largest id of the source (7). The source was restored, or it has deleted its newest rows. After a restore, to remove these versions, run at the destination: DELETE FROM t\n',
  );
  expect(print({ waiting: 1 })).toMatch(/equal as of the last sync: .*\n.*: 1 row of the source that/);
  expect(print({ destinationRows: 1_500_005, kept: 5 })).not.toContain('the next sync reads');
  expect(print({})).not.toContain('not counted');
});

test.each([
  [2, / at the source: .*\n.*A repair cannot fix rows of the source with the same unique key/],
  [1, / more than once: .*\n.*A repair cannot fix/],
  [0, / at the destination: \["1"\], \["2"\]\n$/],
])('of two keys with several rows, %d have them at the source', (duplicatedAtSource, expected) => {
  const verified = counts({
    ...{ duplicated: 2, duplicatedAtSource },
    keys: { ...counts().keys, duplicated: ['["1"]', '["2"]'] },
  });
  const text = formatVerification(
    { verified, repaired: undefined },
    { names: ['orders'], style: plain, told: new Map() },
  );
  expect(text).toMatch(expected);
});

test('a key of a row that differs stays on one line', () => {
  const keys = Array.from({ length: 10 }, (_, place) => `["${9000 + place}"]`);
  const verified = counts({ missing: 10, keys: { ...counts().keys, missing: keys } });
  const text = formatVerification(
    { verified, repaired: undefined },
    { names: ['orders'], style: { ...plain, width: 80 }, told: new Map() },
  );
  for (const key of keys) expect(text).toContain(key);
  for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
});

test('a table whose repair is over delete_limit has a line of its own', () => {
  const over = (gone: number) => ({ ...different, overLimit: { gone, of: 2000 } });
  expect(ending([ended('a', over(1500)), ended('b', different), ended('c', over(600))])).toContain(
    `    DIFFERENT a, c: a repair removes 2,100 of 4,000 rows, which is over delete_limit. If increp may remove these rows: increp verify a c --repair --force
    DIFFERENT b: increp verify b --repair\n`,
  );
});

test('the last lines count the tables, and name those that differ with the next command', () => {
  expect(ending([ended('a'), ended('b')])).toBe('2 tables: 2 equal in 4.2 s\n');
  expect(ending([ended('a'), ended('b', different), ended('my table', different)])).toBe(
    `3 tables: 1 equal, 2 different in 4.2 s
    DIFFERENT b, "my table": increp verify b 'my table' --repair
`,
  );
  expect(ending([ended('a'), ended('b', { isRepaired: true })])).toBe(
    '2 tables: 2 equal, 1 of them repaired in 4.2 s\n',
  );
});

test('the command has the directory as it was typed', () => {
  const typedCommand = (verb: string) => `increp -C shop ${verb}`;
  expect(ending([ended('b', different)], {}, { ...plain, typedCommand } as typeof plain)).toContain(
    'DIFFERENT b: increp -C shop verify b --repair\n',
  );
});

test('of many tables that differ, only the first are named', () => {
  const tables = Array.from({ length: 30 }, (_, place) => ended(`t${place}`, different));
  const said = ending(tables, { words: ['t*'] });
  expect(said).toContain(
    `DIFFERENT t0, t1, t2, t3, t4, t5, t6, t7, t8, t9 and 20 more: increp verify 't*' --repair\n`,
  );
});

test('tables of several destinations have a command for each', () => {
  const tables = ['one', 'two'].map((destination) => ended('b', { ...different, destination }));
  expect(ending(tables)).toContain(
    `    DIFFERENT one: b: increp verify b --destination one --repair
    DIFFERENT two: b: increp verify b --destination two --repair
`,
  );
});

test('tables that could not be compared are named with their code; after many tables, with the next step', () => {
  const failed = ['x', 'y'].map((name) => ended(name, notSynced(name)));
  expect(ending([ended('a'), ...failed])).toBe(
    `3 tables: 1 equal, 2 not compared in 4.2 s
    FAILED x, y (NOT_SYNCED)
`,
  );
  const many = Array.from({ length: 10 }, (_, place) => ended(`t${place}`));
  expect(ending([...many, ...failed])).toContain(
    `    FAILED x, y (NOT_SYNCED)
      next: Run "increp sync x" first.
`,
  );
});

test('an error that differs only in the name of the table is printed once', () => {
  const told = new Map();
  const names = ['x', 'y'];
  const [, second] = names.map((name) =>
    formatVerification({ name, error: notSynced(name).error }, { names, style: plain, told }),
  );
  expect(second).toBe(
    'x y  could not be compared\n    error: NOT_SYNCED, as for x, with the name of this table\n',
  );
});

test('differences that were not repaired are differences, with the reason', () => {
  const refusal = {
    code: 'DELETE_LIMIT_EXCEEDED',
    message: 'too many',
    next: 'Force it.',
    sqlstate: undefined,
  };
  const verified = counts({ extra: 399, keys: { ...counts().keys, extra: ['1'] } });
  expect(
    formatVerification(
      { verified, repaired: undefined, refusal },
      { names: ['orders'], style: plain, told: new Map() },
    ),
  ).toMatch(
    /^! orders {2}DIFFERENT: [^]*399 only at the destination [^]*\n {4}not repaired:\n {4}error: too many \(DELETE_LIMIT_EXCEEDED\)\n {6}next: Force it\.\n$/,
  );
  expect(ending([ended('a'), ended('b', { ...different, refusal })])).toBe(
    `2 tables: 1 equal, 1 different, 1 of them not repaired in 4.2 s
    NOT REPAIRED b (DELETE_LIMIT_EXCEEDED)
`,
  );
});

test('a selection without rows is not taken for an empty table', () => {
  const print = (rowsFrom: 'where' | 'query') =>
    formatVerification(
      { verified: counts({ sourceRows: 0, destinationRows: 0, rowsFrom }), repaired: undefined },
      { names: ['orders'], style: plain, told: new Map() },
    );
  expect(print('where')).toContain('equal: no rows match where, 0 at the destination');
  expect(print('query')).toContain('equal: the query returns no rows, 0 at the destination');
});

test('the statements of a next step keep their lines in the summary', () => {
  const error = {
    code: 'X',
    message: 'renamed',
    next: 'To name it as before:\nALTER TABLE a RENAME TO b;\nThen sync.',
  };
  const tables = Array.from({ length: 11 }, (_, place) =>
    ended(`t${place}`, place === 0 ? { isEqual: false, error } : {}),
  );
  expect(ending(tables)).toContain(
    `      next: To name it as before:\n${' '.repeat(12)}ALTER TABLE a RENAME TO b;\n${' '.repeat(12)}Then sync.\n`,
  );
});

test('a repair of a table with "soft" says that rows are marked', () => {
  const repaired = { inserted: 0, updated: 0, removed: 600 };
  const textOf = (isMarked: boolean) =>
    formatVerification(
      { verified: counts({ isMarked }), repaired },
      { names: ['orders'], style: plain, told: new Map() },
    );
  expect(textOf(true)).toContain('repaired: 0 inserted, 0 updated, 600 marked in "_deleted_at"\n');
  expect(textOf(false)).toContain('600 removed\n');
});
