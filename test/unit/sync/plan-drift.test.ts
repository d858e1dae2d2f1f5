import { expect, test } from 'vitest';
import type { TableFacts } from '../../../src/sync/facts/facts.ts';
import { column } from '../schema/columns.ts';
import { EVERYTHING } from '../../../src/schema/selection.ts';
import { shapeOf } from '../../../src/schema/shape.ts';
import { renameBack } from '../../../src/sync/plan/renamed-columns.ts';
import { facts, ORDERS_COLUMNS, record, relation } from './table-facts.ts';
import { planFor, plan, settings, none, historyCopy, asHistory } from './planned.ts';

test('drift resets the table, or is refused where the configuration says so', () => {
  const source = relation({ columns: [...ORDERS_COLUMNS, column({ name: 'extra', position: 4 })] });
  expect(plan({ source })).toMatchObject({
    kind: 'load',
    action: 'reset',
    way: 'swap',
    reason: 'column "extra" (text) was added at the source',
  });
  const refused = plan({ source, ...settings({ onSchemaChange: 'fail' }) });
  expect(refused).toMatchObject({ kind: 'refuse', error: { code: 'SCHEMA_CHANGE_REFUSED' } });
});

const wider = relation({ columns: [...ORDERS_COLUMNS, column({ name: 'extra', position: 4 })] });

test.each<[string, Partial<TableFacts>, what: string, next: string]>([
  [
    'the source',
    { source: wider },
    'added at the source',
    'fail", so increp leaves the table as it is. To load the table again in its new shape, run',
  ],
  [
    'a restore',
    { source: relation({ oid: '9' }) },
    'public.orders was dropped and created again at the source, for example by a restore. It has the same columns, but may have other rows',
    'To load the table again, run',
  ],
  [
    'the destination',
    { destination: relation({ oid: '2', columns: ORDERS_COLUMNS.filter(({ name }) => name !== 'note') }) },
    'column "note" is missing at the destination',
    'To load the table again in the shape of the source, run',
  ],
  [
    'a setting',
    settings({ mergeKey: ['note'] }),
    'unique_cols changed from [id] to [note]',
    'If the change of the settings is a mistake, set unique_cols back to ["id"]. To load the table again with the new settings, run',
  ],
])('"fail" says what differs and how to fix it: %s', (_, change, what, next) => {
  const failing = { ...facts(change).settings, onSchemaChange: 'fail' as const };
  const refused = plan({ ...change, settings: failing });
  expect(refused).toMatchObject({
    error: {
      code: 'SCHEMA_CHANGE_REFUSED',
      message: expect.stringContaining(what),
      next: expect.stringContaining(next),
    },
  });
});

test('"evolve" alters the copy where nothing is lost by it, and resets it where something would be', () => {
  const extra = column({ name: 'extra', position: 4 });
  const source = relation({ columns: [...ORDERS_COLUMNS, extra] });
  const evolving = settings({ onSchemaChange: 'evolve' });
  const planned = plan({ source, ...evolving });
  expect(planned).toMatchObject({
    kind: 'incremental',
    evolution: { added: [extra], filled: ['extra'], dropped: [], retyped: [] },
    reason: 'column "extra" (text) was added at the source: the destination table is altered in place',
  });
  expect(plan(evolving)).not.toHaveProperty('evolution');
  const reset = (change: Partial<TableFacts>) => plan({ source, ...evolving, ...change });
  expect(reset({ destinationHasRows: false })).toMatchObject({ action: 'reset' });
  const saved = { kind: 'legacy', cursor: '2026-01-01T00:00:00.000Z', path: 'x', warnings: [] } as const;
  expect(reset({ saved })).toMatchObject({
    action: 'reset',
    reason: 'column "extra" is missing at the destination',
  });
  expect(reset(settings({ onSchemaChange: 'evolve', replicationKey: 'id' }))).toMatchObject({
    action: 'reset',
    reason:
      'replication_key changed from "updated_at" to "id"; column "extra" (text) was added at the source',
  });
  expect(reset({ source: relation({ columns: [...ORDERS_COLUMNS, extra], oid: '9' }) }).reason).toContain(
    'not in place: the source table was dropped and created again',
  );
  expect(reset(settings({ onSchemaChange: 'evolve', mode: 'incremental-append' })).reason).toBe(
    'mode changed from "incremental-deduped" to "incremental-append"; existing rows are kept as versions; column "extra" (text) was added at the source; not in place: it may hold versions of rows that the source no longer has',
  );
  expect(reset(settings({ onSchemaChange: 'evolve', metadataColumns: ['_source'] })).reason).toBe(
    'column "extra" (text) was added at the source; not in place: it may hold rows of other pipelines',
  );
  expect(reset(settings({ onSchemaChange: 'evolve', onConflict: 'last_update_wins' })).reason).toBe(
    'column "extra" (text) was added at the source; not in place: it may hold rows that exist only at the destination',
  );
  const notInPlace = { code: 'statement-refused', message: 'a rule' } as const;
  expect(planFor(facts({ source, ...evolving }), { notInPlace })).toMatchObject({
    action: 'reset',
    reason: 'column "extra" (text) was added at the source; not in place: a rule',
  });
});

