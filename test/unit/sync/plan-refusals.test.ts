import { expect, test } from 'vitest';
import type { TableFacts } from '../../../src/sync/facts/facts.ts';
import { column } from '../schema/columns.ts';
import { facts, ORDERS_COLUMNS, relation } from './table-facts.ts';
import { plan, settings, none } from './planned.ts';

test('a source without any table of the pipeline may be the wrong database, so the entries are not to blame', () => {
  const errorOf = (change: Partial<TableFacts>) => {
    const planned = plan({ source: undefined, ...change });
    return planned.kind === 'refuse' ? planned.error : undefined;
  };
  const next = expect.stringMatching(
    /^Check that the SOURCE settings .*restore is running(?!.*tables-config)/,
  );
  const code = 'TABLE_NOT_FOUND';
  for (const saved of [none, facts().saved])
    expect(errorOf({ otherSourceNames: [], saved })).toMatchObject({
      ...{ code, next },
      message: 'schema "public" of the source database "live" has no tables',
    });
  expect(errorOf({ lacksAllTables: true })).toMatchObject({ code, next });
  expect(errorOf({ sourceSchema: { ...facts().sourceSchema, exists: false } })).toMatchObject({
    ...{ code, next },
    message: 'the source database "live" no longer has schema "public"',
  });
  expect(errorOf({ lacksAllTables: true, saved: none, destination: undefined })?.next).toContain(
    'Correct "name"',
  );
  expect(errorOf({})?.next).toContain('If the table was dropped');
  const unknown = { saved: none, destination: undefined };
  const brackets = { ...unknown, sourceName: { schema: 'public', table: 't[78]' } };
  expect(errorOf(unknown)?.next).not.toContain('wildcard');
  expect(errorOf(brackets)?.next).toMatch(/ Only \* is a wildcard\.$/);
});

test('a key of "defaults" is corrected there, or by one field of the entry', () => {
  const planned = plan(settings({ replicationKey: 'updated_att', inheritedKeys: ['replication_key'] }));
  expect(planned).toMatchObject({
    error: {
      next: expect.stringMatching(
        /^If no table has column "updated_att", correct "replication_key" in "defaults" of tables-config.json\. If other tables have it, add to the entry of table "orders": "replication_key": "updated_at"\./,
      ) as string,
    },
  });
});

test('what must not be touched is refused with its own code', () => {
  const codeOf = (change: Partial<TableFacts>) => {
    const planned = plan(change);
    return planned.kind === 'refuse' ? planned.error.code : planned.kind;
  };
  expect(codeOf({ source: undefined })).toBe('TABLE_NOT_FOUND');
  expect(codeOf(settings({ replicationKey: 'updated' }))).toBe('COLUMN_NOT_FOUND');
  expect(codeOf(settings({ replicationKey: 'note' }))).toBe('KEY_TYPE_UNSUPPORTED');
  expect(codeOf({ source: relation({ canSelect: false }) })).toBe('PRIVILEGE_MISSING');
  expect(codeOf({ source: relation({ filtersRows: true }) })).toBe('ROW_SECURITY');
  expect(codeOf({ saved: { kind: 'foreign', what: '', next: '' } })).toBe('STATE_MISMATCH');
  expect(codeOf({ destination: relation({ kind: 'view' }) })).toBe('DEPENDENT_OBJECTS');
  expect(codeOf({ staging: relation({ comment: 'mine' }) })).toBe('STAGING_NAME_CONFLICT');
});

test.each([
  ['create_at', 'created_at', '"replication_key":"created_at"'],
  ['updated_at', undefined, '{"name":"orders","mode":"full-refresh"}'],
  ['changed', 'changed_on', '"replication_key":"changed_on"'],
  ['note_at', undefined, '"mode":"full-refresh"'],
])('the replication key %s of a pattern is not there; the suggestion is %s', (wanted, near, entry) => {
  const time = 'timestamp with time zone';
  const columns = [
    ...ORDERS_COLUMNS.slice(0, 2),
    column({ name: 'created_at', type: time, position: 3 }),
    ...(wanted === 'changed' ? [column({ name: 'changed_on', type: time, position: 4 })] : []),
    column({ name: 'updated_by', type: 'integer', position: 5 }),
  ];
  const change = settings({ replicationKey: wanted, inheritedKeys: ['replication_key'], pattern: '*' });
  const refused = plan({ ...change, saved: none, source: relation({ columns }) });
  if (refused.kind !== 'refuse') throw new Error(`not refused: ${refused.kind}`);
  const { message, next } = refused.error;
  expect(/did you mean "(.*)"/.exec(message)?.[1]).toBe(near);
  expect(next).toContain('Add an entry for the table to tables-config.json: {"name":"orders"');
  expect(next).toContain(entry);
});

