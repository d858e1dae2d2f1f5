import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseJson } from '../../../src/config/tables/json.ts';

const faultOf = (text: string) => {
  const { fault } = parseJson(text);
  return fault && `${fault.line}:${fault.column} ${fault.what}`;
};

const isJson = (text: string) => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

test('what is JSON is read', () => {
  const text = '\n[{"a": [1, -2.5e3, true, null], "b\\u0041": {}, "": "x\\n"}]\r\n';
  expect(parseJson(text)).toEqual({ value: [{ a: [1, -2500, true, null], bA: {}, '': 'x\n' }] });
});

describe('what is not JSON is shown with its line and column', () => {
  test.each([
    ['', '1:1 the file is empty'],
    [' \n', '1:1 the file is empty'],
    ['[1, 2', '1:6 the file ends too early: expected , or ]'],
    ['{"a": 1', '1:8 the file ends too early: expected , or }'],
    ['[1 2]', '1:4 expected , or ]'],
    ['{"a" 1}', '1:6 expected :'],
    ['{a: 1}', '1:2 expected a key in double quotes'],
    ["['a']", '1:2 JSON strings need double quotes'],
    ['[tru]', '1:2 expected a value'],
    ['[01]', '1:2 expected a value'],
    ['["a\nb"]', '1:2 expected a value'],
    ['[1]\n[2]', '2:1 expected the end of the file'],
    ['{\n  "a": 1, // one\n}', '2:11 JSON has no comments'],
    ['/* x */ []', '1:1 JSON has no comments'],
    ['[\n  1,\n]', '2:4 JSON allows no comma after the last item'],
    ['{"a": 1, }', '1:8 JSON allows no comma after the last item'],
    ['{"a": 1,\n "b": 2,\n "a": 3}', '3:2 the key "a" occurs twice'],
    ['{"a": 1, "\\u0061": 3}', '1:10 the key "\\u0061" occurs twice'],
  ])('%j: %s', (text, fault) => {
    expect(faultOf(text)).toBe(fault);
  });

  test('with a mark under the place', () => {
    expect(parseJson('[\r\n\t"a" "b"\r\n]').fault?.excerpt).toBe('2 | \t"a" "b"\n    \t    ^');
  });

  test('even in a very long line', () => {
    const { fault } = parseJson(`[${'1,'.repeat(5000)}x]`);
    expect(fault?.column).toBe(10_002);
    expect(fault?.excerpt.split('\n')[0]?.length).toBeLessThan(120);
  });
});

test('a key may come again in another object', () => {
  expect(faultOf('[{"a": {"a": 1}}, {"a": 1}]')).toBeUndefined();
});

test('the same texts are JSON as for JSON.parse', () => {
  const scraps = ['{', '}', '[', ']', ',', ':', '"a"', '"b"', '1', '-0.5', '00', 'null', ' ', '"'];
  const jumbles = fc.array(fc.constantFrom(...scraps)).map((parts) => parts.join(''));
  fc.assert(
    fc.property(fc.oneof(fc.json(), jumbles), (text) => {
      const fault = faultOf(text);
      fc.pre(!fault?.includes('occurs twice'));
      expect(fault === undefined).toBe(isJson(text));
    }),
  );
});
