/** What `init` says about the keys of tables, before they are configured. */
import { expect, test } from 'vitest';
import { asItIs } from '../../../src/init/choose-tables.ts';
import { triggerNote, versionCaution } from '../../../src/init/key-cautions.ts';
import { proposeOptions, type TableProposal } from '../../../src/init/propose-options.ts';
import { entryStep, withoutReplicationKey, withoutUniqueKey } from '../../../src/init/without-key.ts';
import type { RelationKind } from '../../../src/schema/relations.ts';
import { column } from '../schema/columns.ts';
import { relation } from '../sync/table-facts.ts';

const typed = (...columns: readonly string[]) =>
  columns.map((text) => {
    const [name = '', type = 'timestamp with time zone'] = text.split(': ');
    return column({ name, type, isNotNull: true });
  });

const proposal = (name: string, columns: readonly string[], unique: readonly string[] = []) =>
  proposeOptions(
    {
      relation: relation({
        name: { schema: 'public', table: name },
        columns: typed(...columns),
        uniqueKeys: unique.length === 0 ? [] : [{ index: 'u', columns: unique }],
      }),
      hints: { primaryKey: unique, defaults: new Map(), updateTriggers: [] },
      bytes: 0,
      lacksUpdateTrigger: false,
    },
    { role: 'reader', addingCommand: 'increp init' },
  );

test('a replication key in the unique key is named with the columns to use instead', () => {
  const parted = proposal('parted', ['id: bigint', 'updated_at'], ['id', 'updated_at']);
  const usual = proposal('usual', ['id: bigint', 'updated_at'], ['id']);
  const caution = (...tables: readonly TableProposal[]) => versionCaution(tables.map(asItIs), tables);
  const note = (table: TableProposal) => triggerNote([asItIs(table)], [table]);
  expect(note(usual)).toBeUndefined();
  expect(note({ ...usual, lacksUpdateTrigger: true })).toContain('No trigger sets updated_at of usual.');
  expect(caution(usual)).toBeUndefined();
  expect(caution(usual, parted)).toBe(
    'The replication key is in the unique key of parted (id, updated_at), so each update of a row adds a row at the destination and leaves the earlier one. If rows are updated, set "unique_cols" to ["id"], provided that they identify a row. If "check" then warns that no constraint keeps them unique (MERGE_KEY_NOT_ENFORCED), no action is needed. Or set "deletes": "hard", which removes the earlier rows.',
  );
  const other = { ...asItIs(parted), name: 'other' };
  expect(versionCaution([asItIs(parted), other], [parted, { ...parted, name: 'other' }])).toContain(
    'of parted (id, updated_at), other (id, updated_at), so',
  );
});

test('a key that only inserts set may identify rows', () => {
  const log = proposal('log', ['created_at'], ['created_at']);
  expect(
    versionCaution([{ name: 'log', replicationKey: 'created_at', mergeKey: ['created_at'] }], [log]),
  ).toBe(undefined);
});

test('a view without a key gets another definition, because it takes no column', () => {
  const notes = proposal('notes', ['note: text']);
  const nextOf = (kind: RelationKind) =>
    withoutReplicationKey({ ...notes, relation: { ...notes.relation, kind } }).next;
  expect(nextOf('table')).toContain('add a column such as updated_at timestamptz');
  for (const kind of ['view', 'materialized view'] as const)
    expect(nextOf(kind)).toBe(
      'To copy only changes, change its definition so that a column grows with every change, or copy its base tables instead. Otherwise, no action is needed.',
    );
  expect(nextOf('foreign table')).toContain('to the table that it refers to');
});

test('a table without a chosen key is told the whole entry to write', () => {
  const log = proposal('log', ['id: bigint', 'at', 'seen', 'note: text'], ['id']);
  expect(withoutReplicationKey(log).next).toBe(
    'To copy only changes, replace the entry in tables-config.json by { "name": "log", "replication_key": "at", "unique_cols": ["id"] }. The key must grow with every change. Other possible replication keys: seen, id.',
  );
  const created = proposal('created', ['created_at']);
  expect(withoutReplicationKey(created).next).toBe(
    'To copy only changes, replace the entry in tables-config.json by { "name": "created", "replication_key": "created_at", "unique_cols": ["COLUMN"] }, where unique_cols are columns that identify a row. This key shows inserts, but no updates.',
  );
});

test('a table in which no column can be a key is told so', () => {
  expect(withoutReplicationKey(proposal('words', ['word: text'], ['word']))).toEqual({
    why: 'no column has a type that can be a replication key',
    next: 'To copy only changes, add a column such as updated_at timestamptz that every change sets to now(). Otherwise, no action is needed.',
  });
});

test('a number without evidence is not suggested as a key', () => {
  const neither = proposal('neither', ['a: integer', 'b: text']);
  const advice = {
    why: 'no column looks like a replication key',
    next: expect.stringMatching(
      /^To copy only changes, add a column such as updated_at .*no action is needed\.$/,
    ) as string,
  };
  expect(withoutReplicationKey(neither)).toEqual(advice);
  expect(withoutUniqueKey(neither)).toEqual(advice);
  expect(withoutUniqueKey(neither, 'a').next).toContain('"replication_key": "a"');
});

test('the entry quotes a star in the name of a table', () => {
  expect(entryStep({ name: 'a*', replicationKey: 'at', mergeKey: undefined })).toContain('"name": "a\\\\*"');
});