test('another replication key or merge key is drift too', () => {
  const columns = ORDERS_COLUMNS.map((each) => ({ ...each, isNotNull: true }));
  const source = relation({ columns });
  expect(plan({ ...settings({ mergeKey: ['note'] }), source })).toMatchObject({ action: 'reset' });
  expect(plan({ ...settings({ replicationKey: 'id' }) })).toMatchObject({
    action: 'reset',
    reason: 'replication_key changed from "updated_at" to "id"',
    keyType: 'integer',
  });
});

const renamed = (from: string, to: string, ...more: typeof ORDERS_COLUMNS) => ({
  columns: [...ORDERS_COLUMNS.map((each) => (each.name === from ? { ...each, name: to } : each)), ...more],
});

test('a column that was renamed at the destination is named, and a table with rows of its own is refused', () => {
  expect(plan({ destination: relation(renamed('note', 'remark')) }).reason).toBe(
    'column "note" was dropped at the destination, or renamed to "remark"',
  );
  const history = asHistory({ destination: historyCopy(renamed('note', 'remark')) });
  expect(plan(history)).toMatchObject({
    kind: 'refuse',
    error: {
      message: expect.stringContaining(
        'column "note" was dropped, or renamed to "remark", and increp cannot',
      ),
      next: expect.stringMatching(
        /run:\n {2}ALTER TABLE "public"."orders" RENAME "remark" TO "note";\n.*: "increp sync orders --full-refresh"\.$/,
      ),
    },
  });
  expect(plan(history, true)).toMatchObject({ action: 'full-refresh', way: 'extend' });
  // Of two columns of a user, increp does not know which one it may be.
  const two = renamed('note', 'remark', column({ name: 'own', type: 'text', position: 9 }));
  expect(plan(asHistory({ destination: historyCopy(two) }))).toMatchObject({ action: 'reset' });
});

test('a changed "rename" can be put back, and a column that was renamed at the source is no such change', () => {
  const saved = (rename: { column: string; to: string }[], of = relation()) => ({
    kind: 'record' as const,
    warnings: [],
    record: record({ selection: { ...EVERYTHING, rename }, shape: shapeOf(of) }),
  });
  const note = [{ column: 'note', to: 'remark' }];
  const removed = facts({ saved: saved(note, relation(renamed('note', 'remark'))) });
  expect(renameBack(removed, relation()).join()).toMatch(
    /entry of the table: "rename": \{"note":"remark"\}$/,
  );
  const now = relation(renamed('note', 'remark'));
  const selection = { ...EVERYTHING, rename: note };
  const added = facts({ saved: saved([]), ...settings({ selection }) });
  expect(renameBack(added, now).join()).toMatch(/remove "rename" from the entry/);
  expect(renameBack(facts({ saved: saved([]) }), now)).toEqual([]);
});

test('without its unique key, a table cannot keep the values of a column of a user', () => {
  const now = { destination: relation(renamed('id', 'number')) };
  const refused = {
    kind: 'refuse',
    error: {
      message: expect.stringContaining('no column "id" of unique_cols'),
      next: expect.stringContaining('RENAME "number" TO "id";\nIf nobody needs these values, drop them.'),
    },
  };
  expect([plan(now), plan(now, true)]).toMatchObject([refused, refused]);
  expect(plan({ ...now, destinationHasRows: false })).toMatchObject({ kind: 'load' });
  const unclaimed = { rows: 1, isMore: false, source: 'a', destination: 'b', isSourceOurs: false };
  const theirs = planFor(facts({ ...now, saved: none, unclaimed }));
  expect(theirs).toMatchObject({ kind: 'refuse', error: { code: 'DESTINATION_NOT_OURS' } });
});
