/** Sentences about indexes and constraints that increp copies. */
import { expect, test } from 'vitest';
import { leftOutLine, plannedObjectLines } from '../../../src/report/object-texts.ts';

const KEY = 'FOREIGN KEY ("customer_id") REFERENCES "public"."customers" ("id") ON DELETE CASCADE';

test('a foreign key that is copied without its action is not called left out', () => {
  const object = {
    kind: 'foreign key',
    name: 'of_customer',
    reason: { code: 'actions', actions: 'ON DELETE CASCADE', definition: KEY },
  } as const;
  const line = `ON DELETE CASCADE of foreign key "of_customer": an action would change rows that the source still has, so the foreign key is copied without it; the whole definition is ${KEY}`;
  expect(leftOutLine(object)).toBe(line);
  expect(plannedObjectLines([{ ...object, change: 'leave out' }])).toEqual([['leave out', line]]);
});
