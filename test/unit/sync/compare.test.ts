/** Comparing two sides, as pure functions, against what a person would do with two lists. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { batched } from '../../../src/sync/compare/key-batches.ts';
import { findDifferences, type RowDifference } from '../../../src/sync/compare/differences.ts';
import { differingGroups, groupsFor, totalRows } from '../../../src/sync/compare/digests.ts';
import type { HashedRow } from '../../../src/sync/compare/keys.ts';

interface Row {
  readonly key: number;
  readonly content: string;
  readonly pending?: boolean;
  readonly version?: string | null;
}

const md5 = (text: string) => createHash('md5').update(text).digest('hex');
const byCode = (a: string, b: string) => (a < b ? -1 : Number(a > b));

/** In the order in which a server sends them, so many at a time. */
async function* stream(rows: readonly Row[], batch: number): AsyncGenerator<HashedRow[]> {
  const hashed = rows.map(({ key, content, pending = false, version = null }) => ({
    key: JSON.stringify([String(key)]),
    hash: md5(String(key)),
    content,
    pending,
    version,
  }));
  const sent = hashed.toSorted((a, b) => byCode(a.hash, b.hash) || byCode(a.content, b.content));
  // As from a cursor: the last batch may be empty.
  for (let at = 0; at <= sent.length; at += batch) yield sent.slice(at, at + batch);
}

async function differencesOf(
  source: readonly Row[],
  destination: readonly Row[],
  batch = 500,
): Promise<RowDifference[]> {
  const found: RowDifference[] = [];
  const sides = [stream(source, batch), stream(destination, batch)] as const;
  for await (const difference of findDifferences(...sides)) found.push(difference);
  return found;
}

const sorted = (differences: readonly RowDifference[]) =>
  differences.map((difference) => JSON.stringify(difference, Object.keys(difference).toSorted())).toSorted();

describe('differences', () => {
  const rows: Row[] = [1, 2, 3, 4, 5].map((key) => ({ key, content: `row ${key}` }));

  test('equal sides have none, and neither have empty ones', async () => {
    expect(await differencesOf(rows, rows)).toEqual([]);
    expect(await differencesOf([], [])).toEqual([]);
  });

  test('one empty side', async () => {
    expect((await differencesOf(rows, [])).map(({ kind }) => kind)).toEqual(Array(5).fill('missing'));
    expect((await differencesOf([], rows)).map(({ kind }) => kind)).toEqual(Array(5).fill('extra'));
  });

  test('a pending row that differs waits, and is neither missing nor changed', async () => {
    const newer = [...rows, { key: 6, content: 'new', pending: true }].map((row) =>
      row.key === 3 ? { ...row, content: 'newer', pending: true } : row,
    );
    expect(sorted(await differencesOf(newer, rows))).toEqual(
      ['3', '6'].map((key) => JSON.stringify({ key: JSON.stringify([key]), kind: 'waiting' })),
    );
    expect(await differencesOf(newer, newer)).toEqual([]);
  });

  test.each([
    ['3', '2', 'newer'],
    ['10', '9', 'newer'],
    ['2', '2', 'changed'],
    ['2', '3', 'changed'],
    ['infinity', '9223372036854775807', 'newer'],
    ['-infinity', null, 'newer'],
    [null, '1', 'changed'],
    [null, null, 'changed'],
  ])("of another content, version %s beside the source's %s is %s", async (there, here, kind) => {
    const [source, destination] = [here, there].map((version, index) => [
      { key: 1, content: `side ${index}`, version },
    ]);
    expect(await differencesOf(source ?? [], destination ?? [])).toEqual([{ kind, key: '["1"]' }]);
  });

  test('a key that comes twice is told by its side, and is changed only if none of its rows is right', async () => {
    const twice = [...rows, { key: 2, content: 'row 2' }];
    const key = '["2"]';
    expect(await differencesOf(rows, twice)).toEqual([{ kind: 'duplicated', key, side: 'destination' }]);
    expect(await differencesOf(twice, rows)).toEqual([{ kind: 'duplicated', key, side: 'source' }]);
    const wrong = twice.map((row) => (row.key === 2 ? { ...row, content: 'wrong' } : row));
    expect(await differencesOf(rows, wrong)).toEqual([
      { kind: 'duplicated', key, side: 'destination' },
      { kind: 'changed', key },
    ]);
  });

  const table = fc.array(
    fc.record({
      key: fc.integer({ min: 0, max: 12 }),
      content: fc.constantFrom('a', 'b'),
      pending: fc.boolean(),
    }),
    { maxLength: 30 },
  );

  test('any two lists differ as the naive model says, wherever a batch ends', async () => {
    await fc.assert(
      fc.asyncProperty(table, table, fc.integer({ min: 1, max: 12 }), async (source, destination, batch) => {
        const there = destination.map((row) => ({ ...row, pending: false }));
        expect(sorted(await differencesOf(source, there, batch))).toEqual(sorted(naive(source, there)));
      }),
      { numRuns: 500 },
    );
  });
});

