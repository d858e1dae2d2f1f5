import { describe, expect, test } from 'vitest';
import {
  clearlyBestKey,
  keyCandidates,
  mergeKeyCandidates,
  missedBy,
  type TableHints,
} from '../../../src/schema/key-candidates.ts';
import type { Column } from '../../../src/schema/columns.ts';
import type { Relation } from '../../../src/schema/relations.ts';
import { column } from './columns.ts';
import { relation } from '../sync/table-facts.ts';

const NO_HINTS: TableHints = { primaryKey: ['id'], defaults: new Map(), updateTriggers: [] };

const ofType = (
  type: string,
  name: string,
  more: Partial<Pick<Column, 'isNotNull' | 'identity'>> = {},
): Column => column({ type, name, ...more });
const id = ofType('bigint', 'id', { isNotNull: true, identity: 'd' });
const unique = (...columns: string[]) => ({ index: columns.join('_'), columns });
const times = (...names: string[]) => names.map((name) => ofType('timestamp with time zone', name));

const ranked = (given: Partial<Relation>, hints: Partial<TableHints> = {}) =>
  keyCandidates(relation({ indexedColumns: ['id'], ...given }), { ...NO_HINTS, ...hints });
const names = (...args: Parameters<typeof ranked>) => ranked(...args).map((candidate) => candidate.column);

describe('replication keys', () => {
  test('a time of change stands before the time of creation, and a sequence last', () => {
    const candidates = ranked({ columns: [id, ...times('created_at', 'updated_at')] });
    expect(candidates.map(({ column: name, sees }) => [name, sees])).toEqual([
      ['updated_at', 'changes'],
      ['id', 'inserts'],
      ['created_at', 'inserts'],
    ]);
    expect(clearlyBestKey(candidates)?.column).toBe('updated_at');
  });

  test.each([
    'updated_at',
    'modified',
    'lastModified',
    'last_changed',
    'UpdatedOn',
    'date_upd',
    'row_modified_on',
    'Updated At',
    'last-changed',
  ])('%s is named like a time of change', (name) =>
    expect(clearlyBestKey(ranked({ columns: [id, ...times(name)] }))?.column).toBe(name),
  );

  test.each(['shipped_at', 'birthday', 'last_seen_at', 'updates_wanted_from', 'exchanged_at'])(
    '%s goes nowhere without a question',
    (name) => expect(clearlyBestKey(ranked({ columns: [id, ...times(name)] }))).toBeUndefined(),
  );

  test('what a trigger sets beats any name, however the trigger spells it', () => {
    const columns = [id, ...times('updated_at', 'Stamp')];
    const by = (source: string, args: string[] = []) =>
      ranked({ columns }, { updateTriggers: [{ name: 'touch', source, args }] })[0];
    expect(by('BEGIN NEW."Stamp" := now(); RETURN NEW; END')).toMatchObject({
      column: 'Stamp',
      reasons: ['set by trigger touch'],
    });
    expect(by('begin new.Stamp = now(); return new; end')?.column).toBe('Stamp');
    expect(by('moddatetime', ['Stamp', ''])?.column).toBe('Stamp');
    expect(by('BEGIN IF NEW."Stamp" IS NULL THEN RAISE; END IF; RETURN NEW; END')?.column).toBe('updated_at');
    expect(by('BEGIN NEW."Stamped" := now(); RETURN NEW; END')?.column).toBe('updated_at');
  });

  test('of two equal names neither is the best, until an index or NOT NULL decides', () => {
    const columns = [id, ...times('modified_at', 'updated_at')];
    expect(clearlyBestKey(ranked({ columns }))).toBeUndefined();
    const indexed = ranked({ columns, indexedColumns: ['updated_at'] });
    expect(clearlyBestKey(indexed)).toMatchObject({
      column: 'updated_at',
      reasons: ['named like a time of change', 'indexed'],
    });
  });

  test('an integer counts where something makes it grow', () => {
    const columns = [
      id,
      ofType('integer', 'amount'),
      ofType('bigint', 'row_version'),
      ofType('integer', 'n'),
    ];
    const hints = { defaults: new Map([['n', "nextval('s'::regclass)"]]) };
    expect(ranked({ columns }, hints).map(({ column: name, sees }) => [name, sees])).toEqual([
      ['row_version', 'unknown'],
      ['id', 'inserts'],
      ['n', 'inserts'],
    ]);
    const updateTriggers = [{ name: 'bump', source: "NEW.row_version := nextval('v');", args: [] }];
    expect(clearlyBestKey(ranked({ columns }, { updateTriggers }))?.column).toBe('row_version');
  });

  test('what sees inserts only is never chosen for anyone, and says so', () => {
    const [best] = ranked({ columns: [id] });
    expect(best).toMatchObject({
      column: 'id',
      sees: 'inserts',
      reasons: ['identity: sees inserts only', 'indexed', 'NOT NULL'],
    });
    expect(clearlyBestKey(ranked({ columns: [id] }))).toBeUndefined();
  });

  test('columns of other types are none', () => {
    expect(
      names({
        columns: [ofType('text', 'updated_at'), ofType('uuid', 'version'), ofType('time', 'changed')],
      }),
    ).toEqual([]);
  });
});

