/** Random batches through the real SQL of the merge, and through a model of it. */
import fc from 'fast-check';
import type { PoolClient } from 'pg';
import { expect, test } from 'vitest';
import { keepNewest, type Merge } from '../../src/sql/merge.ts';
import {
  deletedMark,
  metadataColumnDefinitions,
  type MetadataColumnDefinition,
} from '../../src/sql/metadata-columns.ts';
import { mergeStaging, type Share } from '../../src/sync/write/merge-staging.ts';
import {
  imageOf,
  MergeModel,
  MODEL_COLUMNS,
  type ModelCounts,
  type ModelRow,
  type ModelRules,
} from '../support/merge-model.ts';
import { freshPair } from '../support/pair.ts';
import { isWhole, oneIn } from '../support/tier.ts';

const orNull = <T>(...values: readonly T[]) => fc.constantFrom(null, ...values);

const row: fc.Arbitrary<ModelRow> = fc.record({
  name: fc.constantFrom('', ' ', 'NULL', 'a'),
  part: orNull('1.0', '1.00', '2'),
  version: orNull(1, 2, 3),
  amount: orNull('1.0', '1.00', 'NaN', '-1'),
  note: orNull('', ' ', 'null', 'a "quoted", \\ one', '(1,2)'),
  doc: orNull('{"a":1}', '{"a": 1}', '{"a":1,"a":2}', 'null', '1.0', '1.00'),
});

/** Few rows, of which each batch has some: what was there before, or long before, comes back as it was. */
const batches = fc.array(row, { minLength: 1, maxLength: 8 }).chain((few) =>
  fc.array(
    fc.record({
      rows: fc.array(fc.constantFrom(...few), { maxLength: 10 }),
      share: fc.constantFrom<Share>('few', 'many', 'whole'),
    }),
    { minLength: 1, maxLength: 8 },
  ),
);

const TYPES: Readonly<Record<keyof ModelRow, string>> = {
  name: 'text NOT NULL',
  part: 'numeric',
  version: 'bigint',
  amount: 'numeric',
  note: 'text',
  doc: 'json',
};

const columnsSql = (columns: readonly (keyof ModelRow)[]) =>
  columns.map((column) => `${column} ${TYPES[column]}`).join(', ');

interface Variant {
  readonly title: string;
  readonly tableColumns: readonly (keyof ModelRow)[];
  readonly more: string;
  readonly rules?: Partial<ModelRules>;
  readonly metadataColumns?: readonly MetadataColumnDefinition[];
}

const rulesOf = ({ rules = {} }: Variant): ModelRules => ({
  ...{ isSoftDelete: false, isHistory: false, yieldsToNewer: false },
  ...rules,
});

const VARIANTS: readonly Variant[] = [
  { title: 'the same columns', tableColumns: MODEL_COLUMNS, more: '' },
  {
    title: 'columns in another order, and one more',
    tableColumns: MODEL_COLUMNS.toReversed(),
    more: ', mine int DEFAULT 7',
  },
  {
    title: 'a mark for deleted rows',
    tableColumns: MODEL_COLUMNS,
    more: ', _deleted_at timestamptz',
    rules: { isSoftDelete: true },
    metadataColumns: [deletedMark],
  },
  {
    title: 'every version kept',
    tableColumns: MODEL_COLUMNS,
    more: '',
    rules: { isHistory: true },
  },
  {
    title: 'rows of another pipeline beside ours',
    tableColumns: MODEL_COLUMNS,
    more: ', _source text, _synced_at timestamptz',
    metadataColumns: metadataColumnDefinitions(
      { deletes: 'ignore', metadataColumns: ['_source', '_synced_at'] },
      'ours',
    ),
  },
  {
    title: 'rows of another pipeline beside ours, and a mark',
    tableColumns: MODEL_COLUMNS,
    more: ', _source text, _deleted_at timestamptz',
    rules: { isSoftDelete: true },
    metadataColumns: metadataColumnDefinitions({ deletes: 'soft', metadataColumns: ['_source'] }, 'ours'),
  },
  {
    title: 'newer rows left alone',
    tableColumns: MODEL_COLUMNS,
    more: '',
    rules: { yieldsToNewer: true },
  },
];

/** The same rows as ours have, which nothing may touch. */
const OTHERS = `INSERT INTO t (name, part, version, _source)
  SELECT name, part, -1, 'others' FROM unnest(ARRAY['', ' ', 'NULL', 'a']) name, unnest(ARRAY[NULL, 1.0, 2]) part`;