function naive(source: readonly Row[], destination: readonly Row[]): RowDifference[] {
  const keys = new Set([...source, ...destination].map(({ key }) => key));
  return [...keys].flatMap((number): RowDifference[] => {
    const key = JSON.stringify([String(number)]);
    const [left, right] = [source, destination].map((rows) => rows.filter((row) => row.key === number));
    const isPending = left?.some(({ pending }) => pending === true) === true;
    const isRight = right?.some(({ content }) => left?.some((row) => row.content === content)) === true;
    const [here, there] = [left?.length ?? 0, right?.length ?? 0];
    return [
      ...(here > 1 ? [{ kind: 'duplicated', key, side: 'source' } as const] : []),
      ...(there > 1 ? [{ kind: 'duplicated', key, side: 'destination' } as const] : []),
      ...(isPending && !isRight ? [{ kind: 'waiting', key } as const] : []),
      ...(here > 0 && there === 0 && !isPending ? [{ kind: 'missing', key } as const] : []),
      ...(here === 0 ? [{ kind: 'extra', key } as const] : []),
      ...(here > 0 && there > 0 && !isPending && !isRight ? [{ kind: 'changed', key } as const] : []),
    ];
  });
}

describe('digests', () => {
  const digest = (group: number, rows: number, text: string) => ({ group, rows, digest: text });

  test('groups differ by their rows, by their digest, and by being on one side only', () => {
    const source = [digest(0, 1, 'a'), digest(1, 1, 'b'), digest(2, 2, 'c'), digest(9, 1, 'x')];
    const destination = [digest(3, 1, 'd'), digest(2, 3, 'c'), digest(1, 1, 'B'), digest(0, 1, 'a')];
    expect(differingGroups(source, destination)).toEqual([1, 2, 3, 9]);
    expect(differingGroups(source, source)).toEqual([]);
    expect(differingGroups([], [])).toEqual([]);
    expect(totalRows(source)).toBe(5);
  });

  test('a group differs exactly if a set of groups says so', () => {
    const side = fc.uniqueArray(
      fc.record({ group: fc.nat(20), rows: fc.nat(3), digest: fc.constantFrom('a', 'b') }),
      { selector: ({ group }) => group },
    );
    fc.assert(
      fc.property(side, side, (source, destination) => {
        const [left, right] = [source, destination].map(
          (groups) => new Set(groups.map((group) => JSON.stringify(group))),
        );
        const oneSided = [...source, ...destination].filter((group) => {
          const text = JSON.stringify(group);
          return left?.has(text) !== right?.has(text);
        });
        const expected = [...new Set(oneSided.map(({ group }) => group))].toSorted((a, b) => a - b);
        expect(differingGroups(source, destination)).toEqual(expected);
      }),
    );
  });

  test('the number of groups grows with the table and is bounded', () => {
    expect([0, 1, 500, 501, 1e6, 1e12].map(groupsFor)).toEqual([1, 1, 1, 2, 2000, 20_000]);
  });
});

test('keys are handed on in batches, in order, and each once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 3500 }), async (count) => {
      const sizes: number[] = [];
      const seen: string[] = [];
      const batches = batched(async (keys) => {
        sizes.push(keys.length);
        seen.push(...keys);
      });
      const keys = Array.from({ length: count }, (_, place) => String(place));
      for (const key of keys) await batches.add(key);
      await batches.flush();
      await batches.flush();
      expect(seen).toEqual(keys);
      expect(batches.count()).toBe(count);
      expect(Math.max(0, ...sizes)).toBeLessThanOrEqual(1000);
    }),
    { numRuns: 10 },
  );
});
