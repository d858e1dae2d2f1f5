/** The files that `init` writes, as texts. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { countTables } from '../../../src/init/propose-options.ts';
import { gitignoreText, isSample, tablesConfigText } from '../../../src/init/config-text.ts';

const table = (name: string, replicationKey = 'updated_at', ...mergeKey: string[]) => ({
  name,
  replicationKey,
  mergeKey: mergeKey.length > 0 ? mergeKey : ['id'],
});

test('what most tables share stands in the defaults', () => {
  const text = tablesConfigText([table('a'), table('b', 'updated_at', 'x', 'y'), table('c', 'id')]);
  expect(text).toBe(`{
  "$schema": "./tables-config.schema.json",
  "defaults": { "replication_key": "updated_at", "unique_cols": ["id"] },
  "tables": [
    { "name": "a" },
    { "name": "b", "unique_cols": ["x", "y"] },
    { "name": "c", "replication_key": "id" }
  ]
}
`);
});

test('one table has no defaults, and neither have tables that share nothing', () => {
  expect(tablesConfigText([table('a')])).toContain(
    '{ "name": "a", "replication_key": "updated_at", "unique_cols": ["id"] }',
  );
  expect(tablesConfigText([table('a', 'x', 'p'), table('b', 'y', 'q')])).not.toContain('defaults');
});

test('names that are special in JSON are quoted', () => {
  const text = tablesConfigText([table('say "hi"\\')]);
  expect(JSON.parse(text)).toMatchObject({ tables: [{ name: 'say "hi"\\' }] });
});

test('the .gitignore gets only what is missing', () => {
  expect(gitignoreText()).toBe('.env\nsync-state/\n');
  expect(gitignoreText('node_modules/\n.env')).toBe('node_modules/\n.env\nsync-state/\n');
  expect(gitignoreText('/.env\r\nsync-state\r\n')).toBeUndefined();
  expect(gitignoreText('.environment\n')).toBe('.environment\n.env\nsync-state/\n');
});

test('the repository has nothing to add to its own .gitignore, and its sample is known as one', () => {
  const read = (name: string) => readFileSync(new URL(`../../../${name}`, import.meta.url), 'utf8');
  expect(gitignoreText(read('.gitignore'))).toBeUndefined();
  expect(isSample(read('tables-config.json'))).toBe(true);
  expect(isSample(read('tables-config.json').replace('customers', 'clients'))).toBe(false);
  expect(isSample('not JSON')).toBe(false);
});

test.each([
  [['table', 'partitioned table'], '2 tables'],
  [['table', 'view', 'materialized view'], '1 table and 2 views'],
  [['view'], '1 view'],
] as const)('%j are %s', (kinds, expected) => {
  expect(countTables(kinds.map((kind) => ({ relation: { kind } })))).toBe(expected);
});
