import { expect, test } from 'vitest';
import { inFields, mapStrings, redactedCause, redactedJson, redactor } from '../../../src/redact.ts';

test('every occurrence, and the longer of two secrets first', () => {
  const redact = redactor(['hunter2', 'hunter2-more']);
  expect(redact('hunter2-more hunter2 hunter2')).toBe('*** *** ***');
});

test('characters that mean something in a pattern or a replacement are taken as they are', () => {
  expect(redactor(['a.*(b$&'])('x a.*(b$& y axxb')).toBe('x *** y axxb');
});

test('a very short secret is hidden where credentials stand and nowhere else', () => {
  const redact = redactor(['a1']);
  expect(redact('postgres://u:a1@h/db SOURCE_PASSWORD=a1 Password: "a1" password=a12, table a1')).toBe(
    'postgres://u:***@h/db SOURCE_PASSWORD=*** Password: "***" password=a12, table a1',
  );
  expect(redactor(['', 'x'])('xxx')).toBe('xxx');
});

test('a secret that is also the name of something visible is hidden only in the place of a credential', () => {
  const redact = redactor(['shop', 'hunter2', 'Pass-In-Place'], ['shop', 'Pass-In-Place']);
  expect(redact('database "Pass-In-Place" does not exist')).toBe('database "***" does not exist');
  expect(redact('localhost:6401/shop, postgres://shop:shop@h/shop password=shop hunter2 c2hvcA')).toBe(
    'localhost:6401/shop, postgres://shop:***@h/shop password=*** *** ***',
  );
});

test('half a surrogate pair does not break it', () => {
  expect(redactor(['abc\ud800d'])('say abc\ud800d')).toBe('say ***');
});

test('strings are changed wherever they are, keys and other values are not', () => {
  const value = { a: ['x', { b: 'x' }], x: 1, n: null, t: true };
  expect(mapStrings(value, () => 'y')).toEqual({ a: ['y', { b: 'y' }], x: 1, n: null, t: true });
});

const AWKWARD = `p:w\\d "so' $x#%é &+?@/`;

test.each([
  ['as it is', AWKWARD],
  ['as a part of a URL', encodeURIComponent(AWKWARD)],
  ['in lower-case escapes', encodeURIComponent(AWKWARD).replaceAll(/%../g, (escape) => escape.toLowerCase())],
  ['as a form', new URLSearchParams({ a: AWKWARD }).toString().slice(2)],
  ['in JSON', JSON.stringify(AWKWARD).slice(1, -1)],
  ['in JSON that is a string of JSON', JSON.stringify(JSON.stringify(AWKWARD)).slice(3, -3)],
  ['in SQL', AWKWARD.replaceAll("'", "''")],
  ['in a connection string', AWKWARD.replaceAll(/[\\']/g, '\\$&')],
  ['in a passfile', AWKWARD.replaceAll(/[\\:]/g, '\\$&')],
  ['in base64', Buffer.from(AWKWARD).toString('base64')],
])('a secret is hidden %s', (_, written) => {
  expect(redactor([AWKWARD])(`<${written}>`)).toMatch(/^<\*\*\*=*>$/);
});

test('a short secret of letters is a word of its own, or none', () => {
  const redact = redactor(['data']);
  expect(redact('data, "data", database, metadata, /data/ :data@ %3Ddata \\ndata data_1')).toBe(
    '***, "***", database, metadata, /***/ :***@ %3D*** \\n*** data_1',
  );
  expect(redactor(['longer-data'])('xlonger-datax')).toBe('x***x');
});

test('a JSON document stays one, and says what it said, whatever the secret is', () => {
  for (const secret of ['null', '"ok"', ':"', 'failed', '":"', 'status', '],"', '{"type"']) {
    const document = {
      type: 'failed',
      tables: [{ name: 'failed', status: 'failed', error: null, ok: true }],
    };
    expect(JSON.parse(redactedJson(document, redactor([secret])))).toEqual(document);
  }
  const told = redactedJson(
    { status: 'ok', message: 'it failed', warnings: ['failed'] },
    redactor(['failed']),
  );
  expect(JSON.parse(told)).toEqual({ status: 'ok', message: 'it ***', warnings: ['***'] });
});

test('the texts of a document are hidden, its names and states are not', () => {
  const change = inFields(redactor(['orders']));
  expect(mapStrings({ name: 'orders', tables: ['orders'], hint: 'look at orders' }, change)).toEqual({
    name: 'orders',
    tables: ['orders'],
    hint: 'look at ***',
  });
});

test('the stack of a cause is hidden with its message', () => {
  const cause = redactedCause(new TypeError('no hunter2 here'), redactor(['hunter2']));
  expect(cause).toMatchObject({ message: 'no *** here' });
  expect((cause as Error).stack).toMatch(/^TypeError: no \*\*\* here\n +at /);
});
