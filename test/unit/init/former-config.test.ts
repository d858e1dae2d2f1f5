/** The text of an existing tables-config.json after `init` adds or removes tables. */
import { expect, test } from 'vitest';
import {
  changedConfigText,
  configuredAmong,
  readFormerConfig,
  schemasOf,
  type FormerConfig,
} from '../../../src/init/former-config.ts';

function former(text: string): FormerConfig {
  const found = readFormerConfig(text);
  if (!found) throw new Error('not a list of tables');
  return found;
}

const HOME = { schema: 'public', isSchemaGiven: true };
const PUBLIC = { source: 'public', destination: 'public', homes: { source: HOME, destination: HOME } };
const IN_HOME = { schema: 'public', home: 'public' };
const NEW = { name: 'new', replicationKey: 'updated_at', mergeKey: ['id'] };
const ENTRY = { name: 'new', replication_key: 'updated_at', unique_cols: ['id'] };
const changed = (text: string, added: readonly (typeof NEW)[], removed: readonly string[] = []) =>
  changedConfigText(former(text), { ...PUBLIC, added, removed });

const FILE = `{
  "defaults": { "replication_key": "updated_at", "tables": ["]"] },
  "tables": [
    { "name": "a, ]", "unique_cols": ["id"],
      "where": "note <> '\\"}]'" },

    {"name":"b","unique_cols":["id"]}
  ],
  "$schema": "x"
}
`;

test('the text of every entry that stays is the same', () => {
  expect(changed(FILE, [])).toBe(FILE);
  expect(changed(FILE, [NEW])).toBe(
    FILE.replace('["id"]}\n', '["id"]},\n    { "name": "new", "unique_cols": ["id"] }\n'),
  );
  expect(changed(FILE, [NEW], ['b'])).toBe(
    FILE.replace(
      '\n\n    {"name":"b","unique_cols":["id"]}',
      '\n    { "name": "new", "unique_cols": ["id"] }',
    ),
  );
  expect(changed(FILE, [], ['a, ]'])).toBe(FILE.replace(/\{ "name": "a[^]*?\n\n {4}/, ''));
});

test('a file with a list alone, on one line or empty, gets entries too', () => {
  expect(changed('[{"name":"a"}]', [NEW], ['a'])).toBe(
    '[{ "name": "new", "replication_key": "updated_at", "unique_cols": ["id"] }]',
  );
  expect(changed('[{"name":"a"}]', [NEW])).toContain('"a"}, { "name"');
  expect(JSON.parse(changed('{"tables": []}', [NEW]))).toMatchObject({ tables: [{ name: 'new' }] });
  expect(readFormerConfig('{"tables": 1}')).toBeUndefined();
  expect(readFormerConfig('no JSON')).toBeUndefined();
});

test('defaults for other tables do not change what a new table is', () => {
  const text = changed('{ "defaults": { "mode": "full-refresh", "schema": "other" }, "tables": [] }', [NEW]);
  expect(JSON.parse(text)).toMatchObject({ tables: [{ mode: 'incremental-deduped', schema: 'public' }] });
});

test('entries of other schemas are not those of the tables, and patterns are told apart', () => {
  const file = former(
    '{ "tables": [{ "name": "a" }, { "name": "b", "schema": "other" }, { "name": "e_*" }, { "name": "x\\\\*" }] }',
  );
  expect(configuredAmong(file, IN_HOME, tables('a', 'b', 'e_1', 'x*', 'y'))).toEqual({
    named: ['a', 'x*'],
    matched: ['e_1'],
    gone: [],
    lost: [],
    hasOthers: true,
  });
  expect(configuredAmong(former('{ "tables": [{ "name": "a" }] }'), IN_HOME, tables('a')).hasOthers).toBe(
    false,
  );
});

test('entries without a schema are of SOURCE_SCHEMA, also if the tables are of another schema', () => {
  const file = former('{ "tables": [{ "name": "a" }, { "name": "b", "schema": "crm" }] }');
  const crm = { schema: 'crm', home: 'public' };
  expect(configuredAmong(file, crm, tables('a', 'b'))).toMatchObject({ named: ['b'], gone: [] });
  expect(configuredAmong(file, crm, tables('a'))).toMatchObject({ named: [], gone: ['b'] });
  expect([...schemasOf(file, 'public')]).toEqual(['public', 'crm']);
});

test('a new entry names the schemas that differ from those of the pipeline', () => {
  const added = (destination: string, isSchemaGiven: boolean, text = '{ "tables": [{ "name": "new" }] }') =>
    (
      JSON.parse(
        changedConfigText(former(text), {
          source: 'crm',
          destination,
          homes: { source: HOME, destination: { schema: 'public', isSchemaGiven } },
          added: [NEW],
          removed: ['new'],
        }),
      ) as { readonly tables: readonly object[] }
    ).tables.at(-1);
  const schema = 'crm';
  expect(added('crm', false)).toEqual({ ...ENTRY, schema });
  expect(added('public', true)).toEqual({ ...ENTRY, schema });
  expect(added('crm', true)).toEqual({ ...ENTRY, schema, dest_schema: 'crm' });
  expect(
    added('copy', true, '{ "defaults": { "schema": "crm", "dest_schema": "copy" }, "tables": [] }'),
  ).toEqual(ENTRY);
});

const tables = (...names: readonly string[]) => names.map((name) => ({ name, columns: ['id', 'at'] }));

test('tables and key columns that the source no longer has are found', () => {
  const file = former(`{
    "defaults": { "replication_key": "at", "unique_cols": ["id", "part"] },
    "tables": [{ "name": "a" }, { "name": "gone" }, { "name": "off", "enabled": false }, { "name": "e_*" },
      { "name": "b", "unique_cols": ["id"], "replication_key": "changed" }, { "name": "c", "mode": "full-refresh" },
      { "name": "q", "query": "SELECT 1" }, { "name": "other", "schema": "other" }] }`);
  expect(configuredAmong(file, IN_HOME, tables('a', 'b', 'c'))).toMatchObject({
    gone: ['gone'],
    lost: [
      { table: 'a', option: 'unique_cols', column: 'part' },
      { table: 'b', option: 'replication_key', column: 'changed' },
    ],
  });
});
