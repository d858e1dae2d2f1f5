/**
 * `tables-config.json`: this one schema gives the types, the checks, the JSON Schema for editors and the table
 * in the documentation. A message in here says what is allowed; the value and its place are added around it.
 */
import { z } from 'zod';
import { DURATION_FORMS, DURATION_PATTERN, parseDuration } from '../../duration.ts';
import { excerptAt } from '../../excerpt.ts';
import { faultIn, withoutEnd } from '../../sql/user-sql.ts';
import { CHUNK_FORMS, CHUNK_PATTERN, parseChunkSize } from '../chunk-size.ts';
import { METADATA_COLUMNS } from '../../schema/metadata-columns.ts';
import { IDENTIFIER, isIdentifier } from './identifiers.ts';

const identifier = z
  .string({ error: IDENTIFIER })
  .refine(isIdentifier, { error: IDENTIFIER })
  .meta({ minLength: 1, maxLength: 63 });

/** INDEX_MAX_KEYS: the key is kept unique by an index. */
export const MAX_KEY_COLUMNS = 32;

const COLUMNS = `an array of different column names, at least one and at most ${MAX_KEY_COLUMNS}`;
const columns = z
  .array(identifier, { error: COLUMNS })
  .min(1, { error: COLUMNS })
  .max(MAX_KEY_COLUMNS, { error: COLUMNS })
  .refine((names) => new Set(names).size === names.length, { error: COLUMNS })
  .meta({ uniqueItems: true });

const MANY_COLUMNS = 'an array of different column names, at least one';
const manyColumns = z
  .array(identifier, { error: MANY_COLUMNS })
  .min(1, { error: MANY_COLUMNS })
  .refine((names) => new Set(names).size === names.length, { error: MANY_COLUMNS })
  .meta({ uniqueItems: true });

/** Words of the source server's own language, which it alone can judge; here is seen to it that they stay together. */
const sqlOf = (kind: string, read: (text: string) => string) =>
  z
    .string({ error: kind })
    .meta({ minLength: 1 })
    .transform((text, context) => {
      const sql = read(text);
      const fault = faultIn(sql);
      if (!fault) return sql;
      const { line, column } = excerptAt(sql, fault.at, 0);
      context.addIssue(`${kind}; line ${line}, column ${column}: ${fault.what}`);
      return z.NEVER;
    });

const sqlText = sqlOf('an SQL expression', (text) => text);
const queryText = sqlOf('one SELECT', withoutEnd);
const TRANSFORM = 'an object of SQL expressions by column';

const duration = z
  .string({ error: DURATION_FORMS })
  .meta({ pattern: DURATION_PATTERN.source })
  .transform((text, context) => {
    const seconds = parseDuration(text);
    if (seconds === undefined) context.addIssue(DURATION_FORMS);
    return seconds ?? z.NEVER;
  });

const chunkSize = z
  .union(
    [
      z.int({ error: CHUNK_FORMS }).meta({ minimum: 1 }),
      z.string({ error: CHUNK_FORMS }).meta({ pattern: CHUNK_PATTERN.source }),
    ],
    { error: CHUNK_FORMS },
  )
  .transform((value, context) => {
    const size = parseChunkSize(value);
    if (!size) context.addIssue(CHUNK_FORMS);
    return size ?? z.NEVER;
  });

/** Each is a connection to either side; a source that wants more than this at once is better loaded by a dump. */
const MAX_LOAD_JOBS = 16;
const LOAD_JOBS = `a whole number from 1 to ${MAX_LOAD_JOBS}`;

const SHARE = 'a number from 0 to 1';

const METADATA = `an array of different names out of ${METADATA_COLUMNS.map((name) => `"${name}"`).join(' and ')}`;
const metadataColumns = z
  .array(z.enum(METADATA_COLUMNS, { error: METADATA }), { error: METADATA })
  .refine((names) => new Set(names).size === names.length, { error: METADATA })
  .meta({ uniqueItems: true });