const WAYS = [
  { how: 'MERGE', canMerge: true },
  { how: 'UPDATE and INSERT', canMerge: false },
];
const CASES = WAYS.flatMap((way) => VARIANTS.map((variant) => ({ ...way, ...variant })));

test.for(oneIn(8, CASES))(
  'the merge does what its model does: by $how, $title',
  async (variant, { skip }) => {
    await using pair = await freshPair();
    const client = await pair.destination.connect();
    const { rows: version } = await client.query<{ server_version_num: string }>('SHOW server_version_num');
    skip(variant.canMerge && Number(version[0]?.server_version_num) < 150000, 'PostgreSQL 14 has no MERGE');
    await client.query(`CREATE TABLE t (${columnsSql(variant.tableColumns)}${variant.more});
    CREATE UNIQUE INDEX ON t (${keyOf(variant).join(', ')}); CREATE TABLE t_stg (${columnsSql(MODEL_COLUMNS)});
    ${isShared(variant) ? OTHERS : ''}`);
    const property = fc.asyncProperty(batches, async (given) => {
      // What a failed run has left is rolled back by the next one, which fast-check makes to shrink it.
      await client.query('ROLLBACK; BEGIN');
      const rules = rulesOf(variant);
      const model = new MergeModel(rules);
      for (const { rows, share: asked } of given) {
        // These never remove a row.
        const share = asked === 'whole' && (rules.isHistory || rules.yieldsToNewer) ? 'many' : asked;
        const expected = model.apply(rows, share === 'whole');
        expect(await merge(client, mergeFor(variant), rows, share)).toEqual(expected);
        expect(await imagesIn(client, variant)).toEqual(model.images());
        if (isShared(variant)) expect(await othersIn(client)).toBe(12);
      }
    });
    // A failure prints its seed and path, to be given here.
    await fc.assert(property, { numRuns: isWhole ? 100 : 50, interruptAfterTimeLimit: 15_000 });
    client.release();
  },
);

const isShared = ({ metadataColumns = [] }: Variant): boolean =>
  metadataColumns.some(({ isIdentity }) => isIdentity);

const keyOf = (variant: Variant): string[] => [
  ...(isShared(variant) ? ['_source'] : []),
  ...['name', 'part'],
  ...(rulesOf(variant).isHistory ? ['version'] : []),
];

async function othersIn(client: PoolClient): Promise<number | null> {
  const { rowCount } = await client.query(`SELECT FROM public.t WHERE _source = 'others' AND version = -1`);
  return rowCount;
}

const mergeFor = (variant: (typeof CASES)[number]): Merge => ({
  destination: { schema: 'public', table: 't' },
  staging: { schema: 'public', table: 't_stg' },
  columns: MODEL_COLUMNS,
  mergeKey: keyOf(variant).filter((name) => name !== '_source'),
  replicationKey: 'version',
  nullableKey: rulesOf(variant).isHistory ? ['part', 'version'] : ['part'],
  hasSameColumns: variant.tableColumns === MODEL_COLUMNS && variant.more === '',
  metadataColumns: variant.metadataColumns ?? [],
  yieldsToNewer: rulesOf(variant).yieldsToNewer,
  fixed: [],
  kept: [],
  canMerge: variant.canMerge,
});

async function merge(
  client: PoolClient,
  how: Merge,
  batch: readonly ModelRow[],
  share: Share,
): Promise<ModelCounts> {
  await client.query('DELETE FROM public.t_stg');
  const values = MODEL_COLUMNS.map((name) => batch.map((each) => each[name]));
  const casts = MODEL_COLUMNS.map((name, index) => `$${index + 1}::${TYPES[name].split(' ')[0]}[]`);
  await client.query(`INSERT INTO public.t_stg SELECT * FROM unnest(${casts.join(', ')})`, values);
  const { rowCount: older } = await client.query(keepNewest(how));
  return { older: older ?? 0, ...(await mergeStaging(client, how, share)) };
}

async function imagesIn(client: PoolClient, variant: Variant): Promise<string[]> {
  const texts = MODEL_COLUMNS.map((name) => (name === 'version' ? 'version::int' : `${name}::text`)).join(
    ', ',
  );
  const isDeleted = rulesOf(variant).isSoftDelete ? '_deleted_at IS NOT NULL' : 'false';
  const { rows } = await client.query<ModelRow & { deleted: boolean }>(
    `SELECT ${texts}, ${isDeleted} AS deleted FROM public.t${isShared(variant) ? ` WHERE _source = 'ours'` : ''}`,
  );
  return rows.map((each) => imageOf(each, each.deleted)).toSorted();
}