describe('merge keys', () => {
  const columns = [id, ofType('text', 'email', { isNotNull: true }), ofType('text', 'code')];

  test('the primary key, then what is unique and never NULL, then the rest', () => {
    const found = mergeKeyCandidates(
      relation({
        columns,
        uniqueKeys: [unique('code'), unique('id', 'email'), unique('email'), unique('id')],
      }),
      NO_HINTS,
    );
    expect(found).toEqual([
      { columns: ['id'], reason: 'primary key', isEnforced: true },
      { columns: ['email'], reason: 'unique index', isEnforced: true },
      { columns: ['id', 'email'], reason: 'unique index', isEnforced: true },
      { columns: ['code'], reason: 'unique index, but it may hold NULL', isEnforced: false },
    ]);
  });

  test('of an inheritance parent even the primary key is no promise', () => {
    const found = mergeKeyCandidates(
      relation({ columns, hasChildren: true, uniqueKeys: [unique('id')] }),
      NO_HINTS,
    );
    expect(found[0]?.reason).toBe('primary key, which does not cover its child tables');
  });

  test('two indexes on the same columns are one', () => {
    expect(
      mergeKeyCandidates(relation({ columns, uniqueKeys: [unique('id'), unique('id')] }), NO_HINTS),
    ).toHaveLength(1);
  });
});

describe('what a key misses', () => {
  const columns = [
    id,
    ofType('bigint', 'order_id', { isNotNull: true }),
    ofType('date', 'order_date', { isNotNull: true }),
    ...times('created_at', 'updated_at'),
  ];
  const link = (more: Partial<Relation> = {}) =>
    relation({ columns, demandedColumns: ['order_id', 'order_date'], uniqueKeys: [unique('id')], ...more });

  test('a value of another row can be lower than that of earlier rows', () => {
    expect(missedBy(link(), 'order_id', ['order_id', 'code'])).toBe('lower-keys');
    expect(missedBy(link(), 'order_date', ['order_date', 'code'])).toBe('lower-keys');
    expect(missedBy(link(), 'order_id', ['id'])).toBe('lower-keys');
    expect(missedBy(link({ uniqueKeys: [unique('order_id')] }), 'order_id', ['id'])).toBeUndefined();
    expect(missedBy(link({ hasRowTriggers: true }), 'order_id', ['id'])).toBeUndefined();
    expect(missedBy(link({ kind: 'view' }), 'order_id', ['id'])).toBeUndefined();
  });

  test('a number from a sequence and a time of the insert only miss updates', () => {
    expect(missedBy(link(), 'id', ['id', 'order_date'])).toBe('updates');
    expect(missedBy(link(), 'order_id', ['order_id', 'code'], true)).toBe('updates');
    expect(missedBy(link(), 'created_at', ['id', 'created_at'])).toBe('updates');
    expect(missedBy(link(), 'updated_at', ['id'])).toBeUndefined();
  });
});
