/**
 * `tables-config.json`: this one schema gives the types, the checks, the JSON Schema for editors and the table
 * in the documentation. A message states what is allowed. The caller adds the value and its location.
 */
import * as z from 'zod';
import { excerptAt } from '../../excerpt.ts';
import { faultIn, withoutEnd } from '../../sql/user-sql.ts';
import { CHUNK_FORMS, CHUNK_PATTERN, parseChunkSize } from '../chunk-size.ts';
import { JOBS, MAX_JOBS } from '../jobs.ts';
import { DELETES } from '../../schema/deleted-rows.ts';
import { METADATA_COLUMNS } from '../../schema/metadata-columns.ts';
import { IDENTIFIER, isIdentifier } from './identifiers.ts';
import { duration, pipelineScheduleSchema, scheduleSchema } from './schedule-schema.ts';

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

/** SQL that only the source can validate. This check ensures that it cannot escape its parentheses. */
const sqlOf = (kind: string, read: (text: string) => string) =>
  z
    .string({ error: kind })
    .meta({ minLength: 1 })
    .transform((text, context) => {
      const sql = read(text);
      const fault = faultIn(sql);
      if (!fault) return sql;
      const { line, column } = excerptAt(sql, fault.at, 0);
      context.addIssue({ code: 'custom', message: fault.what, params: { line, column } });
      return z.NEVER;
    });

const sqlText = sqlOf('an SQL expression', (text) => text);
const queryText = sqlOf('one SELECT', withoutEnd);
const TRANSFORM = 'an object of SQL expressions by column';
const RENAME = 'an object of names at the destination by column';
const MERGE = 'an object of SQL expressions over source and destination by column';

