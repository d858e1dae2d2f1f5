/** When a sync compares the keys of deleted rows. */
import { expect, test } from 'vitest';
import type { Deletes } from '../../../src/schema/deleted-rows.ts';
import { PLAINLY, type WrittenAs } from '../../../src/schema/state-record.ts';
import { column } from '../schema/columns.ts';
import { plan, settings } from './planned.ts';
import { ORDERS_COLUMNS, record, relation } from './table-facts.ts';

test('after a change of "deletes", the next sync compares', () => {
  const due = (deletes: Deletes, former: Partial<WrittenAs>, columns: readonly string[] = []) => {
    const writtenAs = { ...PLAINLY, ...former };
    const checked = record({ writtenAs, deletesCheckedAt: new Date().toISOString() });
    const destination = relation({
      oid: '2',
      columns: [
        ...ORDERS_COLUMNS,
        ...columns.map((name) => column({ name, type: 'timestamp with time zone' })),
      ],
    });
    const { reason, ...planned } = plan({
      ...settings({ deletes }),
      saved: { kind: 'record', record: checked, warnings: [] },
      destination,
    });
    return { isDue: 'removesDeleted' in planned && planned.removesDeleted, reason };
  };
  const known = 'the cursor is known';
  const added = `${known}; column "_deleted_at" is added to the destination table`;
  const stays = `${known}; column "_deleted_at" of the destination table stays; `;
  const marks = ['_deleted_at'];
  const soft = { deletes: 'soft', hasMarks: true } as const;
  expect(due('hard', {})).toEqual({ isDue: true, reason: known });
  expect(due('hard', { deletes: 'hard' })).toEqual({ isDue: false, reason: known });
  expect(due('soft', { deletes: 'keep' })).toEqual({ isDue: true, reason: added });
  expect(due('soft', soft, marks)).toEqual({ isDue: false, reason: known });
  expect(due('hard', soft, marks)).toEqual({
    isDue: true,
    reason: `${stays}the comparison removes the marked rows`,
  });
  expect(due('keep', soft, marks)).toEqual({
    isDue: false,
    reason: `${stays}marked rows stay marked`,
  });
  // A note once, not at each sync. Without marks, the column belongs to a user.
  expect(due('keep', { deletes: 'keep', hasMarks: true }, marks)).toEqual({ isDue: false, reason: known });
  expect(due('keep', {}, marks)).toEqual({ isDue: false, reason: known });
});
