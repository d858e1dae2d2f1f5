import { NO_PARAMETERS } from '../../../src/config/connection/url-parameters.ts';
import { expect, test } from 'vitest';
import type { TableFacts } from '../../../src/sync/facts/facts.ts';
import { reasonText } from '../../../src/report/reasons.ts';
import { ordinaryRequest, type PlanRequest } from '../../../src/sync/plan/plan.ts';
import { chooseLoader } from '../../../src/sync/plan/loader-choice.ts';
import { planTable } from '../../../src/sync/plan/plan-table.ts';
import type { Deletes } from '../../../src/schema/deleted-rows.ts';
import { PLAINLY, type WrittenAs } from '../../../src/schema/state-record.ts';
import { column } from '../schema/columns.ts';
import { EVERYTHING } from '../../../src/schema/selection.ts';
import { shapeOf } from '../../../src/schema/shape.ts';
import { renameBack } from '../../../src/sync/plan/renamed-columns.ts';
import { facts, ORDERS_COLUMNS, record, relation } from './table-facts.ts';

const planFor = (now: TableFacts, request: Partial<PlanRequest> = {}) => {
  const planned = planTable(now, { ...ordinaryRequest(), ...request });
  return { ...planned, reason: reasonText(planned.reasons) };
};
const plan = (change: Partial<TableFacts> = {}, isFullRefresh = false) =>
  planFor(facts(change), { isFullRefresh });
const settings = (change: Partial<TableFacts['settings']>) => ({
  settings: { ...facts().settings, ...change },
});
const none = { kind: 'none', why: { code: 'cursor-unknown' }, warnings: [] } as const;

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

test('a copy whose cursor is known goes on from there', () => {
  expect(plan()).toMatchObject({ kind: 'incremental', since: record(), hasMergeIndex: true });
  const unindexed = relation({ oid: '2', uniqueKeys: [] });
  expect(plan({ destination: unindexed })).toMatchObject({ kind: 'incremental', hasMergeIndex: false });
});

test('what is missing is loaded: the table, its cursor, or its rows', () => {
  const loads = { kind: 'load', action: 'initial' };
  expect(plan({ destination: undefined })).toMatchObject({ ...loads, way: 'create' });
  expect(plan({ saved: none })).toMatchObject({ ...loads, way: 'merge-whole', reason: 'no cursor is known' });
  expect(plan({ destinationHasRows: false })).toMatchObject({
    ...loads,
    reason: 'the destination table was emptied',
  });
  expect(plan({ destinationHasRows: false, ...settings({ deletes: 'soft' }) })).toMatchObject({
    reason: expect.stringContaining(
      'cannot give again the rows that only the destination table kept',
    ) as string,
  });
});

test('a table that never had a row is not loaded again for being empty', () => {
  const saved = { kind: 'record', record: record({ cursor: null }), warnings: [] } as const;
  expect(plan({ destinationHasRows: false, saved })).toMatchObject({ kind: 'incremental' });
});

test('a full refresh keeps the table and what is built on it, where its shape allows', () => {
  expect(plan({}, true)).toMatchObject({ kind: 'load', action: 'full-refresh', way: 'merge-whole' });
  const other = relation({ oid: '2', columns: ORDERS_COLUMNS.slice(0, 2) });
  expect(plan({ destination: other }, true)).toMatchObject({ action: 'full-refresh', way: 'swap' });
  expect(plan({ destination: relation({ isUnlogged: true }) }, true)).toMatchObject({ way: 'swap' });
});

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

test('an older state file is taken over for times, and means nothing for other keys', () => {
  const saved = { kind: 'legacy', cursor: '2026-01-01T00:00:00.000Z', path: 'x', warnings: [] } as const;
  expect(plan({ saved })).toMatchObject({
    kind: 'incremental',
    since: { legacyCursor: '2026-01-01T00:00:00.000Z' },
  });
  expect(plan({ saved, ...settings({ replicationKey: 'id' }) })).toMatchObject({ action: 'initial' });
});

test('a disabled table is skipped, and nothing about it can be wrong', () => {
  expect(plan({ ...settings({ isEnabled: false }), source: undefined })).toMatchObject({ kind: 'skip' });
});

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