test('the columns that init would take come before the whole table', () => {
  const columns = [
    column({ name: 'code', type: 'text', position: 1, isNotNull: true }),
    column({ name: 'modified_at', type: 'timestamp with time zone', position: 2 }),
  ];
  const source = relation({ columns, uniqueKeys: [{ index: 'orders_pkey', columns: ['code'] }] });
  const next = (change: Partial<TableFacts['settings']>) => {
    const refused = plan({ ...settings(change), saved: none, source });
    return refused.kind === 'refuse' ? refused.error.next : refused.kind;
  };
  const entry = '{"name":"orders","replication_key":"modified_at"';
  expect(next({ pattern: '*' })).toContain(
    `tables-config.json: ${entry},"unique_cols":["code"]}, or, if no column fits, {"name":"orders","mode":"full-refresh"}, which`,
  );
  expect(next({ inheritedKeys: ['replication_key'] })).toContain(
    'add to the entry of table "orders": "replication_key": "modified_at".',
  );
  expect(next({})).toContain('in tables-config.json, for example to "modified_at". Its columns:');
});

test('a renamed key of a pattern gets an entry that keeps the former name', () => {
  const columns = ORDERS_COLUMNS.map((each) =>
    each.name === 'updated_at' ? { ...each, name: 'changed_at' } : each,
  );
  const refused = plan({ ...settings({ pattern: '*' }), source: relation({ columns }) });
  expect(refused).toMatchObject({ kind: 'refuse', error: { code: 'COLUMN_NOT_FOUND' } });
  expect(refused.kind === 'refuse' && refused.error.next).toContain(
    '{"name":"orders","replication_key":"changed_at","unique_cols":["id"],"rename":{"changed_at":"updated_at"}}',
  );
});

test('a table of a pattern that has neither key gets one entry, which is complete', () => {
  const columns = [
    column({ name: 'Id', type: 'bigint', position: 1 }),
    column({ name: 'Updated At', type: 'timestamp with time zone', position: 2 }),
  ];
  const refused = plan({ ...settings({ pattern: '*' }), saved: none, source: relation({ columns }) });
  if (refused.kind !== 'refuse') throw new Error(`not refused: ${refused.kind}`);
  expect(refused.others).toEqual([]);
  expect(refused.error.next).toContain(
    '{"name":"orders","replication_key":"Updated At","unique_cols":["Id"]}, or, if no column fits, {"name":"orders","mode":"full-refresh"}',
  );
});

test('a scale that the destination does not know is refused by its column', () => {
  const columns = [...ORDERS_COLUMNS, column({ name: 'thousands', type: 'numeric(5,-3)', position: 4 })];
  const [source, destination] = [relation({ columns }), relation({ columns, oid: '2' })];
  const { servers } = facts();
  const old = { ...servers, destination: { ...servers.destination, version: 140010 } };
  const refused = plan({ source, destination: undefined, servers: old });
  expect(refused).toMatchObject({ kind: 'refuse', error: { code: 'TYPE_UNSUPPORTED' } });
  expect(refused.reason).toContain('column "thousands" of public.orders is numeric(5,-3)');
  expect(plan({ source, destination, servers })).not.toMatchObject({ kind: 'refuse' });
});

test.each<[Partial<TableFacts['source']>, string]>([
  [
    { canSelect: false, owner: 'erp' },
    'role "increp" may not read public.orders at the destination, whose owner is "erp"',
  ],
  [{ canSelect: false }, 'role "increp" may not read public.orders at the destination'],
  [
    { filtersRows: true, owner: 'erp' },
    'role "increp" may not read all of public.orders at the destination, whose owner is "erp"',
  ],
])('a destination table that the role may not read: %j', (change, message) => {
  expect(plan({ destination: relation(change) })).toMatchObject({
    error: { code: 'PRIVILEGE_MISSING', message },
  });
});

test('a statement for the destination comes after the direction if the source has the state of a pipeline', () => {
  const planned = plan({
    destination: undefined,
    saved: none,
    destinationSchema: { ...facts().destinationSchema, canCreate: false },
    swapSign: { kind: 'state', source: 'wh/copy', destination: 'db/live' },
  });
  expect(planned.kind === 'refuse' && planned.error).toMatchObject({
    message: expect.stringMatching(
      /^source and destination may be swapped, because .* may not create tables/,
    ),
    next: expect.stringMatching(
      /^Rows go from wh\/copy to db\/live\. .*\nAt the destination, run: GRANT [^\n]*$/,
    ),
  });
});