/** When a row was deleted, in a deletion log. */
export const USUAL_TIME_COLUMN = 'deleted_at';
const DELETION_LOG = 'the name of a table, or an object with "table" or "query"';
const deletionLog = z
  .union(
    [
      identifier,
      z.strictObject({
        table: identifier.optional(),
        schema: identifier.optional(),
        query: queryText.optional(),
        deleted_at: identifier.default(USUAL_TIME_COLUMN),
      }),
    ],
    { error: DELETION_LOG },
  )
  .refine((log) => typeof log === 'string' || (log.table === undefined) !== (log.query === undefined), {
    error: DELETION_LOG,
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

/** Each job opens a connection to both sides. For more parallelism, pg_dump is the better loader. */
const MAX_LOAD_JOBS = 16;
const LOAD_JOBS = `a whole number from 1 to ${MAX_LOAD_JOBS}`;

const SHARE = 'a number from 0 to 1';

const METADATA = `an array of different names from ${METADATA_COLUMNS.map((name) => `"${name}"`).join(' and ')}`;
const metadataColumns = z
  .array(z.enum(METADATA_COLUMNS, { error: METADATA }), { error: METADATA })
  .refine((names) => new Set(names).size === names.length, { error: METADATA })
  .meta({ uniqueItems: true });

export const tableSchema = z.strictObject(
  {
    name: identifier.describe(
      'Name of the source table, as Postgres stores it. `*` matches any characters, and `\\\\*` is a star. With `query`, any name.',
    ),
    dest_name: identifier
      .optional()
      .describe(
        'Name of the destination table. Default: `name`. One `*` stands for the characters that the `*` of `name` matched.',
      ),
    replication_key: identifier
      .optional()
      .describe('Column that grows with every change: timestamp, timestamptz, date or integer.'),
    unique_cols: columns
      .optional()
      .describe('Columns that identify a row. Like `replication_key`, not needed in mode `full-refresh`.'),
    mode: z
      .enum(['incremental-deduped', 'incremental-append', 'full-refresh'])
      .default('incremental-deduped')
      .describe(
        'How rows are written: the latest version of each row, every version of each row, or the whole table at each sync.',
      ),
    initial_load: z
      .enum(['auto', 'pg_dump', 'copy'])
      .default('auto')
      .describe(
        'How a whole table is loaded. `auto` is `copy` up to 10 MB, and `pg_dump` above that if it is installed.',
      ),
    chunk: chunkSize
      .optional()
      .describe('Load in chunks of a size (`1GB`) or a number of rows (`5000000 rows`), always by `copy`.'),
    load_jobs: z
      .int({ error: LOAD_JOBS })
      .min(1, { error: LOAD_JOBS })
      .max(MAX_LOAD_JOBS, { error: LOAD_JOBS })
      .default(1)
      .describe('Number of chunks that are loaded at the same time. Each uses its own connections.'),
    on_schema_change: z
      .enum(['reset', 'evolve', 'fail'])
      .default('reset')
      .describe(
        'If the source table changes shape: load it again, alter the destination table in place, or stop.',
      ),
    lookback: duration
      .prefault('10s')
      .describe('How far below the cursor each sync starts to read, for applications whose clocks are late.'),
    null_keys: z
      .enum(['warn', 'include'])
      .default('warn')
      .describe('Rows without a replication key: warn about them, or read all of them at each sync.'),
    deletes: z
      .enum(DELETES)
      .default('ignore')
      .describe(
        'Rows that are gone from the source: keep them until a load, keep them forever, remove them, or mark them in `_deleted_at`.',
      ),
    deletes_every: duration
      .prefault('24h')
      .describe('How often increp compares both sides to find deleted rows. `0s` is at each sync.'),
    deletes_from: deletionLog
      .optional()
      .describe(
        'Table at the source that records deleted keys, so that each sync removes these rows. `*` stands for the name of the table.',
      ),
    delete_limit: z
      .number({ error: SHARE })
      .min(0, { error: SHARE })
      .max(1, { error: SHARE })
      .optional()
      .describe(
        'Largest share of a table that one run may remove without `--force`. If it is not set: 0.5, and in mode `full-refresh`, a load may not empty the table.',
      ),
    dropped_columns: z
      .enum(['drop', 'keep'])
      .optional()
      .describe(
        'Columns that the source no longer has: drop them, or keep them with their values. Default: `drop`, or `keep` with `deletes` `keep`.',
      ),
    schema: identifier.optional().describe('Schema of the source table. Default: `SOURCE_SCHEMA`.'),
    dest_schema: identifier
      .optional()
      .describe(
        'Schema of the destination table. Default: `DEST_SCHEMA` if it is set, or the schema of the source table.',
      ),
    columns: manyColumns.optional().describe('Columns to copy. Default: all.'),
    exclude_columns: manyColumns.optional().describe('Columns to leave out.'),
    transform: z
      .record(identifier, sqlText, { error: TRANSFORM })
      .optional()
      .describe('SQL expressions by column name. The source evaluates them, and increp copies their values.'),
    rename: z
      .record(identifier, identifier, { error: RENAME })
      .optional()
      .describe('Names at the destination by column name. All other options have the names of the source.'),
    where: sqlText
      .optional()
      .describe(
        'SQL condition for the rows to copy. With `deletes`, rows that no longer meet it count as deleted.',
      ),
    query: queryText
      .optional()
      .describe('`SELECT` at the source to copy instead of a table. `name` is then its label.'),
    metadata_columns: metadataColumns
      .default([])
      .describe('Columns that increp adds to the destination table: `_synced_at`, `_source`.'),
    on_conflict: z
      .enum(['source_wins', 'last_update_wins'])
      .default('source_wins')
      .describe('Which row wins if the row of the destination has a newer replication key.'),
    merge: z
      .record(identifier, sqlText, { error: MERGE })
      .optional()
      .describe(
        'SQL expressions by column name over the rows `source` and `destination`. The destination evaluates one for each new version of a row that exists there.',
      ),
    conflict_log: z
      .boolean({ error: 'true or false' })
      .default(false)
      .describe(
        'Record in `_increp_conflicts` at the destination each row that the source and others have changed.',
      ),
    conflict_retention: duration
      .optional()
      .describe('How long increp keeps the records of `conflict_log`. Default: 90 days.'),
    skip_unchanged: z
      .boolean({ error: 'true or false' })
      .default(false)
      .describe(
        'In mode `full-refresh`: skip the table if it has not changed at the source since the last sync.',
      ),
    types: z
      .enum(['text', 'native'])
      .default('text')
      .describe('How user-defined types arrive: as text, or as the same types at the destination.'),
    indexes: z
      .enum(['ignore', 'copy'])
      .default('ignore')
      .describe('`copy` creates the indexes of the source at the destination too, and keeps them in step.'),
    constraints: z
      .enum(['ignore', 'copy'])
      .default('ignore')
      .describe(
        '`copy` does the same for primary key, unique and check constraints, foreign keys and defaults.',
      ),
    max_staleness: duration
      .optional()
      .describe('Time since the last successful sync after which `status` reports the table as stale.'),
    warn_staleness: duration
      .optional()
      .describe(
        'A shorter time than `max_staleness`, after which `status` reports the table as late and a metric allows a warning.',
      ),
    schedule: scheduleSchema
      .optional()
      .describe(
        'When `increp serve` syncs the table. Default: with the pipeline. `{ "every": "30s" }`, or `cron` and `time_zone`.',
      ),
    enabled: z.boolean({ error: 'true or false' }).default(true).describe('`false` skips the table.'),
  },
  { error: 'an object with a name and, unless mode is full-refresh, a replication_key and unique_cols' },
);

/** Keys required unless the mode is full-refresh, with their allowed values. */
export const NEEDED_KEYS = [
  { key: 'replication_key', allowed: IDENTIFIER },
  { key: 'unique_cols', allowed: COLUMNS },
] as const;

export type TableEntry = z.output<typeof tableSchema>;

/** Options that can have defaults. The rest belong to one table. */
export const defaultsSchema = tableSchema
  .omit({ name: true, dest_name: true, query: true, schedule: true })
  .partial();

const VARIABLE = 'the name of an environment variable';

/** One of several destinations. This file never contains secrets. */
export const destinationSchema = z.strictObject(
  {
    name: z
      .string({ error: 'a name' })
      .optional()
      .describe('Name in messages, and of the directory below `sync-state/`. Default: host and database.'),
    url_env: z
      .string({ error: VARIABLE })
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: VARIABLE })
      .optional()
      .describe('Variable that holds the URL, such as `WAREHOUSE_URL`. `WAREHOUSE_URL_FILE` works too.'),
    url: z.string({ error: 'a URL without a password' }).optional().describe('URL without a password.'),
    schema: identifier.optional().describe('Schema of the destination tables. Default: `DEST_SCHEMA`.'),
    ssh: z
      .string({ error: 'an SSH server, such as "deploy@bastion.example.com", or "none"' })
      .optional()
      .describe('SSH server for this destination, or `none`. Default: `DEST_SSH`.'),
  },
  { error: 'an object with a url_env' },
);

