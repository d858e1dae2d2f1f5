import fc from 'fast-check';
import { expect, test } from 'vitest';
import { resolveNativeTypes } from '../../../src/schema/native-types.ts';
import type { FoundType, TypeDefinition, TypeReference } from '../../../src/schema/type-definitions.ts';
import { column } from './columns.ts';

const HOMES = { source: 'app', destination: 'copy' };

const reference = (schema: string, name: string, suffix = ''): TypeReference => ({
  printed: schema === 'pg_catalog' ? name : `${schema}.${name}${suffix}`,
  ...{ schema, name, suffix },
});

const definition = (told: Partial<TypeDefinition> = {}): TypeDefinition => {
  const { schema = 'app', name = 'mood' } = told;
  const plain = {
    isRowType: false,
    extension: null,
    checks: [],
    isNotNull: false,
    parts: [],
    range: null,
    functions: [],
  };
  return {
    schema,
    name,
    printed: `${schema}.${name}`,
    kind: 'enum',
    labels: ['sad', 'ok'],
    ...plain,
    ...told,
  };
};

const found = (told: Partial<FoundType> = {}): FoundType => ({
  ...definition({ schema: 'copy', ...told }),
  ...{ isOwned: true, canUse: true },
});

function resolve(type: TypeReference, definitions: readonly TypeDefinition[], types: readonly FoundType[]) {
  const source = { references: [type], definitions: [...definitions] };
  const columns = [column({ type: type.printed, isBuiltIn: false })];
  const { carried, types: judged } = resolveNativeTypes(
    columns,
    source,
    { types: [...types], schemas: [], functions: [] },
    HOMES,
  );
  return { carried: carried.get(type.printed), verdicts: judged.map(({ verdict }) => verdict), judged };
}

const alike = { kind: 'alike' };

test('a type of the schema of the tables is looked for in that of the copies, any other where it was', () => {
  expect(resolve(reference('app', 'mood', '[]'), [definition()], [found()])).toMatchObject({
    carried: 'copy.mood[]',
    verdicts: [alike],
  });
  const elsewhere = definition({ schema: 'other' });
  expect(resolve(reference('other', 'mood'), [elsewhere], [found()]).verdicts).toEqual([{ kind: 'missing' }]);
  expect(resolve(reference('other', 'mood'), [elsewhere], [found({ schema: 'other' })])).toMatchObject({
    carried: 'other.mood',
    verdicts: [alike],
  });
});

test('a type of an extension is found wherever that extension is', () => {
  const hstore = { name: 'hstore', kind: 'base type' as const, labels: [], extension: 'hstore' };
  const there = found({ ...hstore, schema: 'extensions' });
  expect(resolve(reference('app', 'hstore'), [definition(hstore)], [there])).toMatchObject({
    carried: 'extensions.hstore',
    verdicts: [alike],
  });
  const impostor = found({ ...hstore, extension: null });
  expect(resolve(reference('app', 'hstore'), [definition(hstore)], [impostor]).verdicts).toEqual([
    { kind: 'missing' },
  ]);
});

test('what a type is made of comes before it, and is compared as it is called at the destination', () => {
  const pair = { name: 'pair', kind: 'composite type' as const, labels: [] };
  const fields = (schema: string) => [{ name: 'm', type: reference(schema, 'mood', '[]') }];
  const result = resolve(
    reference('app', 'pair'),
    [definition({ ...pair, parts: fields('app') }), definition()],
    [found({ ...pair, parts: fields('copy') }), found()],
  );
  expect(result.judged.map(({ source }) => source.name)).toEqual(['mood', 'pair']);
  expect(result.verdicts).toEqual([alike, alike]);
  const other = resolve(
    reference('app', 'pair'),
    [definition({ ...pair, parts: fields('app') }), definition()],
    [found({ ...pair, parts: fields('app') }), found()],
  );
  expect(other.verdicts).toEqual([alike, { kind: 'differs' }]);
});

test('constraints are compared as they would be in the schema of the copies', () => {
  const domain = (schema: string): Partial<TypeDefinition> => ({
    kind: 'domain',
    labels: [],
    parts: [{ name: '', type: reference('pg_catalog', 'text') }],
    checks: [`CHECK (${schema}.is_fine(VALUE))`],
  });
  const type = reference('app', 'mood');
  expect(resolve(type, [definition(domain('app'))], [found(domain('copy'))]).verdicts).toEqual([alike]);
  expect(resolve(type, [definition(domain('app'))], [found(domain('mine'))]).verdicts).toEqual([
    { kind: 'differs' },
  ]);
});

test('names of objects of one server stay text, also within a type of the user', () => {
  const parts = [{ name: 't', type: reference('pg_catalog', 'regclass') }];
  const result = resolve(
    reference('app', 'mood'),
    [definition({ kind: 'composite type', labels: [], parts })],
    [],
  );
  expect(result).toMatchObject({ carried: undefined, verdicts: [] });
});

/** What ALTER TYPE ... ADD VALUE does. */
function add(
  labels: readonly string[],
  { label, after, before }: { label: string; after?: string | undefined; before?: string | undefined },
) {
  const place =
    after !== undefined
      ? labels.indexOf(after) + 1
      : before !== undefined
        ? labels.indexOf(before)
        : labels.length;
  expect(place).toBeGreaterThanOrEqual(after === undefined ? 0 : 1);
  return labels.toSpliced(place, 0, label);
}

test('labels that the source has gained are added in its order, whatever was there before', () => {
  const labels = fc.uniqueArray(fc.string({ maxLength: 3 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(labels, fc.func(fc.boolean()), (all, isThere) => {
      const before = all.filter((label) => isThere(label));
      const [verdict] = resolve(
        reference('app', 'mood'),
        [definition({ labels: all })],
        [found({ labels: before })],
      ).verdicts;
      const added = verdict?.kind === 'lacks-labels' ? verdict.labels : [];
      expect(added.reduce<readonly string[]>(add, before)).toEqual(all);
      expect(verdict?.kind).toBe(before.length === all.length ? 'alike' : 'lacks-labels');
    }),
  );
});

test.each([[['ok', 'sad']], [['sad', 'ok', 'mine']], [['happy', 'ok']]])(
  'labels that are other than the source knows them are a difference: %j',
  (labels) => {
    const verdict = resolve(reference('app', 'mood'), [definition()], [found({ labels })]).verdicts;
    expect(verdict).toEqual([{ kind: 'differs' }]);
  },
);

test('a range whose default collation orders otherwise in the other database is another range', () => {
  const range = {
    opclass: 'pg_catalog.text_ops',
    isDefaultOpclass: true,
    collation: null,
    order: 'C',
    canonical: null,
    subtypeDiff: null,
    multirange: { schema: 'app', name: 'words_many' },
  };
  const words = { name: 'words', kind: 'range type' as const, labels: [] };
  const verdictOf = (change: Partial<typeof range> | { order: string } | { collation: string }) =>
    resolve(
      reference('app', 'words'),
      [definition({ ...words, range })],
      [
        found({
          ...words,
          range: { ...range, multirange: { schema: 'copy', name: 'words_many' }, ...change },
        }),
      ],
    ).verdicts;
  expect(verdictOf({})).toEqual([alike]);
  expect(verdictOf({ order: 'icu en' })).toEqual([{ kind: 'differs' }]);
  expect(verdictOf({ collation: 'pg_catalog."C"' })).toEqual([{ kind: 'differs' }]);
  expect(verdictOf({ multirange: { schema: 'copy', name: 'other' } })).toEqual([{ kind: 'differs' }]);
});
