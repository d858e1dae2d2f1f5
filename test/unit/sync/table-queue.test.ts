/** In which order several jobs take tables that foreign keys connect. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TableQueue } from '../../../src/sync/run/table-queue.ts';

/** For each table, the tables that it refers to. */
type References = Readonly<Record<string, readonly string[]>>;

const queueOf = (references: References) =>
  new TableQueue(Object.keys(references), (table) => references[table] ?? []);

test('a table waits for the tables that it refers to, and others do not', () => {
  const queue = queueOf({ items: ['orders'], orders: ['customers'], customers: [], events: [] });
  expect([queue.take(), queue.take(), queue.take()]).toEqual(['customers', 'events', undefined]);
  queue.done('customers');
  expect([queue.take(), queue.take()]).toEqual(['orders', undefined]);
  queue.done('events');
  expect(queue.take()).toBeUndefined();
  queue.done('orders');
  expect(queue.take()).toBe('items');
  expect(queue.isEmpty).toBe(true);
});

test('tables in a circle are taken one at a time, after the tables that any of them refers to', () => {
  const queue = queueOf({ a: ['b'], b: ['a', 'parent'], parent: [], child: ['a'] });
  expect([queue.take(), queue.take()]).toEqual(['parent', undefined]);
  queue.done('parent');
  expect([queue.take(), queue.take()]).toEqual(['a', undefined]);
  queue.done('a');
  expect([queue.take(), queue.take()]).toEqual(['b', undefined]);
  queue.done('b');
  expect(queue.take()).toBe('child');
});

test('a table that refers to itself, or to a table that is not in the run, does not wait', () => {
  expect(queueOf({ nodes: ['nodes', 'elsewhere'] }).take()).toBe('nodes');
});

const graphs = fc.integer({ min: 1, max: 12 }).chain((size) => {
  const names = Array.from({ length: size }, (_, index) => `t${index}`);
  return fc
    .tuple(...names.map(() => fc.subarray(names, { maxLength: Math.min(size, 3) })))
    .map((parents): References =>
      Object.fromEntries(names.map((name, index) => [name, parents[index] ?? []])),
    );
});

/** The tables that can be reached from a table. */
function reachable(references: References, from: string): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (table: string): void => {
    for (const parent of references[table] ?? []) {
      if (found.has(parent)) continue;
      found.add(parent);
      visit(parent);
    }
  };
  visit(from);
  return found;
}

test('with any foreign keys, each table is taken once, after its parents, and never beside a table of its circle', () => {
  fc.assert(
    fc.property(
      graphs,
      fc.integer({ min: 1, max: 5 }),
      fc.infiniteStream(fc.nat()),
      (references, jobs, choices) => {
        const queue = queueOf(references);
        const above = new Map(Object.keys(references).map((name) => [name, reachable(references, name)]));
        const isInCircle = (one: string, other: string) =>
          above.get(one)?.has(other) === true && above.get(other)?.has(one) === true;
        const [active, done]: [string[], string[]] = [[], []];
        while (!queue.isEmpty || active.length > 0) {
          const table = active.length < jobs ? queue.take() : undefined;
          if (table === undefined) {
            // Something is active, or no table would ever be ready.
            expect(active).not.toEqual([]);
            const [ended = ''] = active.splice((choices.next().value ?? 0) % active.length, 1);
            queue.done(ended);
            done.push(ended);
            continue;
          }
          expect([...active, ...done]).not.toContain(table);
          for (const parent of references[table] ?? [])
            if (parent !== table && !isInCircle(parent, table)) expect(done).toContain(parent);
          for (const other of active) expect(isInCircle(other, table)).toBe(false);
          active.push(table);
        }
        expect(done.toSorted()).toEqual(Object.keys(references).toSorted());
      },
    ),
  );
});

test('a chain of ten thousand tables', () => {
  const names = Array.from({ length: 10_000 }, (_, index) => index);
  const queue = new TableQueue(names, (table) => (table === 0 ? [] : [table - 1]));
  expect(queue.take()).toBe(0);
  expect(queue.take()).toBeUndefined();
});