const TABLES =
  'an array of tables, or an object with "tables" and optional "defaults", "destinations", "jobs" and "schedule"';

const jobsSchema = z
  .int({ error: JOBS })
  .min(1, { error: JOBS })
  .max(MAX_JOBS, { error: JOBS })
  .default(1)
  .describe('Number of tables that a sync copies at the same time. Each uses its own connections.');

/** The top-level object. Its tables are checked one by one. */
export const envelopeSchema = z.strictObject(
  {
    $schema: z.string({ error: 'the path of a JSON Schema' }).optional(),
    defaults: z.record(z.string(), z.unknown(), { error: 'an object of table options' }).optional(),
    destinations: z.array(z.unknown(), { error: 'an array of destinations' }).optional(),
    jobs: jobsSchema,
    schedule: pipelineScheduleSchema,
    tables: z.array(z.unknown(), { error: 'an array of tables' }),
  },
  { error: TABLES },
);

/** The same rule in JSON Schema. */
const NEEDS_KEYS = {
  if: { properties: { mode: { const: 'full-refresh' } }, required: ['mode'] },
  else: { required: NEEDED_KEYS.map(({ key }) => key) },
};

/** The top-level object, complete. */
export const pipelineSchema = envelopeSchema.extend({
  defaults: defaultsSchema.optional().describe('Options for every table that does not set them itself.'),
  destinations: z
    .array(destinationSchema)
    .optional()
    .describe('Several destinations, instead of the `DEST_` variables of one.'),
  // Required keys may be set in defaults, which JSON Schema cannot express.
  tables: z.array(tableSchema),
});

const documentSchema = z
  .union([z.array(tableSchema.meta(NEEDS_KEYS)), pipelineSchema])
  .meta({ title: 'Tables of an increp pipeline' });

/** Editors support draft 7 best. */
export const tablesJsonSchema = () => z.toJSONSchema(documentSchema, { target: 'draft-7', io: 'input' });