test('money goes by COPY, also in an array or as a field of a type', () => {
  const loaderOf = (change: Parameters<typeof column>[0]) => {
    const columns = [...ORDERS_COLUMNS, column({ name: 'price', position: 4, ...change })];
    const { selection } = facts().settings;
    const server = { version: 150004, isPooled: false };
    const source = relation({ columns });
    return chooseLoader({
      wanted: 'pg_dump',
      source,
      selection,
      hasRowVersions: false,
      server,
      tools: undefined,
      password: 'x',
      parameters: NO_PARAMETERS,
    }).loader;
  };
  expect(loaderOf({ type: 'numeric' })).toBe('pg_dump');
  expect(loaderOf({ type: 'money' })).toBe('copy');
  expect(loaderOf({ type: 'money[]', element: { type: 'money' } })).toBe('copy');
  const own = { type: 'app.offer', isBuiltIn: false };
  expect(loaderOf({ ...own, typeDetail: ['.a integer', '.b money'] })).toBe('copy');
  expect(loaderOf({ ...own, typeDetail: ['>.b money[] of app.inner'] })).toBe('copy');
  expect(loaderOf({ ...own, typeDetail: ['.money integer', '= money'] })).toBe('pg_dump');
});

const versionKey = { index: 'orders_pkey', columns: ['id', 'updated_at'] };
const historyCopy = (change: object = {}) => relation({ oid: '2', uniqueKeys: [versionKey], ...change });
const asHistory = (change: Partial<TableFacts> = {}): Partial<TableFacts> => ({
  ...settings({ mode: 'incremental-append' }),
  destination: historyCopy(),
  saved: {
    kind: 'record',
    record: record({ writtenAs: { ...PLAINLY, mode: 'incremental-append' } }),
    warnings: [],
  },
  ...change,
});

test('a history goes on, is merged into as a whole, and never exchanged', () => {
  expect(plan(asHistory())).toMatchObject({ kind: 'incremental', action: 'append', hasMergeIndex: true });
  expect(plan(asHistory(), true)).toMatchObject({ action: 'full-refresh', way: 'merge-whole' });
  const source = relation({ columns: [...ORDERS_COLUMNS, column({ name: 'extra', position: 4 })] });
  expect(plan(asHistory({ source }))).toMatchObject({ action: 'reset', way: 'extend' });
  const shorter = relation({ columns: ORDERS_COLUMNS.filter(({ name }) => name !== 'note') });
  expect(plan(asHistory({ source: shorter }))).toMatchObject({ action: 'reset', way: 'merge-whole' });
});

test('what would lose versions is refused, whatever was asked for', () => {
  const refused = { kind: 'refuse', error: { code: 'SCHEMA_CHANGE_REFUSED' } };
  const retyped = ORDERS_COLUMNS.map((each) => (each.name === 'note' ? { ...each, type: 'integer' } : each));
  expect(plan(asHistory({ destination: historyCopy({ columns: retyped }) }), true)).toMatchObject(refused);
  const latest = asHistory(settings({ mode: 'incremental-deduped' }));
  for (const isFullRefresh of [true, false]) expect(plan(latest, isFullRefresh)).toMatchObject(refused);
  // Of a table that nothing is known of, its index tells.
  expect(plan({ saved: none, destination: historyCopy() })).toMatchObject(refused);
  expect(plan({ saved: none, destination: undefined })).toMatchObject({ way: 'create' });
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

test('a narrower index makes way where it is ours, and is refused where it is not', () => {
  const source = settings({ mode: 'incremental-append' });
  expect(plan(source)).toMatchObject({ action: 'reset', way: 'extend' });
  const theirs = { index: 'by_note', columns: ['note'] };
  const destination = historyCopy({ uniqueKeys: [versionKey, theirs] });
  expect(plan(asHistory({ destination }))).toMatchObject({
    kind: 'refuse',
    error: { code: 'DEPENDENT_OBJECTS' },
  });
});

test('columns of ours come and go without a load, and say so', () => {
  const withSource = settings({ metadataColumns: ['_source'] });
  expect(plan(withSource)).toMatchObject({
    kind: 'incremental',
    hasMergeIndex: false,
    reason: expect.stringContaining('column "_source" is added to the destination table'),
  });
  expect(
    plan({
      ...withSource,
      source: relation({ columns: [...ORDERS_COLUMNS, column({ name: '_source', position: 4 })] }),
    }),
  ).toMatchObject({ kind: 'refuse', error: { code: 'CONFIG_INVALID' } });
  expect(plan({ hasOthersRows: true })).toMatchObject({
    kind: 'refuse',
    error: { code: 'SCHEMA_CHANGE_REFUSED' },
  });
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