export const tableSchema = z.strictObject(
  {
    name: identifier.describe(
      'Table of the source, as Postgres stores its name, or any name for a `query`; `*` stands for any characters, `\\\\*` for a star.',
    ),
    dest_name: identifier
      .optional()
      .describe(
        'Its name in the destination; `name` where not given. One `*` takes what that of `name` stands for.',
      ),
    replication_key: identifier
      .optional()
      .describe('Column that grows with every change: timestamp, timestamptz, date or an integer.'),
    unique_cols: columns
      .optional()
      .describe(
        'Columns that together identify a row. Like `replication_key`, not needed in mode `full-refresh`.',
      ),
    mode: z
      .enum(['incremental-deduped', 'incremental-append', 'full-refresh'])
      .default('incremental-deduped')
      .describe(
        'How the copy is kept: each row in its latest version, every version of it, or all read anew each time.',
      ),
    initial_load: z
      .enum(['auto', 'pg_dump', 'copy'])
      .default('auto')
      .describe(
        'What fills a whole table: `pg_dump`, or `copy`. `auto` is `copy` for tables up to 10 MB, else `pg_dump` where it is installed.',
      ),
    chunk: chunkSize
      .optional()
      .describe('With `initial_load` `copy`: load in chunks of a size (`1GB`) or of rows (`5000000 rows`).'),
    load_jobs: z
      .int({ error: LOAD_JOBS })
      .min(1, { error: LOAD_JOBS })
      .max(MAX_LOAD_JOBS, { error: LOAD_JOBS })
      .default(1)
      .describe('How many chunks are loaded at the same time, over as many connections.'),
    on_schema_change: z
      .enum(['reset', 'evolve', 'fail'])
      .default('reset')
      .describe('When the source table changes shape: load it again, alter the copy in place, or stop.'),
    lookback: duration
      .prefault('10s')
      .describe('How far below the cursor each run reads again, for application clocks that lag behind.'),
    null_keys: z
      .enum(['warn', 'include'])
      .default('warn')
      .describe('Rows without a replication key: warn about them, or read them all at every run.'),
    deletes: z
      .enum(['ignore', 'hard', 'soft'])
      .default('ignore')
      .describe('Rows that are gone from the source: keep them, remove them, or mark them in `_deleted_at`.'),
    deletes_every: duration
      .prefault('24h')
      .describe('How often both sides are compared for deleted rows; `0s` at every run.'),
    delete_limit: z
      .number({ error: SHARE })
      .min(0, { error: SHARE })
      .max(1, { error: SHARE })
      .default(0.5)
      .describe('The largest share of a table that one run may remove without `--force`.'),
    schema: identifier
      .optional()
      .describe('Schema of the table at the source; SOURCE_SCHEMA where not given.'),
    dest_schema: identifier
      .optional()
      .describe('Schema of its copy; DEST_SCHEMA where not given, and the schema of the table without that.'),
    columns: manyColumns.optional().describe('The columns to copy; all of them where not given.'),
    exclude_columns: manyColumns.optional().describe('The columns to leave out.'),
    transform: z
      .record(identifier, sqlText, { error: TRANSFORM })
      .optional()
      .describe(
        'SQL expressions over the source row by column: evaluated by the source, and copied instead.',
      ),
    where: sqlText
      .optional()
      .describe('SQL condition on the rows to copy; with `deletes`, rows that leave it are deletes.'),
    query: queryText
      .optional()
      .describe('A SELECT at the source to copy instead of a table; `name` is then its label.'),
    metadata_columns: metadataColumns
      .default([])
      .describe('Columns that increp itself fills in the copy: `_synced_at`, `_source`. None by default.'),
    on_conflict: z
      .enum(['source_wins', 'last_update_wins'])
      .default('source_wins')
      .describe('Which row stays where the destination has one with a newer replication key.'),
    skip_unchanged: z
      .boolean({ error: 'true or false' })
      .default(false)
      .describe('In mode `full-refresh`: leave a table alone while its source has not changed.'),
    types: z
      .enum(['text', 'native'])
      .default('text')
      .describe('User-defined types: as their text, or as the same types at the destination.'),
    max_staleness: duration.optional().describe('Age at which `status` calls the copy stale.'),
    enabled: z.boolean({ error: 'true or false' }).default(true).describe('`false` leaves the table alone.'),
  },
  { error: 'an object with a name and, unless mode is full-refresh, a replication_key and unique_cols' },
);

/** Of every table whose mode is not full-refresh, with what is allowed. */
export const NEEDED_KEYS = [
  { key: 'replication_key', allowed: IDENTIFIER },
  { key: 'unique_cols', allowed: COLUMNS },
] as const;

export type TableEntry = z.output<typeof tableSchema>;

/** What an entry may leave to it; what is one table's own cannot be another's default. */
export const defaultsSchema = tableSchema.omit({ name: true, dest_name: true, query: true }).partial();

const VARIABLE = 'the name of an environment variable';

/** One of several destinations; a secret never stands in this file. */
export const destinationSchema = z.strictObject(
  {
    name: z
      .string({ error: 'a name' })
      .optional()
      .describe('In messages, and of its directory below `sync-state/`; host and database unless given.'),
    url_env: z
      .string({ error: VARIABLE })
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: VARIABLE })
      .optional()
      .describe('The variable that holds its URL, as `WAREHOUSE_URL`; `WAREHOUSE_URL_FILE` works too.'),
    url: z.string({ error: 'a URL without a password' }).optional().describe('Its URL, without a password.'),
    schema: identifier.optional().describe('Its schema; DEST_SCHEMA where not given.'),
  },
  { error: 'an object with a url_env' },
);

const TABLES = 'an array of tables, or an object with "tables" and perhaps "defaults" and "destinations"';

/** The object around the tables; what is in it is checked table by table. */
export const envelopeSchema = z.strictObject(
  {
    $schema: z.string({ error: 'the path of a JSON Schema' }).optional(),
    defaults: z.record(z.string(), z.unknown(), { error: 'an object of table options' }).optional(),
    destinations: z.array(z.unknown(), { error: 'an array of destinations' }).optional(),
    tables: z.array(z.unknown(), { error: 'an array of tables' }),
  },
  { error: TABLES },
);

/** In the words of JSON Schema. */
const NEEDS_KEYS = {
  if: { properties: { mode: { const: 'full-refresh' } }, required: ['mode'] },
  else: { required: NEEDED_KEYS.map(({ key }) => key) },
};

const documentSchema = z
  .union([
    z.array(tableSchema.meta(NEEDS_KEYS)),
    envelopeSchema.extend({
      defaults: defaultsSchema.optional().describe('Options for every table that does not say otherwise.'),
      destinations: z
        .array(destinationSchema)
        .optional()
        .describe('Several destinations, in place of the DEST_ variables.'),
      // What is needed may stand in the defaults, which JSON Schema cannot follow.
      tables: z.array(tableSchema),
    }),
  ])
  .meta({ title: 'Tables of an increp pipeline' });

/** Draft 7 is what editors understand best. */
export const tablesJsonSchema = () => z.toJSONSchema(documentSchema, { target: 'draft-7', io: 'input' });
